"""The tables of the domain: tag ledger, what images consist of, due imports, followed tags, deliveries of triggers."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

# Digests of every algorithm in use fit; names have the length that the machinery gives them.
DIGEST = 200
NAMESPACE = 253
NAME = 600


class TagEvent(models.Model):
    """One move of a tag, written in the transaction of the change and never rewritten: the tag ledger.

    `digest` and `reference` are both empty when the tag was removed, the previous ones when it was new; a tag that is
    only a reference has no digest. `first_seen` is when the stream first had this digest; `version` is the
    resourceVersion that the move gave to the stream, and `generation` the one that the move fulfils. Of the moves of a
    tag in one version, `position` counts from the oldest.
    """

    namespace = models.CharField(max_length=NAMESPACE)
    stream = models.CharField(max_length=NAME)
    stream_uid = models.CharField(max_length=36)
    tag = models.CharField(max_length=NAME)
    digest = models.CharField(max_length=DIGEST, default="")
    reference = models.TextField(default="")
    previous_digest = models.CharField(max_length=DIGEST, default="")
    previous_reference = models.TextField(default="")
    first_seen = models.DateTimeField()
    moved_at = models.DateTimeField()
    actor = models.CharField(max_length=NAME, default="")
    reason = models.CharField(max_length=200, default="")
    version = models.BigIntegerField()
    generation = models.BigIntegerField(default=0)
    position = models.IntegerField(default=0, db_default=0)

    class Meta:
        db_table = "imagestreams_tag_event"
        constraints = [
            models.UniqueConstraint(fields=["version", "tag", "position"], name="tag_event_moves"),
        ]
        indexes = [
            models.Index(fields=["namespace", "stream", "tag", "version"], name="tag_event_history"),
            models.Index(fields=["namespace", "stream", "version"], name="tag_event_stream"),
            models.Index(fields=["digest", "stream_uid"], name="tag_event_digest"),
        ]


class ImageMember(models.Model):
    """A manifest list that names another image, kept in the transactions that write the list."""

    image = models.CharField(max_length=NAME)
    member = models.CharField(max_length=NAME)
    platform = models.TextField(default="")
    since = models.DateTimeField()

    class Meta:
        db_table = "imagestreams_image_member"
        constraints = [
            models.UniqueConstraint(fields=["image", "member"], name="image_member_once"),
        ]
        indexes = [
            models.Index(fields=["member"], name="image_member_member"),
        ]


class ImageBlobs(models.Model):
    """The blobs of an image (`blobs.Blobs` as JSON), kept in the transactions that write it.

    They are a small part of the image's document, whose manifest and configuration nobody reads who asks for layers.
    """

    image = models.CharField(max_length=NAME)
    blobs = models.TextField()

    class Meta:
        db_table = "imagestreams_image_blobs"
        constraints = [
            models.UniqueConstraint(fields=["image"], name="image_blobs_once"),
        ]


class DueImport(models.Model):
    """An import that is to be done: one row a stream for what its spec asks, one for the end of a hold.

    `version` is that of the newest change that asked for it. Whoever works on a row holds it until `leased_until`. With
    `repository` the whole repository of the stream is asked for again, because a registry failed.
    """

    namespace = models.CharField(max_length=NAMESPACE)
    name = models.CharField(max_length=NAME)
    scheduled = models.BooleanField(default=False)
    repository = models.BooleanField(default=False, db_default=False)
    version = models.BigIntegerField()
    due_at = models.DateTimeField()
    attempts = models.IntegerField(default=0)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "imagestreams_due_import"
        constraints = [
            models.UniqueConstraint(fields=["namespace", "name", "scheduled"], name="due_import_stream"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="due_import_time"),
        ]


class ScheduledTag(models.Model):
    """A tag that the clock looks after: what its registry is asked, when, and what came of it the last time.

    `interval` is in seconds; 0 is a tag that is on no schedule, and is looked after until its registry has recovered.
    `digest` is what the registry gave for the tag when it was last imported, empty when that has to be found out by an
    import; it holds while the wish (`wish`) and what the tag points to (`standing`) stay. `due_at` was decided at
    `settled_at`. Of `failures` in a row the last was of the kind `fault`. `version` is that of the newest change
    of the stream that changed the row, and `stamp` grows when anybody changes it but who holds it until
    `leased_until`.
    """

    namespace = models.CharField(max_length=NAMESPACE)
    stream = models.CharField(max_length=NAME)
    tag = models.CharField(max_length=NAME)
    host = models.CharField(max_length=NAMESPACE)
    repository = models.CharField(max_length=NAME)
    reference = models.CharField(max_length=NAME)
    pullspec = models.TextField()
    insecure = models.BooleanField(default=False)
    wish = models.CharField(max_length=64)
    interval = models.IntegerField()
    digest = models.CharField(max_length=DIGEST, default="")
    standing = models.CharField(max_length=DIGEST, default="")
    due_at = models.DateTimeField()
    settled_at = models.DateTimeField()
    failures = models.IntegerField(default=0)
    fault = models.CharField(max_length=20, default="")
    version = models.BigIntegerField()
    stamp = models.IntegerField(default=0)
    holder = models.CharField(max_length=32, default="")
    leased_until = models.DateTimeField(null=True)

    class Meta:
        db_table = "imagestreams_scheduled_tag"
        constraints = [
            models.UniqueConstraint(fields=["namespace", "stream", "tag"], name="scheduled_tag_once"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="scheduled_tag_time"),
            models.Index(fields=["host", "repository", "reference"], name="scheduled_tag_source"),
        ]


class PausedHost(models.Model):
    """A registry that is left alone until a moment, because it asked for that or failed several times (`failures`)."""

    host = models.CharField(max_length=NAMESPACE, primary_key=True)
    since = models.DateTimeField()
    until = models.DateTimeField()
    failures = models.IntegerField(default=0)

    class Meta:
        db_table = "imagestreams_paused_host"


class UpstreamRepository(models.Model):
    """A repository whose tags are followed: when its tags were first listed, all of them, and when last.

    What was seen over connections that anybody may have answered (`insecure`) is a repository of its own. `present` is
    how many tags it had; a list that is far shorter has come `doubts` times, last at `doubted_at`.
    """

    host = models.CharField(max_length=300)
    path = models.CharField(max_length=300)
    insecure = models.BooleanField(default=False)
    first_listed = models.DateTimeField(null=True)
    listed_at = models.DateTimeField(null=True)
    present = models.IntegerField(default=0)
    doubts = models.IntegerField(default=0)
    doubted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "imagestreams_upstream_repository"
        constraints = [
            models.UniqueConstraint(fields=["host", "path", "insecure"], name="upstream_repository_once"),
        ]
        indexes = [
            models.Index(fields=["listed_at"], name="upstream_repository_age"),
        ]


class UpstreamTag(models.Model):
    """A tag of a followed repository: when it was first seen here, whatever others say of its age.

    It was seen whenever the repository was listed, up to `gone_since`; `existing` ones were there at the first listing.
    """

    repository = models.ForeignKey(UpstreamRepository, on_delete=models.CASCADE, db_index=False)
    tag = models.CharField(max_length=128)
    first_seen = models.DateTimeField()
    existing = models.BooleanField(default=False)
    gone_since = models.DateTimeField(null=True)

    class Meta:
        db_table = "imagestreams_upstream_tag"
        constraints = [
            models.UniqueConstraint(fields=["repository", "tag"], name="upstream_tag_once"),
        ]
        indexes = [
            models.Index(fields=["repository", "gone_since"], name="upstream_tag_gone"),
        ]


class UpstreamDigest(models.Model):
    """A digest that a tag of a followed repository was seen to have; learnt only of tags that may be elected."""

    repository = models.ForeignKey(UpstreamRepository, on_delete=models.CASCADE, db_index=False)
    tag = models.CharField(max_length=128)
    digest = models.CharField(max_length=DIGEST)
    first_seen = models.DateTimeField()

    class Meta:
        db_table = "imagestreams_upstream_digest"
        constraints = [
            models.UniqueConstraint(fields=["repository", "tag", "digest"], name="upstream_digest_once"),
        ]


class FollowedTag(models.Model):
    """What a tag that follows a rule was last found to stand for: the mark that it never goes below.

    It is written in the transaction that lets the tag point there. `upstream_tag` is empty before the first time, and
    `digest` is what it was seen to have then; `image` and `wish` say what the tag pointed to, and by which wish.
    `wakes_at` is when another tag will be old enough.
    """

    namespace = models.CharField(max_length=NAMESPACE)
    stream = models.CharField(max_length=NAME)
    stream_uid = models.CharField(max_length=36)
    tag = models.CharField(max_length=NAME)
    repository = models.CharField(max_length=NAME)
    upstream_tag = models.CharField(max_length=128, default="")
    digest = models.CharField(max_length=DIGEST, default="")
    image = models.CharField(max_length=NAME, default="")
    wish = models.CharField(max_length=64, default="")
    elected_at = models.DateTimeField(null=True)
    wakes_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "imagestreams_followed_tag"
        constraints = [
            models.UniqueConstraint(fields=["namespace", "stream", "tag"], name="followed_tag_once"),
        ]


class Subscription(models.Model):
    """What an ImageTrigger listens to, kept in the transactions that write the trigger.

    Moves up to the version `since` are none of its business; those up to `resumed` came while it was paused. Whether
    it can tell is to be looked at when `changed`, the version of its spec or its Secret, is ahead of `checked`.
    """

    trigger_uid = models.CharField(max_length=36, primary_key=True)
    namespace = models.CharField(max_length=NAMESPACE)
    name = models.CharField(max_length=NAME)
    from_namespace = models.CharField(max_length=NAMESPACE)
    stream = models.CharField(max_length=NAME)
    tag = models.CharField(max_length=NAME)
    secret = models.CharField(max_length=NAME, default="")
    paused = models.BooleanField(default=False)
    since = models.BigIntegerField()
    resumed = models.BigIntegerField(default=0)
    changed = models.BigIntegerField()
    checked = models.BigIntegerField(default=0)

    class Meta:
        db_table = "imagestreams_subscription"
        indexes = [
            models.Index(fields=["from_namespace", "stream", "tag"], name="subscription_source"),
            models.Index(fields=["namespace", "secret"], name="subscription_secret"),
            models.Index(fields=["changed"], name="subscription_unchecked", condition=Q(changed__gt=F("checked"))),
        ]


class Delivery(models.Model):
    """One event for one trigger: what is told, and how far the telling has come.

    A row is `held` while later moves may still replace what it tells, because its trigger is paused. `waiting_since`
    is from when its 24 hours count, and whoever works on it holds it until `leased_until`.
    """

    class State(models.TextChoices):
        """Where a delivery stands; all but the first are final."""

        PENDING = "pending"
        DELIVERED = "delivered"
        GIVEN_UP = "given up"
        SKIPPED = "skipped"

    trigger_uid = models.CharField(max_length=36)
    version = models.BigIntegerField()
    namespace = models.CharField(max_length=NAMESPACE)
    stream = models.CharField(max_length=NAME)
    tag = models.CharField(max_length=NAME)
    digest = models.CharField(max_length=DIGEST, default="")
    reference = models.TextField(default="")
    previous_digest = models.CharField(max_length=DIGEST, default="")
    previous_reference = models.TextField(default="")
    reason = models.CharField(max_length=200, default="")
    actor = models.CharField(max_length=NAME, default="")
    moved_at = models.DateTimeField()
    held = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.IntegerField(default=0)
    waiting_since = models.DateTimeField()
    due_at = models.DateTimeField()
    leased_until = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=300, default="")
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "imagestreams_delivery"
        constraints = [
            models.UniqueConstraint(fields=["trigger_uid", "version"], name="delivery_once"),
        ]
        indexes = [
            models.Index(fields=["due_at"], name="delivery_pending", condition=Q(state="pending")),
            models.Index(fields=["trigger_uid", "version"], name="delivery_queue", condition=Q(state="pending")),
            models.Index(fields=["finished_at"], name="delivery_age"),
        ]
