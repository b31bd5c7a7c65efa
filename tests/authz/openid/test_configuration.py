"""The file of outside issuers: what it may say, and how it is told what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from authz.openid import bearer, configuration
from authz.openid.configuration import ConfigurationError

GOOD = """
apiVersion: apiserver.config.k8s.io/v1
kind: AuthenticationConfiguration
jwt:
- issuer:
    url: https://id.example.com/realm
    audiences: [meta, other]
    audienceMatchPolicy: MatchAny
  claimMappings:
    username: {claim: sub}
    groups: {claim: groups, prefix: "corp:"}
    uid: {claim: sub}
  claimValidationRules:
  - {claim: hd, requiredValue: example.com}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "authentication.yaml"
    path.write_text(text)
    return path


def configured(settings: Settings, path: Path) -> Any:
    return replace(settings.ENVIRONMENT, authentication_config=path)


def test_a_file_names_issuers(tmp_path: Path) -> None:
    (entry,) = configuration.read(written(tmp_path, GOOD)).jwt

    assert (entry.issuer.url, entry.issuer.audiences) == ("https://id.example.com/realm", ["meta", "other"])
    assert entry.claim_validation_rules[0].required_value == "example.com"


@pytest.mark.parametrize(
    ("username", "prefix"),
    [
        ("{claim: sub}", "https://id.example.com/realm#"),
        ("{claim: email}", ""),
        ('{claim: sub, prefix: ""}', ""),
        ('{claim: email, prefix: "corp:"}', "corp:"),
    ],
)
def test_names_carry_their_issuer_unless_it_is_said_otherwise(tmp_path: Path, username: str, prefix: str) -> None:
    text = GOOD.replace("username: {claim: sub}", f"username: {username}")

    (entry,) = configuration.read(written(tmp_path, text)).jwt

    assert entry.username_prefix() == prefix


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("https://id", "http://id", "its URL must begin with https://"),
        ("/realm", "/realm?x=y", "no user, query and fragment"),
        ("https://id", "https://user@id", "no user, query and fragment"),
        ("[meta, other]", "[]", "audiences must name at least one"),
        ("[meta, other]", '[""]', "audiences must name at least one"),
        ("MatchAny", "MatchAll", "audienceMatchPolicy must be MatchAny"),
        ("{claim: sub}", '{claim: ""}', "each claim must have a name"),
        ("{claim: sub}", '{expression: "claims.sub"}', "expression"),
        ("{claim: hd, requiredValue: example.com}", '{expression: "true", message: no}', "expression"),
        ("    audienceMatchPolicy: MatchAny", "    certificateAuthority: nonsense", "must hold certificates in PEM"),
        ("kind: Auth", "kind: Other", "this is no AuthenticationConfiguration"),
        ("k8s.io/v1\n", "k8s.io/v9\n", "this is no AuthenticationConfiguration"),
        ("jwt:", "jwt: [", "is no YAML"),
        ("jwt:\n", "anonymous: {enabled: true}\njwt:\n", "anonymous"),
    ],
)  # fmt: skip
def test_what_cannot_be_held_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    assert old in GOOD

    with pytest.raises(ConfigurationError, match=why):
        configuration.read(written(tmp_path, GOOD.replace(old, new, 1)))


def test_an_issuer_is_named_once(tmp_path: Path) -> None:
    twice = GOOD + GOOD.partition("jwt:\n")[2]

    with pytest.raises(ConfigurationError, match="named twice"):
        configuration.read(written(tmp_path, twice))


def test_this_server_is_no_outside_issuer(tmp_path: Path, settings: Settings) -> None:
    ours = settings.ENVIRONMENT.server_url
    path = written(tmp_path, GOOD.replace("https://id.example.com/realm", ours))
    settings.ENVIRONMENT = configured(settings, path)

    with pytest.raises(ConfigurationError, match="is this server itself"):
        bearer.begin()


@pytest.mark.django_db
def test_a_server_with_a_bad_file_does_not_start(tmp_path: Path, settings: Settings) -> None:
    settings.ENVIRONMENT = configured(settings, written(tmp_path, GOOD.replace("https://", "http://")))

    for command in ("prepare", "web"):
        with pytest.raises(CommandError, match=r"REGISTRY_META_AUTHENTICATION_CONFIG: .*must begin with https"):
            call_command(command)
