"""OpenAPI documents: schemas and operations derived from declarations, and how they are sent."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
import pytest
from django.test import RequestFactory

from registry_meta.kube import openapi, openapi_gnostic
from registry_meta.kube.catalog import catalog
from registry_meta.kube.errors import StatusError
from registry_meta.kube.meta import KubeObject, KubeStruct, ObjectReference, Time, always
from registry_meta.kube.openapi_documents import version_2, version_3
from registry_meta.kube.openapi_schemas import KIND, Definitions, definition_name
from registry_meta.kube.openapi_text import describe
from registry_meta.kube.resource import Resource, Subresource

MERGED = msgspec.Meta(extra={"patch_strategy": "merge", "patch_merge_key": "name"})


class Part(KubeStruct):
    """One part of a gadget."""

    name: str = always("")  # type: ignore[assignment]  # msgspec.field returns its default's type
    maker: ObjectReference | None = None
    parts: list[Part] | None = None
    since: Time | None = None


class GadgetSpec(KubeStruct):
    """The parts that a gadget is wished to have."""

    size: int
    parts: Annotated[list[Part] | None, MERGED] = None
    makers: Annotated[list[ObjectReference] | None, MERGED] = None
    words: dict[str, str] | None = None
    anything: dict[str, object] | None = None
    ratio: float = 0
    hidden: Annotated[bool, msgspec.Meta(description="Whether nobody sees it.")] = False


class Gadget(KubeObject):
    """A gadget."""

    spec: GadgetSpec | None = None


class GadgetReview(KubeObject):
    """A question about gadgets."""

    allowed: bool = False


class Stored:
    """Has the methods of every verb."""

    get = list = watch = create = update = delete = delete_collection = staticmethod(lambda: None)


class Asked:
    create = staticmethod(lambda: None)


class Shown:
    get = staticmethod(lambda: None)


def kind(type_: type[Any], storage: object, *, group: str = "gadgets.openshift.io", **more: Any) -> Resource:
    name = type_.__name__
    return Resource(
        group=group,
        version="v1",
        kind=name,
        plural=f"{name.lower()}s",
        singular=name.lower(),
        type=type_,
        storage=storage,
        **{"namespaced": True, **more},
    )


SCALE = Subresource(name="scale", storage=Shown(), type=GadgetReview, kind="Scale", group="autoscaling.k8s.io")
SECRETS = Subresource(name="secrets", storage=Shown(), type=KubeObject, kind="SecretList", group="")
GADGETS = kind(Gadget, Stored(), subresources=(SCALE, SECRETS))
REVIEWS = kind(GadgetReview, Asked(), namespaced=False)
KINDS = [GADGETS, REVIEWS]
PREFIX = "com.github.openshift.api.gadgets.v1"
BASE = "/apis/gadgets.openshift.io/v1"
ITEM = f"{BASE}/namespaces/{{namespace}}/gadgets/{{name}}"


@pytest.fixture(scope="module")
def schemas() -> dict[str, Any]:
    return Definitions(KINDS).schemas


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return version_3(KINDS, Definitions(KINDS))


@pytest.fixture(scope="module")
def swagger() -> dict[str, Any]:
    return version_2(KINDS, Definitions(KINDS))


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("", "io.k8s.api.core.v1.Secret"),
        ("rbac.authorization.k8s.io", "io.k8s.api.rbac.v1.Secret"),
        ("image.openshift.io", "com.github.openshift.api.image.v1.Secret"),
        ("gadgets.example.com", "com.example.gadgets.v1.Secret"),
    ],
)
def test_definitions_are_named_as_clients_know_them(group: str, name: str) -> None:
    assert definition_name(group, "v1", "Secret") == name


def test_a_kind_has_its_type_and_names_itself(schemas: dict[str, Any]) -> None:
    gadget = schemas[f"{PREFIX}.Gadget"]

    assert gadget["description"] == "A gadget."
    assert list(gadget["properties"]) == ["apiVersion", "kind", "metadata", "spec"]
    assert gadget[KIND] == [{"group": "gadgets.openshift.io", "kind": "Gadget", "version": "v1"}]
    assert schemas[f"{PREFIX}.GadgetList"]["properties"]["items"]["items"] == {"$ref": f"{PREFIX}.Gadget"}


def test_fields_have_types_and_words(schemas: dict[str, Any]) -> None:
    fields = schemas[f"{PREFIX}.GadgetSpec"]["properties"]

    assert fields["size"] == {"type": "integer", "format": "int64"}
    assert fields["ratio"] == {"type": "number", "format": "double"}
    assert fields["hidden"] == {"type": "boolean", "description": "Whether nobody sees it."}
    assert fields["words"] == {"type": "object", "additionalProperties": {"type": "string"}}
    assert fields["anything"] == {"type": "object"}
    assert fields["parts"]["description"] == "One part of a gadget."
    assert schemas[f"{PREFIX}.Part"]["properties"]["since"] == {"type": "string", "format": "date-time"}


def test_a_type_may_hold_itself(schemas: dict[str, Any]) -> None:
    parts = schemas[f"{PREFIX}.Part"]["properties"]["parts"]

    assert parts["items"] == {"$ref": f"{PREFIX}.Part"}


def test_lists_that_are_merged_say_by_what(schemas: dict[str, Any]) -> None:
    parts = schemas[f"{PREFIX}.GadgetSpec"]["properties"]["parts"]

    assert (parts["x-kubernetes-patch-strategy"], parts["x-kubernetes-patch-merge-key"]) == ("merge", "name")


def test_only_what_is_always_there_is_required(schemas: dict[str, Any]) -> None:
    assert schemas[f"{PREFIX}.Part"]["required"] == ["name"]
    assert schemas[f"{PREFIX}.GadgetSpec"]["required"] == ["size"]
    assert "required" not in schemas["io.k8s.api.core.v1.ObjectReference"]


def test_an_application_describes_the_fields_of_its_types() -> None:
    class Described(KubeObject):
        """Described elsewhere."""

        color: str = ""

    describe({Described: {"color": "The color that it has."}})

    schema = Definitions([kind(Described, Stored())]).schemas[f"{PREFIX}.Described"]
    assert schema["properties"]["color"]["description"] == "The color that it has."


def test_types_of_the_same_name_are_kept_apart() -> None:
    def make(field: str) -> type[msgspec.Struct]:
        return msgspec.defstruct("Same", [(field, str, "")], bases=(KubeStruct,))

    holder = msgspec.defstruct(
        "Holder", [("one", make("a") | None, None), ("two", make("b") | None, None)], bases=(KubeObject,), kw_only=True
    )

    schemas = Definitions([kind(holder, Stored())]).schemas
    assert list(schemas[f"{PREFIX}.Same"]["properties"]) == ["a"]
    assert list(schemas[f"{PREFIX}.Same1"]["properties"]) == ["b"]


def test_paths_and_operations_follow_the_verbs(document: dict[str, Any]) -> None:
    found = {
        (path, method): item[method]["x-kubernetes-action"]
        for path, item in document["paths"].items()
        for method in item
        if method != "parameters"
    }

    collection = ITEM.removesuffix("/{name}")
    assert found == {
        (f"{BASE}/gadgets", "get"): "list",
        (collection, "get"): "list",
        (collection, "post"): "post",
        (collection, "delete"): "deletecollection",
        (ITEM, "get"): "get",
        (ITEM, "put"): "put",
        (ITEM, "patch"): "patch",
        (ITEM, "delete"): "delete",
        (f"{ITEM}/scale", "get"): "get",
        (f"{ITEM}/secrets", "get"): "get",
        (f"{BASE}/gadgetreviews", "post"): "post",
    }


def test_operations_have_ids_of_their_own(document: dict[str, Any]) -> None:
    ids = [
        operation["operationId"]
        for item in document["paths"].values()
        for method, operation in item.items()
        if method != "parameters"
    ]

    assert len(set(ids)) == len(ids)
    assert "patchGadgetsOpenshiftIoV1NamespacedGadget" in ids


def test_a_patch_shows_that_the_server_validates(document: dict[str, Any]) -> None:
    patch = document["paths"][ITEM]["patch"]

    assert patch[KIND] == {"group": "gadgets.openshift.io", "kind": "Gadget", "version": "v1"}
    assert {"dryRun", "fieldManager", "fieldValidation", "force"} <= {item["name"] for item in patch["parameters"]}
    assert "application/strategic-merge-patch+json" in patch["requestBody"]["content"]


def test_a_subresource_is_of_its_own_kind(document: dict[str, Any]) -> None:
    scale = document["paths"][f"{ITEM}/scale"]["get"]
    secrets = document["paths"][f"{ITEM}/secrets"]["get"]

    assert scale[KIND] == {"group": "autoscaling.k8s.io", "kind": "Scale", "version": "v1"}
    answer = scale["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/io.k8s.api.autoscaling.v1.Scale"}
    assert secrets["responses"]["200"]["content"]["application/json"]["schema"] == {}


def test_every_reference_leads_somewhere(document: dict[str, Any], swagger: dict[str, Any]) -> None:
    for whole, prefix, known in (
        (document, "#/components/schemas/", document["components"]["schemas"]),
        (swagger, "#/definitions/", swagger["definitions"]),
    ):
        found = set(references(whole))
        assert found
        assert {name.removeprefix(prefix) for name in found} <= known.keys()


def references(value: Any) -> Any:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        value = list(value.values())
    for item in value if isinstance(value, list) else ():
        yield from references(item)


def test_references_with_words_stand_by_themselves_in_version_3(
    document: dict[str, Any], swagger: dict[str, Any]
) -> None:
    new = document["components"]["schemas"][f"{PREFIX}.Gadget"]["properties"]["spec"]
    old = swagger["definitions"][f"{PREFIX}.Gadget"]["properties"]["spec"]

    assert new == {"description": "What is wished.", "allOf": [{"$ref": f"#/components/schemas/{PREFIX}.GadgetSpec"}]}
    assert old == {"description": "What is wished.", "$ref": f"#/definitions/{PREFIX}.GadgetSpec"}


def test_a_document_has_only_the_definitions_that_it_needs() -> None:
    document = version_3([REVIEWS], Definitions(KINDS))

    assert f"{PREFIX}.GadgetReview" in document["components"]["schemas"]
    assert f"{PREFIX}.Gadget" not in document["components"]["schemas"]


def test_version_2_hides_the_validation_of_namespaces() -> None:
    class Namespace(KubeObject):
        """A namespace."""

    namespaces = kind(Namespace, Stored(), group="", namespaced=False)
    patches = [
        version_2([resource], Definitions([resource]))["paths"][path]["patch"]
        for resource, path in ((namespaces, "/api/v1/namespaces/{name}"), (GADGETS, ITEM))
    ]

    shown = ["fieldValidation" in {parameter["name"] for parameter in patch["parameters"]} for patch in patches]
    assert shown == [False, True]


def test_the_protocol_buffers_form_says_the_same(swagger: dict[str, Any]) -> None:
    message: Any = openapi_gnostic.SCHEMA.new("Document")
    message.ParseFromString(openapi_gnostic.encode(swagger))

    items = {item.name: item.value for item in message.paths.path}
    schemas = {item.name: item.value for item in message.definitions.additional_properties}
    assert (message.swagger, set(items), set(schemas)) == ("2.0", set(swagger["paths"]), set(swagger["definitions"]))
    patch = items[ITEM].patch
    names = {item.parameter.non_body_parameter.query.name for item in patch.parameters}
    assert "fieldValidation" in names
    assert items[ITEM].parameters[0].parameter.non_body_parameter.path.required
    assert json.loads({item.name: item.value.yaml for item in patch.vendor_extension}[KIND])["kind"] == "Gadget"
    spec = {item.name: item.value for item in schemas[f"{PREFIX}.GadgetSpec"].properties.additional_properties}
    assert spec["parts"].items.schema[0].ref == f"#/definitions/{PREFIX}.Part"
    assert spec["words"].additional_properties.schema.type.value == ["string"]
    assert {item.name: item.value.yaml for item in spec["parts"].vendor_extension} == {
        "x-kubernetes-patch-strategy": '"merge"\n',
        "x-kubernetes-patch-merge-key": '"name"\n',
    }


REQUESTS = RequestFactory()
IMAGES = ("v1", "image.openshift.io")


def test_the_index_names_every_group_and_version() -> None:
    index = json.loads(openapi.index(REQUESTS.get("/openapi/v3")).content)["paths"]

    served = {
        f"apis/{group}/{version}" for group, versions in catalog.groups().items() if group for version in versions
    }
    assert served <= index.keys()
    for path, entry in index.items():
        assert entry["serverRelativeURL"].startswith(f"/openapi/v3/{path}?hash=")


def test_a_document_under_its_hash_may_be_kept_for_ever() -> None:
    index = json.loads(openapi.index(REQUESTS.get("/openapi/v3")).content)["paths"]

    response = openapi.v3(REQUESTS.get(index["apis/image.openshift.io/v1"]["serverRelativeURL"]), *IMAGES)

    assert (response.status_code, response.headers["Cache-Control"]) == (200, "public, immutable")
    assert "Expires" in response.headers


def test_a_stale_hash_leads_to_the_current_one() -> None:
    stale = openapi.v3(REQUESTS.get("/openapi/v3/apis/image.openshift.io/v1?hash=old"), *IMAGES)

    current = openapi.v3(REQUESTS.get(stale.headers["Location"]), *IMAGES)
    assert (stale.status_code, current.status_code) == (301, 200)


def test_a_document_that_the_client_has_is_not_sent_again() -> None:
    first = openapi.v3(REQUESTS.get("/openapi/v3/apis/image.openshift.io/v1"), *IMAGES)

    again = openapi.v3(
        REQUESTS.get("/openapi/v3/apis/image.openshift.io/v1", headers={"If-None-Match": first.headers["ETag"]}),
        *IMAGES,
    )

    assert (again.status_code, again.content) == (304, b"")


def test_a_group_that_is_not_served_has_no_document() -> None:
    with pytest.raises(StatusError) as caught:
        openapi.v3(REQUESTS.get("/openapi/v3/apis/nope.io/v1"), "v1", "nope.io")

    assert caught.value.code == 404


@pytest.mark.parametrize(
    ("accept", "status", "answer"),
    [
        ("", 200, "application/json"),
        ("*/*", 200, "application/json"),
        ("application/com.github.proto-openapi.spec.v2@v1.0+protobuf", 200, openapi.PROTOBUF_2_ANSWER),
        (
            "application/com.github.proto-openapi.spec.v2.v1.0+protobuf, application/json",
            200,
            openapi.PROTOBUF_2_ANSWER,
        ),
        ("application/xml", 406, None),
    ],
)
def test_version_2_is_sent_in_the_form_that_is_accepted(accept: str, status: int, answer: str | None) -> None:
    response = openapi.v2(REQUESTS.get("/openapi/v2", headers={"Accept": accept} if accept else {}))

    assert response.status_code == status
    if answer:
        assert (response.headers["Content-Type"], response.headers["Vary"]) == (answer, "Accept")


def test_all_documents_together_are_small() -> None:
    groups = [(version, group) for group, versions in catalog.groups().items() for version in versions]
    sizes = [len(openapi.v3(REQUESTS.get("/openapi/v3"), version, group).content) for version, group in groups]
    sizes.append(len(openapi.v2(REQUESTS.get("/openapi/v2")).content))

    assert sum(sizes) < 4 * 1024 * 1024
