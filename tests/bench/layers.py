"""How long the layers of a stream with a long history take."""

from __future__ import annotations

from tests.bench import seed, timing
from tests.bench.bulk import Bulk
from tests.server import Server

IMAGES = 5000
LAYERS = 20
TAGS = 50
TURNS = 7


def milliseconds(server: Server, *, shared: int, whole: bool) -> float:
    """Return how long the layers of a stream take whose images have so many of their layers in common.

    `whole` images have their manifests and configurations in themselves.
    """
    bulk = Bulk(server)
    name = f"layered-{shared}{'-whole' if whole else ''}"
    digests = [seed.digest(f"{name} {number}") for number in range(IMAGES)]
    images = (bulk.image(digest, layers=LAYERS, shared=shared, whole=whole) for digest in digests)
    histories = {f"v{tag}": digests[tag::TAGS] for tag in range(TAGS)}
    bulk.add(images, [bulk.stream(seed.NAMESPACES[0], name, histories, labels={})])
    bulk.settle()
    url = f"{server.url}{seed.API}/namespaces/{seed.NAMESPACES[0]}/imagestreams/{name}/layers"
    with server.client() as client:
        found = len(timing.once(client, url)[1].json()["images"])
        if found != IMAGES:
            raise RuntimeError(f"{url} tells of {found} images instead of {IMAGES}")
        return timing.median(client, url, turns=TURNS)
