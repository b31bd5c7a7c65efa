"""The administrator's kubeconfig is one that clients read."""

from __future__ import annotations

import base64
from typing import Any

import yaml
from kubernetes.config import kube_config

from registry_meta import kubeconfig

client: Any = kube_config  # it has no types


def test_a_client_reads_server_token_and_authority() -> None:
    text = kubeconfig.render(server="https://127.0.0.1:8443", token="t0ken", authority=b"PEM")

    loader = client.KubeConfigLoader(yaml.safe_load(text))

    cluster = loader.current_context["context"]
    assert cluster == {"cluster": "registry-meta", "user": "admin", "namespace": "default"}
    config = yaml.safe_load(text)
    assert config["users"] == [{"name": "admin", "user": {"token": "t0ken"}}]
    assert base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]) == b"PEM"
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:8443"


def test_without_an_authority_the_client_uses_its_own() -> None:
    config = yaml.safe_load(kubeconfig.render(server="https://meta.example.com", token="t", authority=None))

    assert config["clusters"][0]["cluster"] == {"server": "https://meta.example.com"}
