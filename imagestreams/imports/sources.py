"""Where the images of a namespace are looked for: at their registry, with the credentials that fit."""

from __future__ import annotations

from imagestreams.credentials import Keyring
from imagestreams.reference import PullSpec
from imagestreams.upstream.attempts import Attempts
from imagestreams.upstream.client import RepositoryClient, UpstreamClient
from imagestreams.upstream.values import Credential, Deadline, Repository


class Sources:
    """Gives clients of repositories for one import, each with the credentials of its namespace that fit.

    No call of theirs outlasts `deadline`. `attempts` tells what became of the credentials.
    """

    def __init__(self, client: UpstreamClient, keyring: Keyring, *, deadline: Deadline | None = None) -> None:
        self._client = client
        self._keyring = keyring
        self._deadline = deadline
        self.attempts = Attempts()

    def repository(self, spec: PullSpec, *, insecure: bool) -> RepositoryClient:
        """Return the client of the repository that a pull spec is in; nothing is asked yet."""
        host, path = spec.host_and_path()
        logins: list[Credential | None] = [
            Credential(login.username, login.password, login.identity_token, login.registry_token, origin=login.origin)
            for login in self._keyring.logins(spec)
        ]
        if logins:
            # What is public stays so for those whose password is wrong.
            logins.append(None)
        return self._client.repository(
            Repository(host, path),
            credentials=logins,
            insecure=insecure,
            deadline=self._deadline,
            attempts=self.attempts,
        )
