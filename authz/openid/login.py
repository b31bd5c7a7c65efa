"""Log-in at an OpenID provider by authorization code, with PKCE and a nonce (OpenID Connect Core 1.0, section 3.1).

    browser ──authorization_url──▶ provider ──redirect with a code──▶ caller ──code, verifier──▶ provider ──▶ Profile

Whoever calls makes the state, the nonce and the verifier, ties them to the browser, and checks the state himself.
"""

from __future__ import annotations

import base64
import hmac
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote_plus, urlencode

from authz import signatures
from authz.identities import Profile
from authz.openid.discovery import Provider
from authz.openid.fetching import Fetcher, FetchFailed, is_https
from authz.openid.users import LONGEST_NAME, MOST_GROUPS, RESERVED
from registry_meta.kube import meta

logger = logging.getLogger(__name__)

OPENID = "openid"
BASIC, POST = "client_secret_basic", "client_secret_post"


class SignInFailed(Exception):
    """Nobody is signed in; the message may be shown to whoever tried."""


class OpenIDClaims(Protocol):
    """The claims that say who somebody is: of each list the first that is there counts."""

    @property
    def preferred_username(self) -> Sequence[str]:
        """Whose value the user is named by; `preferred_username` when none is named."""

    @property
    def name(self) -> Sequence[str]:
        """Whose value is the full name; `name` when none is named."""

    @property
    def email(self) -> Sequence[str]:
        """Whose value is the e-mail address; `email` when none is named."""

    @property
    def groups(self) -> Sequence[str]:
        """Whose values are the groups; when none is named, the provider says nothing of groups."""


class OpenIDConfig(Protocol):
    """A provider, in the shape of OpenShift's `openID`; `ca` is the path of a PEM file, or empty."""

    @property
    def issuer(self) -> str:
        """The URL that the provider names itself by."""

    @property
    def client_id(self) -> str:
        """As whom this server is known there."""

    @property
    def client_secret(self) -> str:
        """By what it is known."""

    @property
    def claims(self) -> OpenIDClaims:
        """The claims that say who somebody is."""

    @property
    def extra_scopes(self) -> Sequence[str]:
        """What is asked for beside `openid`."""

    @property
    def extra_authorize_parameters(self) -> Mapping[str, str]:
        """What the browser says beside what the protocol demands."""

    @property
    def ca(self) -> str:
        """Whom to trust for the certificate of the provider."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The claims that are looked for, with those that nobody had to name."""

    preferred_username: tuple[str, ...]
    name: tuple[str, ...]
    email: tuple[str, ...]
    groups: tuple[str, ...]

    def are_in(self, claims: Mapping[str, Any]) -> bool:
        """Return whether the claims say all that is looked for."""
        lists = (self.preferred_username, self.name, self.email, self.groups)
        return all(any(name in claims for name in names) for names in lists if names)


def wanted(claims: OpenIDClaims) -> Wanted:
    """Return which claims to look for."""
    return Wanted(
        tuple(claims.preferred_username) or ("preferred_username",),
        tuple(claims.name) or ("name",),
        tuple(claims.email) or ("email",),
        tuple(claims.groups),
    )


