"""A registry of a cloud: CNCF Distribution behind a gate that lets pass whom the cloud knows."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import requests

from tests.clouds.amazon import Amazon
from tests.registries import Reply, Request, StandIn

Admission = Callable[[Request, str], Reply | None]
PASSED_ON = ("accept", "range")
PASSED_BACK = ("Content-Type", "Docker-Content-Digest", "Docker-Distribution-Api-Version")


class Gate(StandIn):
    """Passes requests on to a registry unless `admits` answers them; `behind` is the URL of the registry."""

    def __init__(self, behind: str, admits: Admission, *, tls: tuple[Path, Path] | None = None) -> None:
        super().__init__(self._pass, tls=tls)
        self._behind = behind
        self._admits = admits

    def _pass(self, request: Request) -> Reply:
        answer = self._admits(request, self.base)
        return answer if answer is not None else self._passed(request)

    def _passed(self, request: Request) -> Reply:
        headers = {name: value for name, value in request.headers.items() if name in PASSED_ON}
        query = f"?{urlencode(request.query)}" if request.query else ""
        url = f"{self._behind}{request.path}{query}"
        answer = requests.request(request.method, url, headers=headers, timeout=30)
        back = {name: answer.headers[name] for name in PASSED_BACK if name in answer.headers}
        if request.method == "HEAD":
            back["Content-Length"] = answer.headers.get("Content-Length", "0")
        return Reply(answer.status_code, answer.content, back)


def of_amazon(amazon: Amazon) -> Admission:
    """Return what lets pass who shows the newest password; a former one has expired, in Amazon's words."""

    def admits(request: Request, base: str) -> Reply | None:
        given = base64.b64decode(request.headers.get("authorization", "").removeprefix("Basic ")).decode()
        user, _, password = given.partition(":")
        if user == amazon.user and amazon.passwords[-1:] == [password]:
            return None
        if password in amazon.passwords:
            words = "Your authorization token has expired. Reauthenticate and try again."
            return Reply(403, f'{{"errors":[{{"code":"DENIED","message":"{words}"}}]}}')
        challenge = f'Basic realm="{base}/",service="ecr.amazonaws.com"'
        return Reply(401, "Not Authorized\n", {"WWW-Authenticate": challenge})

    return admits
