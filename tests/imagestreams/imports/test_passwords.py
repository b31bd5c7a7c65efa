"""Pull secrets that are right for some entries of an import and wrong for others: each entry stands for itself."""

from __future__ import annotations

import base64

import msgspec

from tests.authz.conftest import Api
from tests.imagestreams.builders import images
from tests.imagestreams.imports.shelf import Shelf, app, bring_in, image, repository, results
from tests.registries import PASSWORDS, ROBOT, Distribution, Reply, Request, token_guarded


def secret(shop: Api, logins: dict[str, tuple[str, str]], *, name: str = "pull") -> None:
    """Make a pull secret with logins, by the place for which they are."""
    auths = {key: {"username": user, "password": password} for key, (user, password) in logins.items()}
    body = {
        "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": msgspec.json.encode({"auths": auths}).decode()},
    }
    assert shop.post("/api/v1/namespaces/shop/secrets", body)[0] == 201


def test_a_password_that_is_wrong_for_one_entry_takes_nothing_from_another(shop: Api, shelf: Shelf) -> None:
    def guarded(request: Request) -> Reply | None:
        right = f"Basic {base64.b64encode(b'robot:right').decode()}"
        given = request.headers.get("authorization", "")
        if given == right or (not given and "/private/" not in request.path):
            return None
        return Reply(401, "{}", {"WWW-Authenticate": 'Basic realm="tests"'})

    shelf.intercept = guarded
    public = shelf.push("public/app", "latest", seed="public")
    private = shelf.push("private/app", "latest", seed="private")
    secret(shop, {f"{shelf.host}/public": ("robot", "wrong"), f"{shelf.host}/private": ("robot", "right")})

    status = bring_in(shop, *(image(f"{shelf.host}/{name}/app:latest", name) for name in ("public", "private")))

    assert results(status["images"]) == ["Success", "Success"]
    assert (images(app(), "public"), images(app(), "private")) == ([public], [private])


def test_what_is_public_comes_without_a_password_when_the_one_there_is_is_wrong(shop: Api) -> None:
    with token_guarded() as host:
        secret(shop, {host: ("hub", "wrong")})

        status = bring_in(
            shop,
            image(f"{host}/private/app:v1", "private"),
            image(f"{host}/public/app:v1", "public"),
            of=repository(f"{host}/public/app"),
        )

    assert results(status["images"]) == ["Unauthorized", "Success"]
    assert status["images"][0]["status"]["message"] == (
        f'incorrect username or password for image "{host}/private/app:v1"'
    )
    assert results(status["repository"]["images"]) == ["Success", "Success"]


def test_one_password_that_is_wrong_does_not_hide_another_that_is_right(shop: Api) -> None:
    with token_guarded() as host:
        secret(shop, {host: ("hub", "wrong")}, name="a")
        secret(shop, {f"{host}/private": ("robot", "secret123")}, name="b")

        status = bring_in(shop, *(image(f"{host}/{name}/app:v1", name) for name in ("private", "public")))

    assert results(status["images"]) == ["Success", "Success"]


def test_without_a_password_a_closed_registry_says_that_one_is_missing(shop: Api) -> None:
    with Distribution().start(htpasswd=PASSWORDS, login=ROBOT) as closed:
        closed.push("team/app", "latest", seed="closed")
        spec = closed.pullspec("team/app", tag="latest")

        refused = bring_in(shop, image(spec, "latest"))
        secret(shop, {closed.host: ROBOT})
        granted = bring_in(shop, image(spec, "latest"))

    assert results(refused["images"]) == ["Unauthorized"]
    assert refused["images"][0]["status"]["message"] == f'you may not have access to the container image "{spec}"'
    assert results(granted["images"]) == ["Success"]
    assert len(images(app(), "latest")) == 1
