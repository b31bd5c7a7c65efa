from __future__ import annotations

import copy

import pytest

from imagestreams import validation
from imagestreams.types import (
    Image,
    ImageImportSpec,
    ImageLayer,
    ImageManifest,
    ImageSignature,
    ImageStream,
    ImageStreamImport,
    ImageStreamImportSpec,
    ImageStreamMapping,
    ImageStreamTag,
    ImageTag,
    LocalObjectReference,
    NamedTagEventList,
    RepositoryImportSpec,
    SignatureCondition,
    SignatureIssuer,
    TagImportPolicy,
    TagReference,
)
from registry_meta.kube.errors import FieldError
from registry_meta.kube.meta import ObjectMeta, ObjectReference
from tests.imagestreams.builders import digest, event, stream, wish

A1 = "quay.io/x/a:1"


def _texts(problems: list[FieldError]) -> list[str]:
    return [str(problem) for problem in problems]


@pytest.mark.parametrize("name", ["a", "a-b", "a.b_c", "0"])
def test_a_stream_may_be_called_like_a_repository(name: str) -> None:
    assert validation.stream_name(name) == []


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("App", 'must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"'),
        ("a--b", 'must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"'),
        ("a-", 'must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"'),
        ("a\n", 'must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"'),
        ("é", 'must match "[a-z0-9]+(?:[._-][a-z0-9]+)*"'),
        (".", "may not be '.'"),
        ("..", "may not be '..'"),
        ("a/b", "may not contain '/'"),
        ("a%b", "may not contain '%'"),
    ],
)
def test_what_a_stream_may_not_be_called(name: str, fault: str) -> None:
    assert validation.stream_name(name) == [fault]


KINDS = "valid values are 'DockerImage', 'ImageStreamImage', 'ImageStreamTag'"
MODES = "invalid import mode, valid modes are '', 'Legacy', 'PreserveOriginal'"
SCHEDULED = "only tags pointing to Docker repositories may be scheduled for background import"


def _empty_source() -> TagReference:
    tag = wish("t", A1)
    tag.from_ = ObjectReference()
    return tag


@pytest.mark.parametrize(
    ("tag", "problems"),
    [
        (wish("t"), []),
        (wish("t", A1, policy="Local", mode="PreserveOriginal", scheduled=True), []),
        (wish("t", f"quay.io/x/a@{digest('a')}", scheduled=True), []),
        (wish("t", "x", kind="Pod"), [f"spec.tags[t].from.kind: Required value: {KINDS}"]),
        (
            _empty_source(),
            ["spec.tags[t].from.name: Required value", f"spec.tags[t].from.kind: Required value: {KINDS}"],
        ),
        (
            wish("t", "quay.io/Example/App"),
            ['spec.tags[t].from.name: Invalid value: "quay.io/Example/App": repository name must be lowercase'],
        ),
        (
            wish("t", "x:y", kind="ImageStreamTag", scheduled=True),
            [f"spec.tags[t].importPolicy.scheduled: Invalid value: true: {SCHEDULED}"],
        ),
        (
            wish("t", "a//b", policy="Remote", mode="Partial"),
            [
                'spec.tags[t].from.name: Invalid value: "a//b": invalid reference format',
                'spec.tags[t].referencePolicy.type: Invalid value: "Remote": valid values are "Source", "Local"',
                f'spec.tags[t].importPolicy.importMode: Invalid value: "Partial": {MODES}',
            ],
        ),
    ],
)
def test_the_wish_for_a_tag_is_held_to_the_rules(tag: TagReference, problems: list[str]) -> None:
    assert _texts(validation.image_stream(stream("app", tag))) == problems


@pytest.mark.parametrize(
    ("repository", "fault"),
    [
        ("quay.io/x/a", None),
        ("quay.io/x/a:1", "the repository name may not contain a tag"),
        (f"quay.io/x/a@{digest('a')}", "the repository name may not contain an ID"),
        ("quay.io//a", "invalid reference format"),
    ],
)
def test_the_repository_of_a_stream_is_held_to_the_rules(repository: str, fault: str | None) -> None:
    app = stream()
    app.spec.docker_image_repository = repository

    expected = [f'spec.dockerImageRepository: Invalid value: "{repository}": {fault}'] if fault else []
    assert _texts(validation.image_stream(app)) == expected


@pytest.mark.parametrize(("length", "valid"), [(250, True), (251, False)])
def test_namespace_and_name_have_a_limit(length: int, valid: bool) -> None:
    problems = validation.image_stream(stream("n" * length, namespace="shop"))

    assert [problem.field for problem in problems] == ([] if valid else ["metadata.name"])


def _history(*references: str) -> ImageStream:
    app = stream()
    items = [event("a", reference=reference) for reference in references]
    for item, reference in zip(items, references, strict=True):
        item.docker_image_reference = reference
    app.status.tags = [NamedTagEventList(tag="a", items=items)]
    return app


