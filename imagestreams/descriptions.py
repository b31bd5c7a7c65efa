"""What each field of images, streams and triggers means, in words for `kubectl explain`."""

from __future__ import annotations

from collections.abc import Mapping

from imagestreams import ledgertypes, types
from imagestreams.api import imagetrigger

POLICIES = {
    "importPolicy": "How the image is imported.",
    "referencePolicy": "How builds and deployments are told to refer to the image.",
}
IMPORTED = {
    **POLICIES,
    "from": "Where the image comes from; the kind is DockerImage, the name a pull spec.",
    "includeManifest": "Whether the answer includes the manifests.",
}
FINDING = {
    "lastTransitionTime": "When the status last changed.",
    "message": "What was found, for people.",
    "reason": "What was found, in one word for machines.",
    "status": "True, False or Unknown.",
}

STREAMS: Mapping[type, Mapping[str, str]] = {
    types.ImageLookupPolicy: {
        "local": "Whether `name` and `name:tag` in workloads of the namespace mean this stream.",
    },
    types.TagImportPolicy: {
        "importMode": "Legacy imports one platform of a manifest list, PreserveOriginal the whole list.",
        "insecure": "Whether the registry may be reached without TLS or with a certificate that nobody vouches for.",
        "scheduled": "Whether the tag is imported again from time to time.",
    },
    types.TagReferencePolicy: {
        "type": "Source refers to the image where it came from, Local through the registry of this server.",
    },
    types.TagReference: {
        **POLICIES,
        "annotations": "Notes on the tag, for people and tools.",
        "from": "Where the image comes from: a DockerImage, an ImageStreamTag or an ImageStreamImage.",
        "generation": "The generation of the stream at which the tag last changed; 0 asks for a new import.",
        "name": "The name of the tag.",
        "reference": "Whether the tag only names its source, which is then neither imported nor followed.",
    },
    types.ImageStreamSpec: {
        "dockerImageRepository": "A repository all of whose tags are imported; tags are better listed one by one.",
        "lookupPolicy": "Whether workloads may name images of this stream without a registry.",
        "tags": "The tags, each with the place that its image comes from.",
    },
    types.TagEvent: {
        "created": "When the tag was pointed at the image.",
        "dockerImageReference": "The pull spec of the image.",
        "generation": "The generation of the tag that led here.",
        "image": "The digest of the image, which is the name of its Image object.",
    },
    types.TagEventCondition: {
        **FINDING,
        "generation": "The generation of the tag that this is about.",
        "type": "ImportSuccess: an import failed. Held: there is a newer image, which the tag may not take.",
    },
    types.NamedTagEventList: {
        "conditions": "What is the matter with the tag.",
        "items": "The images that the tag pointed to, newest first.",
        "tag": "The name of the tag.",
    },
    types.ImageStreamStatus: {
        "dockerImageRepository": "Where this server's registry serves the stream inside the cluster.",
        "publicDockerImageRepository": "Where this server's registry serves the stream to everybody else.",
        "tags": "The history of each tag.",
    },
    types.ImageStreamTag: {
        "conditions": "What is the matter with the tag.",
        "generation": "The generation of the newest entry of the tag's history.",
        "image": "The image that the tag points to.",
        "lookupPolicy": "Whether workloads may name the image without a registry.",
        "tag": "What the tag is wished to be; absent for tags that were only pushed.",
    },
    types.ImageTag: {
        "image": "The image that the tag points to, if there is one.",
        "spec": "What the tag is wished to be; absent for tags that were only pushed.",
        "status": "The history of the tag.",
    },
    types.ImageStreamImage: {"image": "The image."},
    types.ImageStreamMapping: {"image": "The image, with the name of its digest.", "tag": "The tag to point to it."},
    types.ImageLayerData: {"mediaType": "The media type of the blob.", "size": "The size in bytes, if it is known."},
    types.ImageBlobReferences: {
        "config": "The digest of the configuration, which is one of the blobs.",
        "imageMissing": "Whether the image is named by the stream but no longer exists.",
        "layers": "The digests of the layers, lowest first.",
        "manifests": "The digests of the members of a manifest list.",
    },
    types.ImageStreamLayers: {
        "blobs": "The blobs that the images of the stream use, by digest.",
        "images": "The images of the stream and the blobs that each is made of, by digest.",
    },
}

