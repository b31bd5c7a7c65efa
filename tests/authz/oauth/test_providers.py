"""The file of the providers that people log in with."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError
from pytest_django import Settings

from authz.oauth import providers
from authz.oauth.providers import BadProviders, parsed
from registry_meta import startup

GOOD: dict[str, Any] = {"issuer": "https://id.example.com", "clientID": "meta", "clientSecret": "s3cret"}


def text(*, name: str = "corp", type: str = "OpenID", mapping: str = "claim", **openid: Any) -> str:
    fields = {key: value for key, value in {**GOOD, **openid}.items() if value is not None}
    provider = {"name": name, "type": type, "mappingMethod": mapping, "openID": fields}
    return yaml.safe_dump({"identityProviders": [provider]})


def test_a_provider_is_read_in_the_shape_of_openshift() -> None:
    provider = parsed(text(claims={"groups": ["roles"]}, extraScopes=["email"]), "file")["corp"]

    assert (provider.mapping_method, provider.open_id.issuer) == ("claim", "https://id.example.com")
    assert (provider.open_id.client_id, provider.open_id.client_secret) == ("meta", "s3cret")
    assert (provider.open_id.claims.groups, provider.open_id.extra_scopes) == (["roles"], ["email"])
    assert "s3cret" not in repr(provider)


def test_the_secret_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("from a file\n")

    found = parsed(text(clientSecret=None, clientSecretFile=str(tmp_path / "secret")), "file")

    assert found["corp"].open_id.client_secret == "from a file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("identityProviders: [", "this is not YAML"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "Object missing required field `identityProviders`"),
        (text(type="LDAP"), "Invalid enum value 'LDAP' - at `identityProviders[0].type`"),
        (text(mapping="generate"), "at `identityProviders[0].mappingMethod`"),
        (text(isuer="x"), "Object contains unknown field `isuer` - at `identityProviders[0].openID`"),
        (text(issuer=None), "missing required field `issuer` - at `identityProviders[0].openID`"),
        (text(name="local"), "identityProviders[0].name: 'local' is not"),
        (text(name="a/b"), "identityProviders[0].name: 'a/b' is not"),
        (text(issuer="http://id.example.com"), "identityProviders[0].openID.issuer: "),
        (text(issuer="https://id.example.com/?x"), "identityProviders[0].openID.issuer: "),
        (text(clientID=""), "identityProviders[0].openID.clientID: it is empty"),
        (text(clientSecret=None), "identityProviders[0].openID.clientSecret: give clientSecret or clientSecretFile"),
        (text(clientSecretFile="/x"), "identityProviders[0].openID.clientSecret: give clientSecret or"),
        (text(clientSecret=None, clientSecretFile="/nowhere"), "openID.clientSecretFile: /nowhere cannot be read"),
        (text(ca="/nowhere"), "identityProviders[0].openID.ca: there is no file /nowhere"),
        (text() + text().partition("\n")[2], "identityProviders[1].name: 'corp' is there twice"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_place(content: str, message: str) -> None:
    with pytest.raises(BadProviders) as caught:
        parsed(content, "/etc/meta/providers.yaml")

    said = str(caught.value)
    assert said.startswith("REGISTRY_META_IDENTITY_PROVIDERS: /etc/meta/providers.yaml")
    assert message in said
    assert "\n" not in said
    assert "s3cret" not in said


def test_a_server_does_not_start_with_a_bad_file(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    file = tmp_path / "providers.yaml"
    file.write_text(text(ca=str(tmp_path / "ca.pem")))
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, identity_providers=file)

    with pytest.raises(CommandError, match=r"^REGISTRY_META_IDENTITY_PROVIDERS: .*providers.yaml: .*ca.pem is no PEM"):
        startup.prepare(settings.ENVIRONMENT)


def test_without_a_file_there_are_none() -> None:
    assert providers.names() == []
