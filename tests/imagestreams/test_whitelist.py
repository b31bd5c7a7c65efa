"""Which registries users may import from, and the words in which others are refused."""

from __future__ import annotations

import pytest

from imagestreams.reference import PullSpec
from imagestreams.types import ImageImportSpec, ImageStreamImport, ImageStreamImportSpec, RepositoryImportSpec
from imagestreams.whitelist import Location, Transport, Whitelist, import_problems, status_problems, stream_problems
from registry_meta.kube.meta import ObjectReference
from tests.imagestreams.builders import event, stream, wish

SECURE, INSECURE, ANY = Transport.SECURE, Transport.INSECURE, Transport.ANY
SOME = ("localhost:5000", "docker.io", "example.com:*", "registry.com:80")
MORE = (*SOME, "*.foo.com", "*domain.ltd")
SECURE_TEXT = '"localhost:5000", "docker.io:443", "example.com:*", "registry.com:80"'
INSECURE_TEXT = SECURE_TEXT.replace("443", "80")
REST = ", and 2 more ..."
OWN = '"example.com:443"'


def allowing(*names: str, insecure: bool = False, internal: str = "") -> Whitelist:
    return Whitelist.of((Location.of(name, insecure=insecure) for name in names), internal=internal)


def host(text: str) -> PullSpec:
    return PullSpec(registry=text)


def refused(shown: str, texts: str) -> str:
    return f'registry "{shown}" not allowed by whitelist: {texts}'


@pytest.mark.parametrize("text", ["busybox", "quay.io/a/b", "localhost:5000/a"])
@pytest.mark.parametrize("transport", Transport)
def test_without_a_list_everything_is_allowed(text: str, transport: Transport) -> None:
    whitelist = Whitelist.of([], internal="registry.svc:5000")

    assert whitelist.refusal(PullSpec.parse(text), transport) == ""


@pytest.mark.parametrize(
    ("names", "insecure", "transport", "spec", "shown"),
    [
        (["*"], False, SECURE, host("docker.io"), ""),
        (["*"], False, SECURE, host("localhost:443"), ""),
        (["*"], False, SECURE, host("localhost:5000"), 'localhost:5000|"*:443"'),
        (["*"], False, SECURE, host("localhost:80"), 'localhost:80|"*:443"'),
        (["*"], True, INSECURE, host("localhost"), ""),
        (["*"], True, INSECURE, host("localhost:443"), 'localhost:443|"*:80"'),
        (["*"], True, ANY, host("example.com"), ""),
        (["*"], True, ANY, host("localhost:443"), 'localhost:443|"*:80"'),
        (["*:*"], False, SECURE, host("localhost:5000"), ""),
        (SOME, False, SECURE, host("example.com:5000"), ""),
        (SOME, False, SECURE, host("localhost:443"), f"localhost:443|{SECURE_TEXT}"),
        (SOME, False, SECURE, host("registry-1.docker.io:443"), ""),
        (SOME, False, SECURE, host("index.docker.io"), ""),
        (SOME, False, SECURE, PullSpec(name="busybox"), ""),
        (SOME, False, SECURE, host("registry.com"), f"registry.com|{SECURE_TEXT}"),
        (SOME, False, SECURE, host("registry.com:80"), ""),
        (SOME, False, SECURE, host("registry.example.com"), f"registry.example.com|{SECURE_TEXT}"),
        (MORE, True, INSECURE, host("a.b.c.d.foo.com:80"), ""),
        (MORE, True, INSECURE, host("domain.ltd"), ""),
        (MORE, True, INSECURE, host("mydomain.ltd"), ""),
        (MORE, True, INSECURE, host("registry.com"), ""),
        (MORE, True, INSECURE, host("foo.com"), f"foo.com|{INSECURE_TEXT}{REST}"),
        (MORE, True, INSECURE, host("my.domain.ltd:443"), f"my.domain.ltd:443|{INSECURE_TEXT}{REST}"),
        (MORE, False, ANY, host("a.b.c.d.foo.com:80"), f"a.b.c.d.foo.com:80|{SECURE_TEXT}{REST}"),
        (MORE, False, ANY, host("my.domain.ltd:443"), ""),
        (MORE, False, ANY, host("registry.com"), ""),
        (MORE, False, ANY, host("registry.com:443"), f"registry.com:443|{SECURE_TEXT}{REST}"),
        (MORE, True, ANY, PullSpec.parse("nm/repo:latest"), ""),
        (MORE, True, ANY, PullSpec.parse("foo.com/foo"), f"foo.com|{INSECURE_TEXT}{REST}"),
        (["r?gistry.com"], False, SECURE, host("registry.com"), ""),
        (["[a-z]egistry.com"], False, SECURE, host("registry.com"), 'registry.com|"[a-z]egistry.com:443"'),
        (["quay.io"], False, SECURE, PullSpec(name="busybox"), 'docker.io:443|"quay.io:443"'),
        (["quay.io"], False, ANY, PullSpec(name="busybox"), 'docker.io|"quay.io:443"'),
    ],
)
def test_a_registry_is_allowed_by_host_and_port(
    names: tuple[str, ...], insecure: bool, transport: Transport, spec: PullSpec, shown: str
) -> None:
    expected = refused(*shown.split("|")) if shown else ""

    assert allowing(*names, insecure=insecure).refusal(spec, transport) == expected