IMPORTS: Mapping[type, Mapping[str, str]] = {
    types.LocalObjectReference: {"name": "The name."},
    types.RepositoryImportSpec: {**IMPORTED, "from": "The repository; the kind is DockerImage."},
    types.ImageImportSpec: {**IMPORTED, "to": "The tag to write; without it, the tag of the pull spec."},
    types.ImageStreamImportSpec: {
        "images": "Images to import, one by one.",
        "import": "Whether what is found is written to the stream, or only shown.",
        "repository": "A repository all of whose tags are imported.",
    },
    types.ImageImportStatus: {
        "image": "The image that was found.",
        "manifests": "The members of the manifest list that was found.",
        "status": "How the import went: a Status object.",
        "tag": "The tag that the image is behind.",
    },
    types.RepositoryImportStatus: {
        "additionalTags": "Tags that were found but not imported, because there are too many.",
        "images": "How the import of each tag went.",
        "status": "How the look at the repository went: a Status object.",
    },
    types.ImageStreamImportStatus: {
        "images": "How the import of each image went, in the order of the request.",
        "import": "The stream as it is after the import.",
        "repository": "How the import of the repository went.",
    },
}

IMAGES: Mapping[type, Mapping[str, str]] = {
    types.ImageLayer: {
        "mediaType": "The media type of the layer.",
        "name": "The digest of the layer.",
        "size": "The size in bytes.",
    },
    types.ImageManifest: {
        "architecture": "The processor that the image is for, such as amd64.",
        "digest": "The digest of the manifest.",
        "manifestSize": "The size of the manifest in bytes.",
        "mediaType": "The media type of the manifest.",
        "os": "The operating system that the image is for, such as linux.",
        "variant": "The variant of the processor, such as v8.",
    },
    types.SignatureCondition: {
        **FINDING,
        "lastProbeTime": "When the signature was last looked at.",
        "type": "What was looked at: Trusted or ForImage.",
    },
    types.SignatureIssuer: {"commonName": "The name of the issuer.", "organization": "The issuer's organization."},
    types.SignatureSubject: {
        "commonName": "The name of the signer.",
        "organization": "The signer's organization.",
        "publicKeyID": "The identity of the key.",
    },
    types.ImageSignature: {
        "conditions": "What was found about the signature.",
        "content": "The signature itself, in base64.",
        "created": "When the signature was made, as it says itself.",
        "imageIdentity": "The image that was signed, as the signature names it.",
        "issuedBy": "Who issued the certificate or key.",
        "issuedTo": "Whom the certificate or key belongs to.",
        "signedClaims": "What the signature says of the image.",
        "type": "The kind of signature, such as atomic.",
    },
    types.Image: {
        "dockerImageConfig": "The configuration of the image, as JSON text.",
        "dockerImageLayers": "The layers of the image, lowest first.",
        "dockerImageManifest": "The manifest of the image, as JSON text.",
        "dockerImageManifestMediaType": "The media type of the manifest.",
        "dockerImageManifests": "The members of a manifest list or image index.",
        "dockerImageMetadata": "What the configuration says of the image.",
        "dockerImageMetadataVersion": "The version of the shape of dockerImageMetadata.",
        "dockerImageReference": "The pull spec of the image.",
        "dockerImageSignatures": "Signatures that came with the manifest.",
        "signatures": "Signatures of the image.",
    },
}

CONFIGURATIONS: Mapping[type, Mapping[str, str]] = {
    types.DockerConfig: {
        "AttachStderr": "Whether to attach to the standard error.",
        "AttachStdin": "Whether to attach to the standard input.",
        "AttachStdout": "Whether to attach to the standard output.",
        "Cmd": "What runs, or the arguments of the entry point.",
        "CpuShares": "The share of the processors, relative to other containers.",
        "Cpuset": "The processors that may be used.",
        "Dns": "The name servers.",
        "Domainname": "The domain name of the container.",
        "Entrypoint": "The program that runs.",
        "Env": "The environment, each entry NAME=value.",
        "ExposedPorts": "The ports that the container listens on, each port/protocol.",
        "Hostname": "The host name of the container.",
        "Image": "The image that this one was built from.",
        "Labels": "Labels of the image, by key.",
        "Memory": "The most memory, in bytes.",
        "MemorySwap": "The most memory and swap space, in bytes.",
        "NetworkDisabled": "Whether the container has no network.",
        "OnBuild": "Instructions for builds from this image.",
        "OpenStdin": "Whether the standard input stays open.",
        "PortSpecs": "Ports in an older notation.",
        "SecurityOpts": "Options of the security systems.",
        "StdinOnce": "Whether the standard input closes after the first client.",
        "Tty": "Whether there is a terminal.",
        "User": "The user, or user:group, that the program runs as.",
        "Volumes": "The paths that hold data of their own.",
        "VolumesFrom": "A container whose volumes are shared.",
        "WorkingDir": "The directory that the program starts in.",
    },
    types.DockerImage: {
        "Architecture": "The processor that the image is for, such as amd64.",
        "Author": "Who made the image.",
        "Comment": "What its maker said of the image.",
        "Config": "How containers of the image run.",
        "Container": "The container that the image was made from.",
        "ContainerConfig": "How the container ran that the image was made from.",
        "Created": "When the image was made.",
        "DockerVersion": "The version of Docker that made the image.",
        "Id": "The identity of the image.",
        "Parent": "The image that this one was built on.",
        "Size": "The size of all layers in bytes.",
        "apiVersion": "The version of the shape of this document.",
        "kind": "The shape of this document: DockerImage.",
    },
}

