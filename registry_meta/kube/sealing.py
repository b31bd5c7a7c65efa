"""The documents of sealed kinds, such as Secret, as they lie in the database: encrypted.

A sealed text is `sealed:KEY:TOKEN`, which no JSON document can be: TOKEN is a Fernet token, and KEY the name of the key
that made it, eight hexadecimal digits. The keys are `settings.ENCRYPTION_KEYS`: the first seals, each unseals.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken
from django.conf import settings

from registry_meta.kube.errors import StatusError
from registry_meta.kube.resource import Resource

logger = logging.getLogger(__name__)

MARK = "sealed:"
NAME_LENGTH = 8
NAME_START = len(MARK)
NAME_END = NAME_START + NAME_LENGTH


class Unreadable(StatusError):
    """A stored document cannot be unsealed with the keys that are set; to clients a 500 without any of it."""

    def __init__(self, place: str, why: str) -> None:
        text = f"{place} cannot be decrypted: {why}"
        details: dict[str, object] = {"causes": [{"message": text}]}
        super().__init__(500, "InternalError", f"Internal error occurred: {text}", details=details)


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys by name, and the name of the one that seals."""

    newest: str
    by_name: Mapping[str, Fernet] = field(repr=False)


@lru_cache(maxsize=4)
def _keys(texts: tuple[str, ...]) -> Keys:
    named = {key_name(text): Fernet(text) for text in texts}
    return Keys(key_name(texts[0]), named)


def keys() -> Keys:
    """Return the keys that are set."""
    return _keys(tuple(settings.ENCRYPTION_KEYS))


def key_name(key: str) -> str:
    """Return the name of a Fernet key, from which nothing of the key can be learnt."""
    return hashlib.sha256(b"name of " + base64.urlsafe_b64decode(key)).hexdigest()[:NAME_LENGTH]


def newest_mark() -> str:
    """Return how every text begins that the first of the keys has sealed."""
    return f"{MARK}{keys().newest}:"


def seal(resource: Resource, document: str) -> str:
    """Return a document as it is stored: encrypted when its kind is sealed, and as it is otherwise."""
    return seal_text(document) if resource.sealed else document


def seal_text(text: str) -> str:
    """Return a text, encrypted with the newest key."""
    token = keys().by_name[keys().newest].encrypt(text.encode()).decode()
    return f"{newest_mark()}{token}"


def unseal(text: str, *, key: str, namespace: str, name: str) -> str:
    """Return the document of a stored text, which need not be sealed; the rest says whose it is.

    Raises Unreadable when the key is not among those that are set, or the text is damaged.
    """
    if not text.startswith(MARK):
        return text
    place = f'{key} "{namespace}/{name}"'
    known = keys().by_name.get(text[NAME_START:NAME_END])
    if known is None:
        raise _unreadable(place, "the encryption key that it was stored with is not set")
    try:
        return known.decrypt(text[NAME_END + 1 :].encode()).decode()
    except (InvalidToken, UnicodeError) as error:
        raise _unreadable(place, "what is stored of it is damaged") from error


def _unreadable(place: str, why: str) -> Unreadable:
    error = Unreadable(place, why)
    logger.error("%s", error.message)
    return error
