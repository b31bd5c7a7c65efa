"""What each field of the cluster's image configuration means, in words for `kubectl explain`."""

from __future__ import annotations

from collections.abc import Mapping

from imagestreams import clustertypes as types

MIRRORS = {
    "mirrors": "Where to look for an image, in this order, before its own registry: each takes the place of the source"
    " in the pull spec.",
    "source": "What is mirrored: host[:port], host[:port]/path, or *.domain for every host below it. Of several"
    " sources that fit a pull spec the most specific one counts.",
}
POLICY = {
    "mirrorSourcePolicy": "AllowContactingSource asks the source when no mirror has the image; NeverContactSource"
    " never asks it.",
}

DESCRIPTIONS: Mapping[type, Mapping[str, str]] = {
    types.ImageDigestMirrors: {**MIRRORS, **POLICY},
    types.ImageTagMirrors: {**MIRRORS, **POLICY},
    types.RepositoryDigestMirrors: MIRRORS,
    types.ImageDigestMirrorSetSpec: {"imageDigestMirrors": "Sources, each with its mirrors."},
    types.ImageTagMirrorSetSpec: {"imageTagMirrors": "Sources, each with its mirrors."},
    types.ImageContentSourcePolicySpec: {"repositoryDigestMirrors": "Sources, each with its mirrors."},
    types.RegistryLocation: {
        "domainName": "The host, which may have the wildcards * and ?, and a port where it is not the usual one.",
        "insecure": "Whether the usual port is 80 in place of 443.",
    },
    types.ConfigMapNameReference: {"name": "The name."},
    types.RegistrySources: {
        "allowedRegistries": "Registries that nodes may pull from. It says nothing of imports.",
        "blockedRegistries": "Registries, repositories and *.domain that nothing is imported from.",
        "containerRuntimeSearchRegistries": "Registries that nodes look for short names in. It says nothing of"
        " imports.",
        "insecureRegistries": "Registries, repositories and *.domain whose certificates are not looked at.",
    },
    types.ImageSpec: {
        "additionalTrustedCA": "A ConfigMap of the namespace openshift-config with authorities that are trusted in"
        " addition, by the registry that each is for.",
        "allowedRegistriesForImport": "The registries that users may import from; all when there are none.",
        "externalRegistryHostnames": "Hosts of the integrated registry for clients outside; the first one counts.",
        "imageStreamImportMode": "The import mode of tags that name none: Legacy or PreserveOriginal.",
        "registrySources": "How single registries are treated.",
    },
    types.ImageStatus: {
        "externalRegistryHostnames": "Hosts of the integrated registry that operators found.",
        "imageStreamImportMode": "The import mode in force.",
        "internalRegistryHostname": "The host of the integrated registry inside the cluster.",
    },
}
