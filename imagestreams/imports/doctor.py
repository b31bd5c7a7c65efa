"""What became of the credentials of an import, told to whoever asked for it. Pure.

The answer to an ImageStreamImport gets it as JSON in an annotation when there is something to tell: see
docs/imports.md, "Unauthorized with a valid secret". It never holds a credential, and user names neither.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from imagestreams.credentials import Keyring, Origin, Skipped, Why
from imagestreams.reference import DOCKER_HUB, HUB_ENDPOINT, PullSpec
from imagestreams.upstream.answers import SHORTEST_SECRET
from imagestreams.upstream.attempts import Attempt, Attempts, Verdict
from imagestreams.upstream.errors import TOKEN
from imagestreams.upstream.failures import shown
from imagestreams.upstream.values import Credential, Repository

ANNOTATION = "import.registry-meta.io/credentials"
MOST_REPOSITORIES = 20
MOST_TRIED = 20
MOST_SKIPPED = 20
MOST_BYTES = 128 * 1024
"""The length of all that is told; Kubernetes allows twice as much for the annotations of an object."""
LONGEST_WORDS = 512

Json = dict[str, object]

NEAR = frozenset(
    {Why.EXCLUDED, Why.OTHER_PATH, Why.OTHER_PORT, Why.HUB_NAME, Why.UNREADABLE, Why.EMPTY, Why.OTHER_TYPE}
)
"""Why a credential is not used that may well have been meant for the repository."""

MESSAGES = {
    Why.EXCLUDED: "its secret has the annotation openshift.io/image.excludeSecret",
    Why.OTHER_PATH: "its path is not the start of the path of the repository",
    Why.OTHER_PORT: "its port is another one; none is not the same as 443",
    Why.HUB_NAME: "the key of Docker Hub is https://index.docker.io/v1/",
    Why.UNREADABLE: "it cannot be read",
    Why.EMPTY: "it has neither a user name with a password nor a token",
    Why.OTHER_TYPE: "the type of its secret is none of kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg",
    Why.SAME: "it is the same as one that was tried",
    Why.TOO_MANY: "there were too many others before it",
    Why.NOT_HERE: "it is not for this namespace",
    Why.OTHER_HOST: "its host is another one",
}


class Teller:
    """How much may be told: `names` says whether whoever asks may know the secrets of the namespace.

    What registries say is told without what they were shown, and they were shown what was tried alone.
    """

    def __init__(self, attempts: Iterable[Attempt], keyring: Keyring, *, names: bool) -> None:
        shown_ones = [attempt.credential for attempt in attempts if attempt.credential is not None]
        self.keyring = keyring
        self.names = names
        self._hidden = _any_of({text for one in shown_ones for text in _texts(one)}, "{}")
        self._users = _any_of({one.username for one in shown_ones}, r"(?<!\w){}(?!\w)")

    def who(self, origin: object) -> Json:
        """Return how a credential is named."""
        if not isinstance(origin, Origin):
            return {"kind": "Anonymous"} if origin is None else {"kind": "Minted"}
        if not origin.secret:
            return {"kind": "Server"}
        if not self.names:
            return {"kind": "Secret"}
        return {"kind": "Secret", "name": origin.secret, **({"key": origin.key[:LONGEST_WORDS]} if origin.key else {})}

    def words(self, text: str) -> str:
        """Return what a registry said, without passwords, tokens, user names and what cannot be printed."""
        text = self._users.sub("[hidden]", self._hidden.sub("[hidden]", text))
        return "".join(letter if letter.isprintable() else " " for letter in text)[:LONGEST_WORDS]


def _texts(credential: Credential) -> Iterator[str]:
    yield from credential.secrets()
    yield base64.b64encode(credential.password.encode()).decode()


def _any_of(texts: Iterable[str], pattern: str) -> re.Pattern[str]:
    """Return what finds any of some texts, long ones first; very short ones cannot be told from words."""
    long = sorted((text for text in texts if len(text) >= SHORTEST_SECRET), key=len, reverse=True)
    return re.compile("|".join(pattern.format(re.escape(text)) for text in long) or r"(?!)")


def diagnosis(attempts: Attempts, keyring: Keyring, *, dry_run: bool, failed: bool, names: bool) -> dict[str, str]:
    """Return the annotation that tells of the credentials of an import; empty when there is nothing to tell."""
    if not (dry_run or failed):
        return {}
    tried = _by_repository(attempts)
    teller = Teller(attempts.all(), keyring, names=names)
    wanted = [place for place, found in tried.items() if is_telling(found, keyring, dry_run=dry_run)]
    if not wanted:
        return {}
    told: list[Json] = []
    room = MOST_BYTES
    for place in wanted[:MOST_REPOSITORIES]:
        repository = _repository(place, tried[place], teller)
        room -= len(_text(repository).encode())
        if room < 0:
            break
        told.append(repository)
    return {ANNOTATION: _text({"repositories": told, **_rest("repositoriesLeftOut", len(wanted) - len(told))})}


def closed(attempts: Attempts, keyring: Keyring) -> dict[str, str]:
    """Return what to do at each repository that let nobody in, for all who may look at the namespace."""
    tried = _by_repository(attempts)
    teller = Teller(attempts.all(), keyring, names=False)
    return {
        f"{_shown_host(place)}/{place.path}": advice(place, found, keyring.skipped(spec_of(place)), teller)
        for place, found in list(tried.items())[:MOST_REPOSITORIES]
        if is_telling(found, keyring, dry_run=False)
        and not {Verdict.ACCEPTED, Verdict.FAILED} & {one.verdict for one in found}
    }


def _by_repository(attempts: Attempts) -> dict[Repository, list[Attempt]]:
    tried: dict[Repository, list[Attempt]] = {}
    for attempt in attempts.all():
        tried.setdefault(attempt.repository, []).append(attempt)
    return tried


def _text(document: Json) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def is_telling(attempts: Sequence[Attempt], keyring: Keyring, *, dry_run: bool) -> bool:
    """Return whether credentials have anything to do with how a repository answered."""
    if dry_run and not keyring.is_empty:
        return True
    for attempt in attempts:
        if attempt.verdict is Verdict.REFUSED or (attempt.verdict is Verdict.HIDDEN and attempt.challenge is not None):
            return True
        if attempt.verdict is Verdict.FAILED and attempt.credential is not None:
            return True
    return False


def _repository(place: Repository, attempts: Sequence[Attempt], teller: Teller) -> Json:
    skipped = teller.keyring.skipped(spec_of(place))
    accepted = next((one for one in attempts if one.verdict is Verdict.ACCEPTED), None)
    return {
        "repository": f"{_shown_host(place)}/{place.path}",
        **({"accepted": teller.who(_origin(accepted))} if accepted is not None and accepted.is_sent else {}),
        "tried": [_attempt(one, teller) for one in attempts[:MOST_TRIED]],
        **_rest("triedLeftOut", len(attempts) - MOST_TRIED),
        **_skipped(skipped, teller),
        "advice": advice(place, attempts, skipped, teller),
    }


def spec_of(place: Repository) -> PullSpec:
    """Return a repository as a pull spec, by which keys are chosen."""
    namespace, _, name = place.path.rpartition("/")
    return PullSpec(_shown_host(place), namespace, name)


def _shown_host(place: Repository) -> str:
    return DOCKER_HUB if place.host == HUB_ENDPOINT else place.host


def _origin(attempt: Attempt) -> object:
    """Return where a credential is kept, None for no credential, and anything else for one that is kept nowhere."""
    return (attempt.credential.origin or "") if attempt.credential is not None else None


def _attempt(attempt: Attempt, teller: Teller) -> Json:
    challenge, error = attempt.challenge, attempt.error
    told: Json = {"credential": teller.who(_origin(attempt)), "outcome": attempt.verdict.value}
    if attempt.verdict is Verdict.ACCEPTED and not attempt.is_sent:
        told["outcome"] = "NotNeeded"
    if challenge is not None:
        told["wanted"] = challenge.scheme
        if challenge.scheme == "bearer":
            told |= {
                "realm": teller.words(shown(challenge["realm"])),
                "service": teller.words(challenge["service"]),
                "scope": teller.words(attempt.scope),
            }
    if error is not None:
        told["answeredBy"] = "token service" if error.answered_by == TOKEN else "registry"
        told |= {"status": error.status} if error.status is not None else {}
        told["message"] = teller.words(error.text)
    return told


def _skipped(skipped: Sequence[Skipped], teller: Teller) -> Json:
    """Return what was not tried: each by its name, or how many for which reason."""
    # What the server itself has for other registries is nobody's business here.
    own = [one for one in skipped if one.origin.secret or one.why is Why.NOT_HERE]
    if not own:
        return {}
    if not teller.names:
        counts = Counter(one.why for one in own)
        return {"skipped": [{"reason": why.value, "message": MESSAGES[why], "count": counts[why]} for why in counts]}
    told = [_one_skipped(one, teller) for one in own[:MOST_SKIPPED]]
    return {"skipped": told, **_rest("skippedLeftOut", len(own) - len(told))}


def _one_skipped(skipped: Skipped, teller: Teller) -> Json:
    detail = f": {teller.words(skipped.detail)}" if skipped.detail else ""
    message = MESSAGES[skipped.why] + detail
    return {"credential": teller.who(skipped.origin), "reason": skipped.why.value, "message": message}


def _rest(name: str, count: int) -> Mapping[str, int]:
    return {name: count} if count > 0 else {}


# --- what to do


def advice(place: Repository, attempts: Sequence[Attempt], skipped: Iterable[Skipped], teller: Teller) -> str:
    """Return one sentence that says what to do, empty when all is well."""
    host = _shown_host(place)
    shown_ones = [one for one in attempts if one.credential is not None]
    refused = next((one for one in shown_ones if one.verdict is Verdict.REFUSED), None)
    accepted = [one.credential for one in attempts if one.verdict is Verdict.ACCEPTED]
    if accepted and refused is not None and refused.credential in accepted:
        return f"Let the account of {_named(refused, teller)} read all of {place.path}: some of it is refused."
    if accepted:
        return "" if refused is None else f"Renew or remove {_named(refused, teller)}: the repository opens without it."
    if any(one.verdict is Verdict.FAILED for one in attempts):
        return f"See what the message says of {host}: it gave no answer that says anything of credentials."
    if refused is not None:
        return _against_refusal(refused, place, teller)
    if any(one.verdict is Verdict.HIDDEN for one in shown_ones):
        return f"Look at the spelling, and see that the account may read {place.path}: the registry does not show it."
    near = next((one for one in skipped if one.why in NEAR), None)
    key = "https://index.docker.io/v1/" if host == DOCKER_HUB else host
    if near is None or not teller.names:
        return f"Make a pull secret in the namespace with the key {key}: none fits."
    return _against_miss(near, key)


def _against_refusal(refused: Attempt, place: Repository, teller: Teller) -> str:
    name, error = _named(refused, teller), refused.error
    if error is not None and error.answered_by == TOKEN and error.status in (400, 401):
        return f"Renew {name}: the token service says that it is wrong or has ended."
    if error is not None and error.status is None:
        return f"Put a user name and a password into {name}: the registry takes nothing else."
    if refused.challenge is not None and refused.challenge.scheme == "basic" and error is not None:
        if error.status == 401:
            return f"Renew {name}: the registry says that it is wrong, has ended, or may not read {place.path}."
        return f"Let the account of {name} read {place.path}: the registry says that it may not."
    return f"Let the account of {name} read {place.path}: its login is good, but it may not read this."


def _against_miss(near: Skipped, key: str) -> str:
    secret = f'the secret "{near.origin.secret}"'
    if near.why is Why.EXCLUDED:
        return f"Take the annotation openshift.io/image.excludeSecret from {secret}, or make another one."
    if near.why is Why.OTHER_TYPE:
        return f"Make {secret} anew with the type kubernetes.io/dockerconfigjson: it has another one."
    if near.why in (Why.UNREADABLE, Why.EMPTY):
        return f"Make {secret} anew with the key {key}, a user name and a password: it cannot be used as it is."
    return f'Write {key} in place of the key "{near.origin.key}" of {secret}, if it is meant for this registry.'


def _named(attempt: Attempt, teller: Teller) -> str:
    origin = _origin(attempt)
    if not isinstance(origin, Origin):
        return "the credential that is made for this registry"
    if not origin.secret:
        return "the pull secret of the server"
    return f'the key "{origin.key}" of the secret "{origin.secret}"' if teller.names else "the pull secret"