def test_a_history_names_pull_specs() -> None:
    assert _texts(validation.image_stream(_history("", "a//b", A1))) == [
        "status.tags[a].items[0].dockerImageReference: Required value",
        'status.tags[a].items[1].dockerImageReference: Invalid value: "a//b": invalid reference format',
    ]


def test_the_status_path_looks_only_at_what_is_new() -> None:
    assert _texts(validation.image_stream_status(_history("", "b//c"), _history("b//c"))) == [
        'status.tags[a].items[0].dockerImageReference: Invalid value: "":'
        " repository name must have at least one component"
    ]


def _stream_tag(tag: TagReference | None = None, *, meta: dict[str, object] | None = None) -> ImageStreamTag:
    known = ObjectMeta(name="app:v1", namespace="shop", uid="u", resource_version="3", labels={"a": "b"})
    for key, value in (meta or {}).items():
        setattr(known, key, value)
    return ImageStreamTag(metadata=known, tag=tag)


def test_annotations_are_given_in_one_place() -> None:
    tag = wish("v1", A1)
    tag.annotations = {"a": "1"}

    assert validation.image_stream_tag(_stream_tag(tag, meta={"annotations": {"a": "1"}})) == []
    assert _texts(validation.image_stream_tag(_stream_tag(tag))) == [
        'tag.annotations: Invalid value: "<map>": tag annotations must not be provided or must be equal to the'
        " object meta annotations"
    ]


FIXED = 'metadata: Invalid value: "": may not update fields other than metadata.annotations'


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"annotations": {"x": "y"}}, []),
        ({"uid": "", "resource_version": ""}, []),
        ({"labels": {"other": "1"}}, [FIXED]),
        ({"finalizers": ["x"]}, [FIXED]),
    ],
)
def test_of_a_stream_tag_only_annotations_and_source_change(changes: dict[str, object], problems: list[str]) -> None:
    assert _texts(validation.image_stream_tag_update(_stream_tag(meta=changes), _stream_tag())) == problems


def test_a_stream_tag_is_held_to_the_rules_of_tags() -> None:
    assert _texts(validation.image_stream_tag(_stream_tag(wish("v1", "a//b")))) == [
        'tag.from.name: Invalid value: "a//b": invalid reference format'
    ]


def _image_tag(spec: TagReference | None, *, name: str = "app:v1", **meta: object) -> ImageTag:
    known = ObjectMeta(name=name, namespace="shop", labels={"a": "b"})
    for key, value in meta.items():
        setattr(known, key, value)
    return ImageTag(metadata=known, spec=spec)


@pytest.mark.parametrize(
    ("tag", "problems"),
    [
        (_image_tag(wish("v1", A1)), []),
        (_image_tag(None), ["spec: Required value: spec is a required field during creation"]),
        (_image_tag(wish("v2", A1)), ['spec.name: Invalid value: "v2": must match image tag name']),
        (_image_tag(wish("v1", A1), name="app"), ['spec.name: Invalid value: "v1": must match image tag name']),
        (_image_tag(wish("v1", "a//b")), ['spec.from.name: Invalid value: "a//b": invalid reference format']),
    ],
)
def test_an_image_tag_is_held_to_the_rules(tag: ImageTag, problems: list[str]) -> None:
    assert _texts(validation.image_tag(tag)) == problems


def test_of_an_image_tag_only_the_spec_changes() -> None:
    old = _image_tag(wish("v1", A1))
    labelled, marked, unmanaged = _image_tag(None, labels={}), copy.deepcopy(old), copy.deepcopy(old)
    marked.status = NamedTagEventList(tag="v1")
    marked.metadata.annotations = {"a": "b"}
    old.metadata.managed_fields = []

    assert _texts(validation.image_tag_update(unmanaged, old)) == []
    assert _texts(validation.image_tag_update(labelled, old)) == [
        'metadata: Invalid value: "": may not update fields other than spec'
    ]
    assert [problem.field for problem in validation.image_tag_update(marked, old)] == ["metadata", "status"]


def _member(**changes: object) -> ImageManifest:
    member = ImageManifest(
        digest=digest("1"), media_type="application/x.y+json", manifest_size=1, architecture="amd64", os="linux"
    )
    for key, value in changes.items():
        setattr(member, key, value)
    return member


@pytest.mark.parametrize(
    ("image", "fields"),
    [
        (Image(docker_image_reference="quay.io/x/a"), []),
        (Image(), ["dockerImageReference"]),
        (Image(docker_image_reference="\\"), ["dockerImageReference"]),
        (Image(docker_image_reference="a", docker_image_manifests=[_member()]), []),
        (Image(docker_image_reference="a", docker_image_manifests=[_member(digest="sha256:short")]), ["digest"]),
        (Image(docker_image_reference="a", docker_image_manifests=[_member(media_type="text")]), ["mediaType"]),
        (Image(docker_image_reference="a", docker_image_manifests=[_member(architecture="")]), ["architecture"]),
        (Image(docker_image_reference="a", docker_image_manifests=[_member(os="")]), ["os"]),
        (Image(docker_image_reference="a", docker_image_manifests=[_member(manifest_size=-1)]), ["size"]),
        (
            Image(docker_image_reference="a", docker_image_manifests=[_member()], docker_image_layers=[ImageLayer()]),
            ["dockerImageLayers"],
        ),
    ],
)
def test_an_image_is_held_to_the_rules(image: Image, fields: list[str]) -> None:
    found = [problem.field for problem in validation.image(image)]

    assert found == [field if field.startswith("docker") else f"dockerImageManifests[0].{field}" for field in fields]


