"""What is said to a registry about one repository: which credential, which token, which try."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from imagestreams.upstream import challenge
from imagestreams.upstream.answers import Answer, failure
from imagestreams.upstream.challenge import Challenge
from imagestreams.upstream.endpoints import Endpoint, Endpoints
from imagestreams.upstream.errors import Denied, Unauthorized, Unreachable, UpstreamError
from imagestreams.upstream.failures import request_line
from imagestreams.upstream.tokens import NOTHING, Grant, Purpose, Tokens
from imagestreams.upstream.transport import Call, Transport, join, origin
from imagestreams.upstream.tries import retried
from imagestreams.upstream.values import Credential, Deadline, Repository


@dataclass(frozen=True, slots=True)
class Services:
    """What the conversations of a process share."""

    transport: Transport
    endpoints: Endpoints
    tokens: Tokens


class Conversation:
    """The requests about one repository, made with the first of the credentials that is accepted."""

    def __init__(
        self,
        services: Services,
        repository: Repository,
        *,
        credentials: Sequence[Credential | None],
        insecure: bool,
    ) -> None:
        self._services = services
        self._repository = repository
        self._credentials = list(dict.fromkeys(credentials)) or [None]
        self._insecure = insecure
        self._challenges: tuple[Challenge, ...] = ()

    def ask(
        self, method: str, where: str, *, deadline: Deadline, limit: int, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return a successful answer; `where` is a path below the repository, or a URL that the registry gave.

        Raises UpstreamError: that of the first credential when all are refused.
        """
        call = Call(method, where, deadline, limit, self._insecure, headers or {})
        refused: UpstreamError | None = None
        for credential in self._credentials:
            try:
                answer = retried(partial(self._attempt, call, credential), deadline=deadline)
            except (Unauthorized, Denied) as error:
                refused = refused or error
            else:
                self._prefer(credential)
                return answer
        raise refused or Unauthorized("there is no credential to try")

    def _prefer(self, accepted: Credential | None) -> None:
        """Try the credential that was accepted first from now on."""
        if self._credentials[0] != accepted:
            # A new list: another thread may be walking the old one.
            self._credentials = [accepted, *(other for other in self._credentials if other != accepted)]

    def _attempt(self, call: Call, credential: Credential | None) -> Answer:
        host = self._repository.endpoint
        endpoint = self._services.endpoints.find(host, insecure=self._insecure, deadline=call.deadline)
        url = join(f"{endpoint.base}/v2/{self._repository.path}/", call.url)
        payer = credential.payer if credential else ""
        try:
            return self._authorised(replace(call, url=url, payer=payer), credential, endpoint)
        except Unreachable:
            self._services.endpoints.forget(host, insecure=self._insecure)
            raise

    def _authorised(self, call: Call, credential: Credential | None, endpoint: Endpoint) -> Answer:
        """Return a successful answer, authorised as the registry wants it; other hosts get no authorization."""
        scope = f"repository:{self._repository.path}:pull"
        purpose = Purpose(request_line(call.method, call.url), call.url, scope, self._insecure, call.deadline)
        home = origin(endpoint.base)
        asked = self._challenges or endpoint.challenges
        grant = NOTHING
        if origin(call.url) == home:
            grant = self._services.tokens.grant(asked, credential, purpose)
        answer = self._services.transport.send(replace(call, authorization=grant.header))
        if answer.status == 401 and origin(answer.url) == home:
            better = self._better(answer, asked, grant, credential, purpose)
            if better is not None:
                grant = better
                answer = self._services.transport.send(replace(call, authorization=grant.header))
        if 200 <= answer.status < 300:
            return answer
        secrets = (*(credential.secrets() if credential else ()), *grant.secrets())
        raise failure(answer, hide=secrets)

    def _better(
        self,
        answer: Answer,
        asked: tuple[Challenge, ...],
        grant: Grant,
        credential: Credential | None,
        purpose: Purpose,
    ) -> Grant | None:
        """Return what to send after a 401, or None when there is nothing better than what was sent."""
        wanted = challenge.preferred(answer.challenges)
        if wanted is None or (wanted.scheme == "basic" and not (credential and credential.has_password)):
            return None
        answered = challenge.preferred(asked)
        is_other = answered is None or _ways(answered) != _ways(wanted)
        if grant.is_fresh and not is_other:
            return None
        self._challenges = answer.challenges
        return self._services.tokens.grant(answer.challenges, credential, purpose, renew=not is_other)


def _ways(one: Challenge) -> tuple[str, str, str]:
    return one.scheme, one["realm"], one["service"]