def test_the_integrated_registry_is_always_allowed_and_named_first() -> None:
    whitelist = allowing("quay.io", internal="registry.svc:5000")

    assert whitelist.refusal(host("registry.svc:5000"), SECURE) == ""
    assert whitelist.refusal(host("x.io"), SECURE) == refused("x.io", '"registry.svc:5000", "quay.io:443"')


def test_equal_entries_are_named_once() -> None:
    whitelist = allowing("foo.com", "bar.com", "foo.com")

    assert whitelist.refusal(host("x.io"), SECURE) == refused("x.io", '"bar.com:443", "foo.com:443"')


@pytest.mark.parametrize(
    ("known", "asked", "allowed"),
    [
        ("busybox", "docker.io/library/busybox:1", True),
        ("docker.io/busybox:glibc", "busybox@sha256:" + "1" * 64, True),
        ("quay.io/a/b:1", "quay.io/a/b:2", True),
        ("quay.io/a/b:1", "quay.io/a/c:1", False),
        ("not a pull spec", "quay.io/a/b:1", False),
    ],
)
def test_a_repository_that_is_known_is_allowed(known: str, asked: str, allowed: bool) -> None:
    whitelist = allowing("example.com").knowing([known])

    assert (whitelist.refusal(PullSpec.parse(asked), SECURE) == "") is allowed


def test_a_request_to_import_is_told_of_host_and_port() -> None:
    request = ImageStreamImport(
        spec=ImageStreamImportSpec(
            repository=RepositoryImportSpec(from_=_image("quay.io/a/b")),
            images=[
                ImageImportSpec(from_=_image("busybox:1")),
                ImageImportSpec(from_=_image("example.com/x:1")),
                ImageImportSpec(from_=_image("docker.io/x:1")),
            ],
        )
    )
    request.spec.images[0].import_policy.insecure = True  # type: ignore[index]  # they were just made

    found = import_problems(request, allowing("example.com"))

    assert [(problem.field, problem.reason) for problem in found] == [
        ("spec.repository.from.name", "FieldValueForbidden"),
        ("spec.images[0].from.name", "FieldValueForbidden"),
        ("spec.images[2].from.name", "FieldValueForbidden"),
    ]
    hosts = ["quay.io:443", "docker.io:80", "registry-1.docker.io:443"]
    for problem, shown in zip(found, hosts, strict=True):
        text = f'importing images from registry "{shown}" is forbidden: {refused(shown, OWN)}'
        assert problem.message == f"Forbidden: {text}"


def _image(name: str) -> ObjectReference:
    return ObjectReference(kind="DockerImage", name=name)


def test_a_stream_may_keep_what_it_had_and_take_nothing_new() -> None:
    old = stream("app", wish("a", "quay.io/a/b:1"), h=event("c", reference="quay.io/h/i:1"))
    new = stream(
        "app",
        wish("a", "quay.io/a/b:2"),
        wish("b", "quay.io/h/i:9"),
        wish("c", "quay.io/x/y:1"),
        h=event("d", reference="quay.io/z/z:1"),
    )
    new.spec.docker_image_repository = "quay.io/n/n"
    whitelist = allowing("example.com")

    changed = stream_problems(new, old, whitelist)
    made = stream_problems(new, None, whitelist)

    assert [problem.field for problem in changed] == [
        "spec.dockerImageRepository",
        "spec.tags[c].from.name",
        "status.tags[h].items[0].dockerImageReference",
    ]
    assert changed[1].message == f"Forbidden: {refused('quay.io', OWN)}"
    assert len(made) == 5


def test_a_tag_that_is_insecure_may_have_either_port() -> None:
    new = stream("app", wish("a", "plain.example.com/a/b:1"))
    whitelist = allowing("plain.example.com", insecure=True)

    before = stream_problems(new, None, whitelist)
    new.metadata.annotations = {"openshift.io/image.insecureRepository": "true"}

    assert len(before) == 1
    assert stream_problems(new, None, whitelist) == []


def test_what_is_new_in_a_history_is_held_to_the_list_and_nothing_else() -> None:
    kept, made = event("c", reference="quay.io/a/b:1"), event("d", reference="quay.io/a/b:2")
    old = stream("app", wish("a", "quay.io/a/b:1"), a=kept)
    new = stream("app", wish("a", "quay.io/a/b:1"), a=[made, kept])

    found = status_problems(new, old, allowing("example.com"))

    assert [problem.field for problem in found] == ["status.tags[a].items[0].dockerImageReference"]
