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
