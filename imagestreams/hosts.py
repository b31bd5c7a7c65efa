"""The registry host names that this server was told of."""

from __future__ import annotations

from imagestreams import configuration
from imagestreams.repositories import RegistryHosts


def registry_hosts() -> RegistryHosts:
    """Return the internal and external registry host names of the cluster or the settings; either may be empty."""
    return configuration.current().hosts
