"""Where the images of a namespace are looked for: at mirrors and registries, with the credentials that fit."""

from __future__ import annotations

from imagestreams import configuration
from imagestreams.configuration import Configuration
from imagestreams.credentials import Keyring, Login
from imagestreams.imports import cloud
from imagestreams.imports.routing import RoutedRepository
from imagestreams.minting.mint import Mint
from imagestreams.mirrors import Place
from imagestreams.reference import PullSpec
from imagestreams.upstream.attempts import Attempts
from imagestreams.upstream.client import RepositoryClient, UpstreamClient
from imagestreams.upstream.supply import Offer
from imagestreams.upstream.values import Credential, Deadline, Repository


class Sources:
    """Gives repositories for one import, with the credentials of its namespace that fit the places to look.

    No call of theirs outlasts `deadline`. `attempts` tells what became of the credentials.
    """

    def __init__(
        self,
        client: UpstreamClient,
        keyring: Keyring,
        *,
        cluster: Configuration | None = None,
        mint: Mint | None = None,
        deadline: Deadline | None = None,
    ) -> None:
        """Take what the cluster says of registries and the mint of the process, if nothing else is given."""
        self._client = client
        self._keyring = keyring
        known = cluster or configuration.current()
        self._registries = known.registries
        self._mint = mint or cloud.mint()
        client.trust(known.authorities)
        self._mint.trust(known.authorities)
        self._deadline = deadline
        self.attempts = Attempts()

    def repository(self, spec: PullSpec, *, insecure: bool) -> RoutedRepository:
        """Return the repository that a pull spec is in; nothing is asked yet."""
        return RoutedRepository(spec.repository(), self._registries, self._connect, insecure=insecure)

    def _connect(self, place: Place) -> RepositoryClient:
        host, path = place.spec.host_and_path()
        logins = self._keyring.logins(place.spec)
        offers: list[Offer] = [
            offer for login in logins if (offer := self._offer(login, host, insecure=place.insecure)) is not None
        ]
        if offers:
            # What is public stays so for those whose password is wrong.
            offers.append(None)
        return self._client.repository(
            Repository(host, path),
            credentials=offers,
            insecure=place.insecure,
            deadline=self._deadline,
            attempts=self.attempts,
        )

    def _offer(self, login: Login, host: str, *, insecure: bool) -> Offer:
        """Return what a login lets try; None for the server's own identity where nobody is sure who would get it."""
        if login.identity is None:
            return Credential(
                login.username, login.password, login.identity_token, login.registry_token, origin=login.origin
            )
        coin = self._mint.offer(login.identity, host, origin=login.origin)
        return None if insecure and coin.is_ambient else coin
