import pytest

from imagestreams.imports.keyrings import shares


@pytest.mark.parametrize(
    ("allowed", "namespace", "may"),
    [
        ((), "shop", True),
        (("none",), "shop", False),
        (("none",), "none", False),
        (("shop",), "shop", True),
        (("shop",), "shopping", False),
        (("shop", "team-*"), "team-a", True),
        (("shop", "team-*"), "other", False),
        (("*",), "anything", True),
    ],
)
def test_the_server_s_pull_secret_is_for_the_namespaces_that_are_named(
    allowed: tuple[str, ...], namespace: str, may: bool
) -> None:
    assert shares(namespace, allowed) is may