TRIGGERS: Mapping[type, Mapping[str, str]] = {
    imagetrigger.TriggerSource: {
        "kind": "Always ImageStreamTag.",
        "name": "The tag, as stream:tag.",
        "namespace": "The namespace of the stream; without one, that of the trigger.",
    },
    imagetrigger.SecretKeyReference: {"key": "The key.", "name": "The name of the Secret."},
    imagetrigger.Webhook: {
        "headers": "Headers that are sent along.",
        "secretRef": "The key that events are signed with.",
        "url": "Where events are posted to.",
    },
    imagetrigger.ImageTriggerSpec: {
        "from": "The tag that is listened to.",
        "paused": "Whether nothing is told for now.",
        "webhook": "Where events are posted to.",
    },
    imagetrigger.LastTriggered: {
        "image": "The digest of the image.",
        "reference": "The pull spec of the image.",
        "resourceVersion": "The version at which the tag moved.",
        "time": "When the consumer accepted it.",
    },
    imagetrigger.Condition: {
        **FINDING,
        "observedGeneration": "The generation of the trigger that this is about.",
        "type": "What this is about: Ready or Delivered.",
    },
    imagetrigger.ImageTriggerStatus: {
        "conditions": "Whether the trigger can tell, and whether it was heard.",
        "lastTriggered": "What the consumer was told last.",
        "observedGeneration": "The generation of the trigger that the rest is about.",
    },
}

LEDGER: Mapping[type, Mapping[str, str]] = {
    ledgertypes.TagEvent: {
        "actor": "Who moved the tag.",
        "firstSeen": "When the stream first had the image.",
        "generation": "The generation of the wish that the move fulfils.",
        "image": "The digest that the tag points to since; empty for a mere reference and for a tag that was removed.",
        "movedAt": "When the tag moved.",
        "previousImage": "The digest that the tag pointed to before.",
        "previousReference": "The pull spec that the tag pointed to before.",
        "reason": "Why the tag moved.",
        "reference": "The pull spec of the image; empty for a tag that was removed.",
        "streamUID": "The uid of the stream: another one for an earlier stream of the same name.",
        "tag": "The tag that moved.",
    },
    ledgertypes.RollbackTarget: {
        "image": "A digest that the tag pointed to.",
        "time": "A time (RFC 3339): whatever the tag pointed to then.",
    },
    ledgertypes.ImageStreamRollbackSpec: {
        "hold": "Whether the tag is held there, its wish left as it is; without it the tag is pinned to the image.",
        "holdUntil": "When the hold expires (RFC 3339); without it the tag is held until somebody lifts the hold.",
        "liftHold": "Whether a hold that is in force is lifted; otherwise it refuses the rollback.",
        "reason": "Why, in one line; the history shows it, and a hold is for this reason.",
        "tag": "The tag that goes back.",
        "to": "What the tag goes back to: an image or a time.",
    },
    ledgertypes.RollbackPoint: {"image": "The digest of the image.", "reference": "The pull spec of the image."},
    ledgertypes.ImageStreamRollbackStatus: {
        "from": "What the tag pointed to before.",
        "generation": "The generation of the stream after it.",
        "resourceVersion": "The version of the stream after it; empty in a dry run.",
        "to": "What the tag points to now.",
    },
    ledgertypes.ImageUser: {
        "current": "Whether the image is used now.",
        "platform": "The platform for which a manifest list names the image.",
        "reference": "The pull spec under which a tag has the image.",
        "since": "When the use began.",
        "through": "The tag that a trigger listens to.",
        "until": "When the use ended; absent while it goes on.",
        "user": "Who uses the image: an ImageStreamTag, an ImageTrigger, or the Image of a manifest list.",
    },
}

DESCRIPTIONS: Mapping[type, Mapping[str, str]] = {
    **STREAMS,
    **IMPORTS,
    **IMAGES,
    **CONFIGURATIONS,
    **TRIGGERS,
    **LEDGER,
}
