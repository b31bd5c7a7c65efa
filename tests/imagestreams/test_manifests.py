from __future__ import annotations

import copy
import json

import msgspec
import pytest

from imagestreams import formats, manifests
from imagestreams.manifests import ManifestError
from imagestreams.reference import PullSpec
from imagestreams.types import DockerImage, Image, ImageLayer, ImageManifest
from registry_meta.kube.meta import ObjectMeta
from tests.imagestreams.builders import NOW, digest
from tests.imagestreams.test_formats import signed

GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"
SOURCE = PullSpec.parse("quay.io/x/a:1")
CONFIG = json.dumps(
    {
        "id": "ignored",
        "parent": "parent-id",
        "created": "2026-01-02T03:04:05.678901234Z",
        "container_config": {"Hostname": "build", "Cmd": ["make"]},
        "docker_version": "20.10",
        "architecture": "arm64",
        "os": "linux",
        "config": {"User": "1001", "ExposedPorts": {"8080/tcp": {}}, "Env": ["A=b"], "Labels": {"l": "v"}},
        "rootfs": {"type": "layers"},
    }
)


def _manifest(*layers: tuple[str, int], config: str = CONFIG, media_type: str = formats.SCHEMA2) -> str:
    return json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"digest": formats.sha256(config.encode()), "size": len(config), "mediaType": "c"},
            "layers": [{"digest": name, "size": size, "mediaType": GZIP} for name, size in layers],
        }
    )


def _fetched(body: str, *, config: str = CONFIG, media_type: str = formats.SCHEMA2) -> Image:
    manifest = manifests.parse(media_type, body.encode())
    return manifests.image_from(manifest, source=SOURCE, now=NOW, config=config.encode())


def _wire(image: Image) -> dict[str, object]:
    found: dict[str, object] = msgspec.to_builtins(image.docker_image_metadata)
    return found


def test_metadata_comes_from_the_configuration() -> None:
    body = _manifest((digest("1"), 1000), (digest("2"), 200), (digest("1"), 1000))

    image = _fetched(body)

    assert image.metadata.name == formats.sha256(body.encode())
    assert image.metadata.annotations == {"image.openshift.io/dockerLayersOrder": "ascending"}
    assert image.docker_image_reference == f"quay.io/x/a@{image.metadata.name}"
    assert [layer.name for layer in image.docker_image_layers or []] == [digest("1"), digest("2"), digest("1")]
    assert _wire(image) == {
        "kind": "DockerImage",
        "apiVersion": "image.openshift.io/1.0",
        "Id": formats.sha256(CONFIG.encode()),
        "Parent": "parent-id",
        "Created": "2026-01-02T03:04:05Z",
        "ContainerConfig": {"Hostname": "build", "Cmd": ["make"]},
        "DockerVersion": "20.10",
        "Config": {"User": "1001", "ExposedPorts": {"8080/tcp": {}}, "Env": ["A=b"], "Labels": {"l": "v"}},
        "Architecture": "arm64",
        "Size": len(CONFIG) + 1200,
    }


def test_an_artifact_is_an_image_of_which_little_is_known() -> None:
    body = _manifest((digest("1"), 9), config="{}", media_type=formats.OCI_MANIFEST)

    assert _wire(_fetched(body, config="{}", media_type=formats.OCI_MANIFEST)) == {
        "kind": "DockerImage",
        "apiVersion": "image.openshift.io/1.0",
        "Id": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
        "Created": None,
        "ContainerConfig": {},
        "Size": 11,
    }


@pytest.mark.parametrize(
    ("config", "key", "value"),
    [
        ({"Labels": {"n": 1, "b": True, "s": "x", "o": {}}}, "Labels", {"n": "1", "b": "true", "s": "x"}),
        ({"Cmd": "run it"}, "Cmd", ["run it"]),
        ({"env": ["A=b", 7]}, "Env", ["A=b"]),
        ({"Env": {"A": "b"}}, "Env", None),
        ({"Volumes": ["/data"]}, "Volumes", None),
        ({"MEMORY": 12, "Tty": "yes"}, "Memory", 12),
    ],
)
def test_a_wrongly_typed_configuration_is_read_as_far_as_it_goes(
    config: dict[str, object], key: str, value: object
) -> None:
    text = json.dumps({"config": config})

    found = _wire(_fetched(_manifest(config=text), config=text))["Config"]

    assert isinstance(found, dict)
    assert found.get(key) == value


@pytest.mark.parametrize("created", ["yesterday", "", "0001-01-01T00:00:00Z", 7])
def test_a_time_that_is_none_is_null(created: object) -> None:
    text = json.dumps({"created": created})

    assert _wire(_fetched(_manifest(config=text), config=text))["Created"] is None