def _signature(**changes: object) -> ImageSignature:
    signature = ImageSignature(metadata=ObjectMeta(name="image@one"), type="AtomicImageV1", content="eA==")
    for key, value in changes.items():
        setattr(signature, key, value)
    return signature


def _found(kind: str, status: str, probed: str = "2026-01-01T00:00:00Z") -> SignatureCondition:
    return SignatureCondition(type=kind, status=status, last_probe_time=probed)


TRUSTED = [_found("Trusted", "True"), _found("ForImage", "True")]
DOUBTED = [*TRUSTED, _found("Trusted", "Unknown", "2026-01-02T00:00:00Z")]


@pytest.mark.parametrize(
    ("signature", "fields"),
    [
        (_signature(), []),
        (_signature(conditions=TRUSTED, issued_by=SignatureIssuer(common_name="c"), image_identity="i"), []),
        (_signature(conditions=DOUBTED, image_identity="i"), ["imageIdentity"]),
        (_signature(conditions=TRUSTED[:1]), ["conditions"]),
        (_signature(conditions=TRUSTED[1:]), ["conditions"]),
        (_signature(conditions=[_found("Expired", "True")]), []),
        (_signature(signed_claims={"a": "b"}), ["signedClaims"]),
        (_signature(type=""), ["type"]),
        (_signature(content=None), ["content"]),
        (_signature(metadata=ObjectMeta(name="one"), type=""), ["metadata.name", "type"]),
        (_signature(metadata=ObjectMeta(name="a@b@c")), ["metadata.name"]),
        (
            _signature(metadata=ObjectMeta(name="a@b", labels={"a": "b"}, annotations={"a": "b"})),
            ["metadata.labels", "metadata.annotations"],
        ),
    ],
)
def test_a_signature_is_held_to_the_rules(signature: ImageSignature, fields: list[str]) -> None:
    image = Image(docker_image_reference="a", signatures=[signature])

    assert [problem.field for problem in validation.image_signature(signature)] == fields
    assert [problem.field for problem in validation.image(image)] == [f"signatures[0].{field}" for field in fields]


def test_a_push_names_a_tag_and_an_image() -> None:
    mapping = ImageStreamMapping(image=Image(docker_image_reference="a//b"))

    assert [problem.field for problem in validation.image_stream_mapping(mapping)] == [
        "tag",
        "image.dockerImageReference",
    ]


def _entry(name: str, *, kind: str = "DockerImage", to: str | None = None, mode: str = "") -> ImageImportSpec:
    return ImageImportSpec(
        from_=ObjectReference(kind=kind, name=name),
        to=LocalObjectReference(name=to) if to is not None else None,
        import_policy=TagImportPolicy(import_mode=mode),
    )


@pytest.mark.parametrize(
    ("entries", "problems"),
    [
        ([_entry(A1), _entry("*", mode="Odd")], []),
        (
            [_entry("a:b", kind="Pod")],
            ['spec.images[0].from.kind: Invalid value: "Pod": only DockerImage is supported'],
        ),
        ([_entry("")], ["spec.images[0].from.name: Required value"]),
        (
            [_entry("a b", to="", mode="Everything")],
            [
                'spec.images[0].to.name: Invalid value: "": the name of the target tag must be specified',
                'spec.images[0].from.name: Invalid value: "a b": invalid reference format',
                f'spec.images[0].importPolicy.importMode: Invalid value: "Everything": {MODES}',
            ],
        ),
        (
            [],
            ["spec.images: Invalid value: null: you must specify at least one image or a repository import"],
        ),
    ],
)
def test_images_to_import_are_held_to_the_rules(entries: list[ImageImportSpec], problems: list[str]) -> None:
    request = ImageStreamImport(spec=ImageStreamImportSpec(images=entries))

    assert _texts(validation.image_stream_import(request)) == problems


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        (ObjectReference(kind="DockerImage", name="quay.io/x/a"), None),
        (
            ObjectReference(kind="DockerImage", name=A1),
            f'from.name: Invalid value: "{A1}": you must specify an image repository, not a tag or ID',
        ),
        (ObjectReference(kind="DockerImage"), "from.name: Required value: container image references require a name"),
        (ObjectReference(), 'from.kind: Invalid value: "": only DockerImage is supported'),
    ],
)
def test_a_repository_to_import_is_held_to_the_rules(source: ObjectReference, problem: str | None) -> None:
    request = ImageStreamImport(spec=ImageStreamImportSpec(repository=RepositoryImportSpec(from_=source)))

    assert _texts(validation.image_stream_import(request)) == ([f"spec.repository.{problem}"] if problem else [])
