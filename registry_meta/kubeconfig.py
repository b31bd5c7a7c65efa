"""The kubeconfig file that is written for the administrator (client.authentication of kubectl, oc and client-go)."""

from __future__ import annotations

import base64

import yaml

CLUSTER = "registry-meta"
USER = "admin"
NAMESPACE = "default"


def render(*, server: str, token: str, authority: bytes | None) -> str:
    """Return the text of a kubeconfig that reaches `server` with `token`, trusting the PEM `authority` if given."""
    cluster: dict[str, object] = {"server": server}
    if authority is not None:
        cluster["certificate-authority-data"] = base64.b64encode(authority).decode()
    config: dict[str, object] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": CLUSTER, "cluster": cluster}],
        "users": [{"name": USER, "user": {"token": token}}],
        "contexts": [{"name": CLUSTER, "context": {"cluster": CLUSTER, "user": USER, "namespace": NAMESPACE}}],
        "current-context": CLUSTER,
        "preferences": {},
    }
    return str(yaml.safe_dump(config, sort_keys=False))
