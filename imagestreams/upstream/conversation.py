"""What is said to a registry about one repository: which credential, which token, which try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import parse_qsl, urlsplit

from imagestreams.upstream import challenge
from imagestreams.upstream.answers import Answer, failure
from imagestreams.upstream.attempts import Attempt, Attempts, Verdict, verdict
from imagestreams.upstream.challenge import Challenge
from imagestreams.upstream.endpoints import Endpoint, Endpoints
from imagestreams.upstream.errors import Denied, Transient, Unauthorized, Unreachable, UpstreamError
from imagestreams.upstream.failures import request_line
from imagestreams.upstream.supply import Offer, Supply
from imagestreams.upstream.tokens import NOTHING, Grant, Purpose, Tokens
from imagestreams.upstream.transport import Call, Transport, join, origin
from imagestreams.upstream.tries import retried
from imagestreams.upstream.values import Credential, Deadline, Repository

UNAUTHORIZED = "UNAUTHORIZED"
"""The error code of whoever is to show another credential."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the conversations of a process share."""

    transport: Transport
    endpoints: Endpoints
    tokens: Tokens


class _NotMade(Exception):
    """A credential could not be made at the moment; another one may do."""

    def __init__(self, error: UpstreamError) -> None:
        super().__init__(error.text)
        self.error = error


class Conversation:
    """The requests about one repository, made with the first of the credentials that is accepted."""

    def __init__(
        self,
        services: Services,
        repository: Repository,
        *,
        credentials: Sequence[Offer],
        insecure: bool,
        attempts: Attempts | None = None,
    ) -> None:
        self._services = services
        self._repository = repository
        self._credentials: list[Offer] = list(dict.fromkeys(credentials)) or [None]
        self._insecure = insecure
        self._attempts = attempts or Attempts(recalls=False)
        self._challenges: tuple[Challenge, ...] = ()
        self._scope = f"repository:{repository.path}:pull"

    def ask(
        self,
        method: str,
        where: str,
        *,
        deadline: Deadline,
        limit: int,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
    ) -> Answer:
        """Return a successful answer; `where` is a path below the repository, or a URL that the registry gave.

        Raises UpstreamError: that of a credential that may yet be made, or that of the first to which the registry
        hides the repository, or else of the first when all are refused.
        """
        call = Call(method, where, deadline, limit, self._insecure, headers or {}, stream=stream)
        failed: dict[Offer, UpstreamError] = {}
        unmade: list[UpstreamError] = []
        hidden = False
        for offer in self._attempts.ordered(self._repository, self._credentials):
            if hidden and offer is None:
                continue
            try:
                return self._offered(call, offer)
            except _NotMade as fault:
                unmade.append(fault.error)
            except UpstreamError as error:
                said = verdict(error)
                if said not in (Verdict.REFUSED, Verdict.HIDDEN):
                    raise
                hidden = hidden or said is Verdict.HIDDEN
                failed[offer] = error
        if unmade:
            raise unmade[0]
        errors = [failed[one] for one in self._credentials if one in failed]
        wanted = Verdict.HIDDEN if hidden else Verdict.REFUSED
        raise next(error for error in errors if verdict(error) is wanted)

    def _offered(self, call: Call, offer: Offer) -> Answer:
        """Return a successful answer; a credential that was made, and then refused, is made once more."""
        if offer is None or isinstance(offer, Credential):
            return retried(partial(self._attempt, call, offer), deadline=call.deadline)
        made = self._made(call, offer)
        try:
            answer = retried(partial(self._attempt, call, made), deadline=call.deadline)
        except UpstreamError as error:
            again = self._made(call, offer, instead_of=made) if _may_have_ended(error) else None
            if again is None:
                raise
            answer = retried(partial(self._attempt, call, again), deadline=call.deadline)
        self._attempts.prefer(self._repository, offer)
        return answer

    def _made(self, call: Call, offer: Supply, *, instead_of: Credential | None = None) -> Credential | None:
        """Return what a supply gives; have it noted when that is nothing."""
        try:
            if instead_of is None:
                return offer.credential(deadline=call.deadline)
            return offer.renewed(instead_of, deadline=call.deadline)
        except UpstreamError as error:
            self._attempts.note(Attempt(self._repository, Credential(origin=offer.origin), _part(call)), error)
            if isinstance(error, Transient):
                raise _NotMade(error) from error
            raise

    def _attempt(self, call: Call, credential: Credential | None) -> Answer:
        """Return a successful answer to one credential, and have it noted how that went."""
        attempt = Attempt(self._repository, credential, _part(call), scope=self._scope)
        host = self._repository.endpoint
        payer = attempt.credential.payer if attempt.credential else ""
        try:
            endpoint = self._services.endpoints.find(host, insecure=self._insecure, deadline=call.deadline)
            url = join(f"{endpoint.base}/v2/{self._repository.path}/", call.url)
            attempt.request = request_line(call.method, url)
            with self._attempts.turn(attempt, call.deadline):
                self._attempts.recall(attempt)
                answer = self._authorised(replace(call, url=url, payer=payer), attempt, endpoint)
                self._attempts.note(attempt, None)
                return answer
        except UpstreamError as error:
            if isinstance(error, Unreachable):
                self._services.endpoints.forget(host, insecure=self._insecure)
            self._attempts.note(attempt, error)
            raise

    def _authorised(self, call: Call, attempt: Attempt, endpoint: Endpoint) -> Answer:
        """Return a successful answer, authorised as the registry wants it; other hosts get no authorization."""
        credential = attempt.credential
        purpose = Purpose(attempt.request, call.url, self._scope, self._insecure, call.deadline)
        home = origin(endpoint.base)
        asked = self._challenges or endpoint.challenges
        grant = NOTHING
        if origin(call.url) == home:
            attempt.challenge = challenge.preferred(asked)
            grant = self._services.tokens.grant(asked, credential, purpose)
        answer = self._send(call, credential, grant)
        if answer.status in (401, 403) and origin(answer.url) == home:
            better = self._better(answer, asked, grant, attempt, purpose)
            if better is not None:
                grant = better
                answer = self._send(call, credential, grant)
        attempt.is_sent = bool(grant.header)
        if 200 <= answer.status < 300:
            return answer
        raise _refusal(call, credential, grant, answer)

    def _send(self, call: Call, credential: Credential | None, grant: Grant) -> Answer:
        told, private = partial(_refusal, call, credential, grant), (self._repository.path,)
        return self._services.transport.send(replace(call, authorization=grant.header, told=told, private=private))

    def _better(
        self, answer: Answer, asked: tuple[Challenge, ...], grant: Grant, attempt: Attempt, purpose: Purpose
    ) -> Grant | None:
        """Return what to send after a refusal, or None when there is nothing better than what was sent."""
        credential = attempt.credential
        told = answer.challenges if answer.status == 401 else asked
        wanted = challenge.preferred(told)
        if wanted is None or (wanted.scheme == "basic" and not (credential and credential.has_password)):
            return None
        answered = challenge.preferred(asked)
        scope = challenge.widened(purpose.scope, wanted["scope"])
        is_other = answered is None or _ways(answered) != _ways(wanted) or scope != purpose.scope
        if grant.is_fresh and not is_other:
            return None
        self._challenges, self._scope = told, scope
        attempt.challenge, attempt.scope = wanted, scope
        return self._services.tokens.grant(told, credential, replace(purpose, scope=scope), renew=not is_other)


