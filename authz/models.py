"""The bearer tokens that this server has given out, of which only hashes are kept, and the keys that sign others."""

from __future__ import annotations

from django.db import models


class Token(models.Model):
    """A token: the SHA-256 of it in hex, whom it stands for, and until when.

    `audiences` are whom it may be shown to; `bound_uid` is the uid of an object that it must not outlive.
    """

    hash = models.CharField(max_length=64, primary_key=True)
    username = models.CharField(max_length=600)
    groups = models.JSONField(default=list)
    uid = models.CharField(max_length=36, default="")
    audiences = models.JSONField(default=list)
    bound_uid = models.CharField(max_length=36, default="")
    description = models.CharField(max_length=200, default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "authz_token"
        indexes = [
            models.Index(fields=["username"], name="authz_token_username"),
            models.Index(fields=["uid"], name="authz_token_uid"),
            models.Index(fields=["bound_uid"], name="authz_token_bound"),
            models.Index(fields=["expires_at"], name="authz_token_expiry"),
        ]


class SigningKey(models.Model):
    """A key that signs tokens of service accounts; the private part is sealed as secrets are.

    It signs from `signs_from` until a newer one does, and verifies until `needed_until`, the end of its last token.
    """

    kid = models.CharField(max_length=64, primary_key=True)
    algorithm = models.CharField(max_length=10)
    public_key = models.TextField()
    private_key = models.TextField()
    created_at = models.DateTimeField()
    signs_from = models.DateTimeField()
    needed_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "authz_signing_key"


class Password(models.Model):
    """The password of somebody who logs in with one that is kept here, as a hash with its salt."""

    name = models.CharField(max_length=253, primary_key=True)
    encoded = models.CharField(max_length=256)
    changed_at = models.DateTimeField()

    class Meta:
        db_table = "authz_password"


class Guesses(models.Model):
    """How many wrong passwords there were for a name, from an address, or for a name from an address that it knows."""

    subject = models.CharField(max_length=400, primary_key=True)
    failures = models.IntegerField(default=0)
    failed_at = models.DateTimeField(null=True)
    locked_until = models.DateTimeField(null=True)
    trusted_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "authz_guesses"


class AuthorizationCode(models.Model):
    """A code that a client redeems for a token: the SHA-256 of it in hex, and whom and what it was given out for."""

    hash = models.CharField(max_length=64, primary_key=True)
    client = models.CharField(max_length=253)
    redirect_uri = models.TextField()
    username = models.CharField(max_length=600)
    user_uid = models.CharField(max_length=36)
    scopes = models.JSONField(default=list)
    challenge = models.CharField(max_length=128, default="")
    challenge_method = models.CharField(max_length=10, default="")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    gave = models.CharField(max_length=100, default="")

    class Meta:
        db_table = "authz_code"
        indexes = [models.Index(fields=["expires_at"], name="authz_code_expiry")]