@pytest.mark.parametrize("config", ["", "this is no JSON", "[]"])
def test_a_configuration_that_is_none_is_refused(config: str) -> None:
    with pytest.raises(ManifestError, match="dockerImageConfig"):
        _fetched(_manifest(config=config), config=config)


def test_an_unknown_schema_is_refused() -> None:
    body = _manifest().replace('"schemaVersion": 2', '"schemaVersion": 3')

    with pytest.raises(ManifestError, match="unrecognized container image manifest schema 3"):
        _fetched(body)


def test_an_index_is_an_image_of_members() -> None:
    member = {"digest": digest("1"), "size": 5, "mediaType": "m", "platform": {"architecture": "amd64", "os": "linux"}}
    body = json.dumps({"schemaVersion": 2, "manifests": [member]}).encode()

    image = manifests.image_from(manifests.parse(formats.OCI_INDEX, body), source=SOURCE, now=NOW)

    assert image.metadata.annotations is None
    assert image.docker_image_manifest_media_type == formats.OCI_INDEX
    assert (image.docker_image_metadata.id, image.docker_image_metadata.created) == (
        formats.sha256(body),
        "2026-01-02T03:04:05Z",
    )
    assert msgspec.to_builtins(image.docker_image_manifests) == [
        {"digest": digest("1"), "mediaType": "m", "manifestSize": 5, "architecture": "amd64", "os": "linux"}
    ]


def _schema1(*layers: tuple[str, int | None], history: int | None = None) -> bytes:
    entries = [{"id": "5" * 64, "created": "2026-01-02T03:04:05Z", "Size": size} for _, size in layers]
    for entry, (_, size) in zip(entries, layers, strict=True):
        if size is None:
            del entry["Size"]
    texts = [{"v1Compatibility": json.dumps(entry)} for entry in entries][:history]
    return signed({"schemaVersion": 1, "fsLayers": [{"blobSum": name} for name, _ in layers], "history": texts})[0]


def test_the_layers_of_schema_1_are_turned_round() -> None:
    manifest = manifests.parse("", _schema1((digest("3"), 30), (digest("2"), 0), (digest("2"), 0), (digest("1"), 10)))
    assert isinstance(manifest, manifests.Schema1)

    image = manifests.image_from(manifest, source=SOURCE, now=NOW)

    assert [(layer.name, layer.size) for layer in image.docker_image_layers or []] == [
        (digest("1"), 10), (digest("2"), 0), (digest("2"), 0), (digest("3"), 30),
    ]  # fmt: skip
    assert image.docker_image_metadata.size == 40
    assert image.docker_image_metadata.id == "5" * 64
    assert image.docker_image_manifest_media_type == formats.SCHEMA1
    assert manifests.unsized_layers(manifest) == []


def test_sizes_that_schema_1_does_not_tell_are_asked_for() -> None:
    manifest = manifests.parse("", _schema1((digest("2"), None), (digest("1"), None), (digest("1"), None)))
    assert isinstance(manifest, manifests.Schema1)
    assert manifests.unsized_layers(manifest) == [digest("1"), digest("2")]

    image = manifests.image_from(manifest, source=SOURCE, now=NOW, blob_sizes={digest("1"): 10, digest("2"): 20})

    assert [layer.size for layer in image.docker_image_layers or []] == [10, 0, 20]
    assert image.docker_image_metadata.size == 30


@pytest.mark.parametrize(
    ("history", "words"), [(0, "image has no v1Compatibility history"), (1, r"fslayer cardinality \(1 != 2\)")]
)
def test_schema_1_needs_a_history_entry_for_each_layer(history: int, words: str) -> None:
    manifest = manifests.parse("", _schema1((digest("2"), 1), (digest("1"), 1), history=history))

    with pytest.raises(ManifestError, match=words):
        manifests.image_from(manifest, source=SOURCE, now=NOW)


def _arrived(body: str, *, config: str = CONFIG, media_type: str = "", name: str = "") -> Image:
    return Image(
        metadata=ObjectMeta(name=name or formats.sha256(body.encode())),
        docker_image_reference="quay.io/x/a",
        docker_image_manifest=body,
        docker_image_config=config,
        docker_image_manifest_media_type=media_type,
    )


def test_an_image_that_arrives_is_filled_like_one_that_was_fetched() -> None:
    body = _manifest((digest("1"), 1000))

    image = manifests.fill_metadata(_arrived(body), now=NOW)

    fetched = _fetched(body)
    assert image.docker_image_metadata == fetched.docker_image_metadata
    assert image.docker_image_layers == fetched.docker_image_layers
    assert image.docker_image_manifest_media_type == formats.SCHEMA2
    assert image.metadata.annotations == fetched.metadata.annotations


