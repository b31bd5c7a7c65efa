"""Mirrors: which places are asked for an image, in which order, and which are not."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imagestreams.mirrors import Closed, MirrorSet, Place, Registries, Route, merged, scopes
from imagestreams.reference import PullSpec

SOURCE = "source.example.com"
DIGEST = "sha256:" + "a" * 64


def places(route: Route) -> list[str]:
    return [place.spec.exact() for place in route.places]


def asked(registries: Registries, text: str, *, insecure: bool = False) -> list[str]:
    spec = PullSpec.parse(text)
    return places(registries.route(spec, by_digest=bool(spec.id), insecure=insecure))


@pytest.mark.parametrize(
    ("inner", "outer", "nested"),
    [
        ("quay.io", "example.com", False),
        ("quay.io", "quay.io", True),
        ("quay.io:443", "quay.io", False),
        ("quay.io:443", "quay.io:444", False),
        ("quay.io.example.com", "quay.io", False),
        ("quay.io2", "quay.io", False),
        ("quay.io/ns1", "quay.io", True),
        ("quay.io/ns1/ns2/ns3", "quay.io", True),
        ("quay.io/ns1/ns2/ns3", "not-quay.io", False),
        ("quay.io/ns12", "quay.io/ns1", False),
        ("bar/example.foo", "*.foo", False),
        ("example/bar.foo/quay.io", "*.foo", False),
        ("example/bar.foo:400", "*.foo", False),
        ("foo.example.com", "*.example.com", True),
        ("a.b.example.com", "*.example.com", True),
        ("example.com", "*.example.com", False),
        ("*.foo.example.com", "*.example.com", True),
        ("foo.example.com/bar", "*.example.com", True),
        ("foo.registry.com", "*.example.com", False),
        ("foo.example.com", "**.example.com", False),
        ("foo.example.com", "example.*.com", False),
        ("foo.example.com", "*.example.com/foo/bar", False),
        ("foo.example.com:443/bar/baz", "*.example.com", True),
        ("foo.example.com:443/bar/baz", "*.example.com/bar/baz", False),
        ("foo.example.com", "*example.com", False),
        ("foo.example.com", "*/example.com", False),
    ],
)
def test_what_lies_in_a_scope(inner: str, outer: str, nested: bool) -> None:
    assert (outer in scopes(inner)) is nested


def test_scopes_go_from_narrow_to_wide_and_names_come_before_wildcards() -> None:
    assert list(scopes("a.b.io:5000/x/y")) == [
        "a.b.io:5000/x/y",
        "a.b.io:5000/x",
        "a.b.io:5000",
        "*.b.io",
        "*.io",
    ]


@pytest.mark.parametrize(
    ("given_", "expected"),
    [
        ([], []),
        ([()], []),
        ([(SOURCE,)], []),
        ([(SOURCE, SOURCE)], []),
        ([("z1", "y2", "x3")], ["z1", "y2", "x3"]),
        ([("z1", "y2"), ("y2", "x3")], ["z1", "y2", "x3"]),
        ([("B", "C"), ("A", "B")], ["A", "B", "C"]),
        ([("z1", SOURCE, "y2"), (SOURCE, "y2", "x3")], ["z1", SOURCE, "y2", "x3"]),
        ([("registry2",), ("local",)], ["local", "registry2"]),
        ([("r1", "r2"), ("local2", "r2", "r1")], ["local2", "r1", "r2"]),
        ([("a", "b", "a")], ["a", "b"]),
    ],
)
def test_sets_of_one_source_are_merged_in_an_order_that_fits_each(
    given_: list[tuple[str, ...]], expected: list[str]
) -> None:
    found = merged(MirrorSet(SOURCE, mirrors) for mirrors in given_)

    assert [mirror for each in found.values() for mirror in each.mirrors] == expected


names = st.sampled_from(["a", "b", "c", "d", "e", SOURCE])


@given(st.lists(st.lists(names, max_size=5, unique=True).map(tuple), max_size=5))
def test_merging_loses_no_mirror_and_keeps_orders_that_do_not_contradict(lists: list[tuple[str, ...]]) -> None:
    found = merged(MirrorSet(SOURCE, mirrors) for mirrors in lists)
    real = [mirrors for mirrors in lists if set(mirrors) - {SOURCE}]

    mirrors = found[SOURCE].mirrors if SOURCE in found else ()

    assert set(mirrors) - {SOURCE} == {mirror for each in real for mirror in each} - {SOURCE}
    assert len(set(mirrors)) == len(mirrors)
    chains = [mirrors if SOURCE in mirrors else (*mirrors, SOURCE) for mirrors in real]
    fitting = [order for order in itertools.permutations({m for c in chains for m in c}) if _fits(order, chains)]
    if fitting:
        assert _fits((*mirrors, SOURCE) if SOURCE not in mirrors else mirrors, chains)


def _fits(order: tuple[str, ...], chains: list[tuple[str, ...]]) -> bool:
    at = {mirror: index for index, mirror in enumerate(order)}
    return all(at[one] < at[other] for chain in chains for one, other in itertools.pairwise(chain))


def test_without_mirrors_the_registry_itself_is_asked() -> None:
    spec = PullSpec.parse("busybox:1")

    route = Registries().route(spec, by_digest=False)

    assert route == Route((Place(PullSpec(name="busybox"), False, is_source=True),))


def test_mirrors_for_tags_and_for_digests_are_told_apart() -> None:
    registries = Registries(
        digests=[MirrorSet("quay.io", ("digests.example.com/quay",))],
        tags=[MirrorSet("quay.io/acme", ("tags.example.com",))],
    )

    assert asked(registries, "quay.io/acme/app:v1") == ["tags.example.com/app", "quay.io/acme/app"]
    assert asked(registries, f"quay.io/acme/app@{DIGEST}") == ["digests.example.com/quay/acme/app", "quay.io/acme/app"]
    assert asked(registries, "quay.io/other/app:v1") == ["quay.io/other/app"]


def test_the_most_specific_source_counts_alone() -> None:
    registries = Registries(
        tags=[
            MirrorSet("*.io", ("wild.example.com",)),
            MirrorSet("quay.io", ("host.example.com",)),
            MirrorSet("quay.io/acme/app", ("repository.example.com/copies/app",)),
        ]
    )

    assert asked(registries, "quay.io/acme/app:1") == ["repository.example.com/copies/app", "quay.io/acme/app"]
    assert asked(registries, "quay.io/acme/apple:1") == ["host.example.com/acme/apple", "quay.io/acme/apple"]
    assert asked(registries, "ghcr.io/a/b:1") == ["wild.example.com/a/b", "ghcr.io/a/b"]


def test_a_wildcard_source_is_replaced_with_the_host_and_its_port() -> None:
    registries = Registries(digests=[MirrorSet("*.redhat.io", ("mirror.local/redhat",))])

    found = asked(registries, f"registry.redhat.io:8443/product/repo@{DIGEST}")

    assert found == ["mirror.local/redhat/product/repo", "registry.redhat.io:8443/product/repo"]


@pytest.mark.parametrize("text", ["busybox:1", "docker.io/busybox:1", "index.docker.io/library/busybox:1"])
def test_docker_hub_has_one_name(text: str) -> None:
    registries = Registries(tags=[MirrorSet("docker.io/library", ("mirror.local/hub",))])

    assert asked(registries, text)[0] == "mirror.local/hub/busybox"


def test_a_mirror_is_a_host_even_without_a_dot() -> None:
    registries = Registries(tags=[MirrorSet("quay.io", ("mirror", "mirror/copies"))])

    found = registries.route(PullSpec.parse("quay.io/a/b:1"), by_digest=False)

    assert [place.spec.host_and_path() for place in found.places][:2] == [("mirror", "a/b"), ("mirror", "copies/a/b")]


@pytest.mark.parametrize("mirror", ["", "https://mirror.local", "mirror.local/UPPER", "mirror.local:port"])
def test_a_mirror_that_can_be_none_is_passed_over(mirror: str) -> None:
    registries = Registries(digests=[MirrorSet("quay.io", (mirror, "good.local"))])

    assert asked(registries, f"quay.io/a/b@{DIGEST}") == ["good.local/a/b", "quay.io/a/b"]


def test_a_source_among_its_mirrors_has_its_turn_there() -> None:
    registries = Registries(tags=[MirrorSet("quay.io", ("a.local", "quay.io", "b.local"))])

    assert asked(registries, "quay.io/x/y:1") == ["a.local/x/y", "quay.io/x/y", "b.local/x/y"]


@pytest.mark.parametrize("text", ["quay.io/acme/app:1", f"quay.io/acme/app@{DIGEST}"])
def test_a_source_that_is_never_contacted_is_not_for_the_other_kind_of_name_either(text: str) -> None:
    registries = Registries(
        digests=[
            MirrorSet("quay.io/acme", ("a.local", "quay.io/acme"), closed=True),
            MirrorSet("quay.io/acme", ("b.local",)),
        ]
    )
    spec = PullSpec.parse(text)

    route = registries.route(spec, by_digest=bool(spec.id))

    assert route.closed is Closed.POLICY
    assert not any(place.is_source or place.spec.registry == "quay.io" for place in route.places)


def test_a_narrower_source_has_a_policy_of_its_own() -> None:
    registries = Registries(
        tags=[MirrorSet("quay.io", ("a.local",), closed=True), MirrorSet("quay.io/open", ("b.local",))]
    )

    assert asked(registries, "quay.io/open/app:1") == ["b.local/app", "quay.io/open/app"]
    assert asked(registries, "quay.io/other/app:1") == ["a.local/other/app"]


def test_a_policy_without_a_mirror_says_nothing() -> None:
    registries = Registries(tags=[MirrorSet("quay.io", ("quay.io",), closed=True)])

    assert asked(registries, "quay.io/a/b:1") == ["quay.io/a/b"]


@pytest.mark.parametrize("scope", ["quay.io", "quay.io/acme", "quay.io/acme/app", "*.io"])
def test_a_blocked_scope_blocks_all_inside_it(scope: str) -> None:
    registries = Registries(blocked=[scope])

    route = registries.route(PullSpec.parse("quay.io/acme/app:1"), by_digest=False)

    assert route == Route((), Closed.BLOCKED)
    assert asked(registries, "example.com/acme/app:1") == ["example.com/acme/app"]


@pytest.mark.parametrize("text", ["Quay.IO/a/b:1", "quay.io:443/a/b:1", "QUAY.io:443/a/b:1"])
def test_another_spelling_of_a_host_is_no_way_around_a_block(text: str) -> None:
    assert asked(Registries(blocked=["quay.io"]), text) == []
    assert asked(Registries(blocked=["Quay.io:443"]), text) == []


@pytest.mark.parametrize("text", ["busybox:1", "registry-1.docker.io/library/busybox:1", "index.docker.io/busybox:1"])
def test_every_name_of_docker_hub_is_blocked_with_it(text: str) -> None:
    assert asked(Registries(blocked=["docker.io"]), text) == []
    assert asked(Registries(blocked=["docker.io/library"]), text) == []


def test_another_port_is_another_registry() -> None:
    assert asked(Registries(blocked=["quay.io"]), "quay.io:5000/a/b:1") == ["quay.io:5000/a/b"]


def test_what_is_blocked_comes_from_its_mirrors_and_never_from_a_blocked_one() -> None:
    registries = Registries(
        tags=[MirrorSet("quay.io", ("bad.local/quay", "good.local/quay"))], blocked=["quay.io", "bad.local"]
    )

    assert asked(registries, "quay.io/a/b:1") == ["good.local/quay/a/b"]
    assert asked(registries, f"quay.io/a/b@{DIGEST}") == []


def test_insecurity_is_that_of_each_scope_and_that_of_the_wish() -> None:
    registries = Registries(
        tags=[MirrorSet("quay.io", ("plain.local/sub", "tls.local"))], insecure=["plain.local/sub", "*.lan"]
    )
    spec = PullSpec.parse("quay.io/a/b:1")

    kept = [place.insecure for place in registries.route(spec, by_digest=False).places]
    wished = [place.insecure for place in registries.route(spec, by_digest=False, insecure=True).places]

    assert kept == [True, False, False]
    assert wished == [True, True, True]
    assert registries.route(PullSpec.parse("x.lan:5000/a:1"), by_digest=False).places[0].insecure


@given(
    st.lists(st.sampled_from(["quay.io", "quay.io/a", "*.io", "m.local", "n.local/x"]), max_size=3),
    st.booleans(),
    st.booleans(),
)
def test_nothing_blocked_or_closed_is_ever_a_place(blocked: list[str], closed: bool, by_digest: bool) -> None:
    sets = [MirrorSet("quay.io", ("m.local", "n.local/x", "quay.io"), closed=closed)]
    registries = Registries(digests=sets, tags=sets, blocked=blocked)

    route = registries.route(PullSpec.parse("quay.io/a/b"), by_digest=by_digest)

    for place in route.places:
        assert not set(blocked) & set(scopes(place.spec.normalised().repository().exact()))
    assert any(place.is_source for place in route.places) is (route.closed is None)
    assert not closed or not any(place.is_source for place in route.places)