class OpenIDProvider:
    """A provider at which people log in; raises SignInFailed for whatever goes wrong there."""

    def __init__(self, name: str, config: OpenIDConfig, *, fetcher: Fetcher | None = None) -> None:
        """Make the provider; raises OSError and ssl.SSLError when its `ca` cannot be used."""
        self.name = name
        self._config = config
        self._wanted = wanted(config.claims)
        self._fetcher = fetcher or Fetcher(Path(config.ca).read_text() if config.ca else "")
        self._provider = Provider(config.issuer, self._fetcher)

    def authorization_url(self, *, redirect_uri: str, state: str, nonce: str, code_challenge: str) -> str:
        """Return where the browser goes to log in; `code_challenge` is that of the method S256."""
        endpoint = self._endpoint("authorization_endpoint")
        asked = {
            **self._config.extra_authorize_parameters,
            "response_type": "code",
            "client_id": self._config.client_id,
            "redirect_uri": redirect_uri,
            "scope": " ".join(dict.fromkeys([OPENID, *self._config.extra_scopes])),
            "state": state,
            "nonce": nonce,
            "code_challenge": code_challenge,
            "code_challenge_method": "S256",
        }
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(asked)}"

    def profile(self, *, code: str, redirect_uri: str, nonce: str, code_verifier: str) -> Profile:
        """Return who has logged in, for the code with which the browser came back."""
        answer = self._exchange(code, redirect_uri, code_verifier)
        token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(token, str):
            raise self._failed("the provider gave no id_token")
        claims = self._verified(token, nonce)
        if isinstance(access_token, str) and not self._wanted.are_in(claims):
            claims = {**self._user_info(access_token, claims["sub"]), **claims}
        return profile_of(claims, self._wanted)

    def _exchange(self, code: str, redirect_uri: str, code_verifier: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": code_verifier,
        }
        methods = signatures.texts(self._document().get("token_endpoint_auth_methods_supported"))
        headers: dict[str, str] = {}
        if POST in methods and BASIC not in methods:
            form |= {"client_id": self._config.client_id, "client_secret": self._config.client_secret}
        else:
            headers["Authorization"] = _basic(self._config.client_id, self._config.client_secret)
        try:
            answer = self._fetcher.post(self._endpoint("token_endpoint"), form, headers=headers)
        except FetchFailed as error:
            raise self._failed(str(error)) from None
        if answer.status != 200:
            error_code = answer.content.get("error")
            shown = error_code if isinstance(error_code, str) and error_code.isidentifier() else answer.status
            raise self._failed(f"the provider refused the code ({shown})")
        return answer.content

    def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        """Return the claims of an id_token that is signed, for this client, of this moment and of this log-in."""
        pretended = signatures.pretence(token)
        if pretended is None:
            raise self._failed("the id_token is not signed with a key of the provider")
        for key in self._provider.keys(pretended.key_id, pretended.algorithm):
            claims = signatures.verified(token, key, algorithm=pretended.algorithm)
            if claims is not None:
                break
        else:
            raise self._failed("the id_token is not signed with a key of the provider")
        problem = _problem(claims, issuer=self._config.issuer, client_id=self._config.client_id, nonce=nonce)
        if problem:
            raise self._failed(problem)
        return dict(claims)

    def _user_info(self, access_token: str, subject: object) -> Mapping[str, Any]:
        """Return what the provider says beyond the id_token: nothing when it is about somebody else."""
        if self._document().get("userinfo_endpoint") is None:
            return {}
        endpoint = self._endpoint("userinfo_endpoint")
        try:
            found = self._fetcher.get(endpoint, headers={"Authorization": f"Bearer {access_token}"})
        except FetchFailed as error:
            raise self._failed(str(error)) from None
        if found.get("sub") != subject:
            raise self._failed("the userinfo is about somebody else")
        return found

    def _document(self) -> Mapping[str, Any]:
        try:
            return self._provider.document()
        except FetchFailed as error:
            raise self._failed(str(error)) from None

    def _endpoint(self, name: str) -> str:
        found = self._document().get(name)
        if not isinstance(found, str) or not is_https(found):
            raise self._failed(f"the provider names no https URL as its {name}")
        return found

    def _failed(self, why: str) -> SignInFailed:
        logger.warning("log-in at %s failed: %s", self.name, why)
        return SignInFailed(f"logging in at {self.name} failed: {why}")


def _basic(client_id: str, secret: str) -> str:
    # RFC 6749, section 2.3.1: both are form-encoded first.
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _problem(claims: Mapping[str, Any], *, issuer: str, client_id: str, nonce: str) -> str:
    """Return what is wrong with the claims of an id_token."""
    now = meta.now()
    expires_at = signatures.moment(claims.get("exp"))
    named, party, given = signatures.audiences(claims), claims.get("azp", client_id), claims.get("nonce")
    subject = claims.get("sub")
    if claims.get("iss") != issuer:
        return "the id_token is of another issuer"
    if client_id not in named or party != client_id or (len(named) > 1 and "azp" not in claims):
        return "the id_token is for another client"
    if expires_at is None or now >= expires_at or not signatures.has_begun(claims, now=now):
        return "the id_token has expired or not begun"
    if not nonce or not isinstance(given, str) or not hmac.compare_digest(given.encode(), nonce.encode()):
        return "the id_token is of another log-in"
    if not isinstance(subject, str) or not subject:
        return "the id_token names nobody"
    return ""


def profile_of(claims: Mapping[str, Any], looked_for: Wanted) -> Profile:
    """Return who the claims are about; raises SignInFailed for names that cannot be had here.

    Without a preferred user name the subject is one, as in OpenShift.
    """
    subject = str(claims["sub"])
    groups = _groups(claims, looked_for.groups) if looked_for.groups else None
    name = _text(claims, looked_for.preferred_username) or subject
    for text in (subject, name, *(groups or ())):
        if text.startswith(RESERVED) or len(text) > LONGEST_NAME or not text.isprintable():
            raise SignInFailed("the provider gives a user or a group a name that is none here")
    return Profile(subject, name, _text(claims, looked_for.name), _text(claims, looked_for.email), groups)


def _text(claims: Mapping[str, Any], names: Iterable[str]) -> str:
    found = (claims.get(name) for name in names)
    return next((value for value in found if isinstance(value, str) and value), "")


def _groups(claims: Mapping[str, Any], names: Iterable[str]) -> tuple[str, ...]:
    """Return the groups of the first claim that is there: a text, or a list of texts."""
    found = next((claims[name] for name in names if name in claims), None)
    listed = [found] if isinstance(found, str) else list(signatures.texts(found))
    if len(listed) > MOST_GROUPS:
        raise SignInFailed(f"the provider names more than {MOST_GROUPS} groups")
    return tuple(dict.fromkeys(group for group in listed if group))