def _refusal(call: Call, credential: Credential | None, grant: Grant, answer: Answer) -> UpstreamError:
    """Return the error that an answer without success is, without the secrets that were sent."""
    secrets = (*(credential.secrets() if credential else ()), *grant.secrets(), *_signatures(call, answer))
    error = failure(answer, hide=secrets)
    if call.method == "HEAD" and answer.status == 401 and UNAUTHORIZED not in error.codes:
        # The body of a 401 says so, and a HEAD has none; the error may be recalled for a GET.
        return Unauthorized(error.text, codes=[*error.codes, UNAUTHORIZED], status=answer.status)
    return error


def _may_have_ended(error: UpstreamError) -> bool:
    """Return whether a refusal may be about the age of a credential; some registries answer 403 to what has ended."""
    is_refused = verdict(error) is Verdict.REFUSED
    return is_refused and (not isinstance(error, Denied) or "expired" in error.text)


def _part(call: Call) -> str:
    """Return what a call is about; the only whole URLs are those of further pages of tags."""
    return "tags" if "://" in call.url else call.url.partition("/")[0]


def _signatures(call: Call, answer: Answer) -> tuple[str, ...]:
    """Return what lets a bearer of the last URL in, when a redirect led to it."""
    if answer.url == call.url:
        return ()
    query = urlsplit(answer.url).query
    return (*(value for _, value in parse_qsl(query)), *(pair.partition("=")[2] for pair in query.split("&")))


def _ways(one: Challenge) -> tuple[str, str, str]:
    return one.scheme, one["realm"], one["service"]