def test_filling_twice_is_filling_once() -> None:
    image = _arrived(_manifest((digest("1"), 1000)))
    before = copy.deepcopy(image)

    once = manifests.fill_metadata(image, now=NOW)

    assert manifests.fill_metadata(once, now=NOW) == once
    assert image == before


def test_without_a_manifest_nothing_is_touched() -> None:
    image = Image(docker_image_layers=[ImageLayer(name="b"), ImageLayer(name="a")])

    assert manifests.fill_metadata(image, now=NOW) is image
    assert image.metadata.annotations is None


@pytest.mark.parametrize(("order", "names"), [("ascending", "ab"), ("descending", "ba"), (None, "ab")])
def test_layers_are_put_in_rising_order(order: str | None, names: str) -> None:
    image = _arrived(_manifest())
    image.docker_image_layers = [ImageLayer(name="a", size=1), ImageLayer(name="b", size=1)]
    image.metadata.annotations = {manifests.LAYER_ORDER: order} if order else None

    filled = manifests.fill_metadata(image, now=NOW)

    assert "".join(layer.name for layer in filled.docker_image_layers or []) == names
    assert filled.metadata.annotations == {manifests.LAYER_ORDER: "ascending"}


def test_what_is_known_is_not_worked_out_again() -> None:
    image = _arrived("not JSON at all", media_type=formats.SCHEMA2)
    image.docker_image_layers = [ImageLayer(name="a", size=1)]
    image.docker_image_metadata = DockerImage(id="known", size=7)

    assert manifests.fill_metadata(image, now=NOW).docker_image_metadata.id == "known"


@pytest.mark.parametrize(
    ("body", "config", "words"),
    [
        ("{not json", "", "error unmarshalling content"),
        (_manifest(), "", 'dockerImageConfig must not be empty for manifest type "application/vnd.docker'),
        (_manifest(), "{", "failed to parse dockerImageConfig"),
        ('{"schemaVersion":3}', "", "unrecognized container image manifest schema 3"),
        ('{"schemaVersion":1}', "", "has a schema 1 manifest, but it doesn't have history"),
        ('{"schemaVersion":1,"fsLayers":[{"blobSum":"a"}]}', "", r"fslayer cardinality \(0 != 1\)"),
        (
            '{"schemaVersion":1,"fsLayers":[{"blobSum":"a"}],"history":[{"v1Compatibility":"no"}]}',
            "",
            "error unmarshalling content",
        ),
    ],
)
def test_a_manifest_that_cannot_be_understood_is_an_error(body: str, config: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        manifests.fill_metadata(_arrived(body, config=config), now=NOW)


def test_an_unsigned_schema_1_manifest_will_do_in_an_image() -> None:
    history = {"id": "c" * 64, "Size": 5, "config": {"Cmd": ["run"]}, "container_config": {"Cmd": ["x"]}}
    body = {
        "schemaVersion": 1,
        "fsLayers": [{"blobSum": digest("c")}],
        "history": [{"v1Compatibility": json.dumps(history)}],
    }

    image = manifests.fill_metadata(_arrived(json.dumps(body), config=""), now=NOW)

    assert (image.docker_image_metadata.size, image.docker_image_metadata.id) == (5, "c" * 64)
    assert image.docker_image_manifest_media_type == formats.SCHEMA1


def test_metadata_that_were_sent_are_stored_in_one_form() -> None:
    image = Image(docker_image_metadata=DockerImage(api_version="1.0", kind="", created="2026-01-02T04:04:05.9+01:00"))

    manifests.default_image(image)

    assert image.docker_image_metadata == DockerImage(created="2026-01-02T03:04:05Z")
    assert image.docker_image_metadata_version == "1.0"


LIST = json.dumps(
    {"schemaVersion": 2, "mediaType": formats.DOCKER_LIST, "manifests": [{"digest": digest("1"), "size": 5}]}
)


def test_a_list_that_arrives_tells_its_members_and_its_name() -> None:
    image = manifests.fill_metadata(_arrived(LIST), now=NOW)
    manifests.fill_members(image)

    assert [member.digest for member in image.docker_image_manifests or []] == [digest("1")]
    metadata = image.docker_image_metadata
    assert (metadata.id, metadata.created) == (image.metadata.name, "2026-01-02T03:04:05Z")


@pytest.mark.parametrize("body", ["", _manifest()])
def test_what_is_no_list_keeps_the_members_that_were_sent(body: str) -> None:
    image = _arrived(body)
    image.docker_image_manifests = [ImageManifest(digest="sent")]

    manifests.fill_members(image)

    assert image.docker_image_manifests == [ImageManifest(digest="sent")]
