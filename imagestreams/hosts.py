"""The registry host names that this server was told of."""

from __future__ import annotations

from django.conf import settings

from imagestreams.tags import RegistryHosts


def registry_hosts() -> RegistryHosts:
    """Return the internal and external registry host names of the settings; either may be empty."""
    environment = settings.ENVIRONMENT
    return RegistryHosts(environment.internal_registry_hostname, environment.external_registry_hostname)
