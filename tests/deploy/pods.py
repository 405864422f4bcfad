"""
What a manifest's container is started with, as the kubelet would do it.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

import attrs

from tests.deploy.charts import KEY, Manifest

_EXPANSION: Final = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")


def part(tree: object, *path: str | int) -> object:
    """
    Go down in a manifest.
    """
    for step in path:
        tree = cast("Mapping[str | int, object]", tree)[step]
    return tree


def parts(tree: object, *path: str | int) -> Sequence[object]:
    """
    A list in a manifest; none if it is not there.
    """
    try:
        return cast("Sequence[object]", part(tree, *path)) or ()
    except KeyError:
        return ()


def of_kind(manifests: Sequence[Manifest], kind: str) -> Sequence[Manifest]:
    """
    Those of one kind.
    """
    return [each for each in manifests if each["kind"] == kind]


@attrs.frozen
class Pod:
    """
    A pod of a release, with one container.

    :ivar name: such as ``pico-0``.
    :ivar spec: of the pod.
    """

    name: str
    spec: object
    manifests: Sequence[Manifest]

    @property
    def container(self) -> object:
        """
        Its one container.
        """
        (container,) = parts(self.spec, "containers")
        return container

    @property
    def arguments(self) -> Sequence[str]:
        """
        What stands behind ``pico``, the image's entry point.
        """
        return [str(each) for each in parts(self.container, "args")]

    @property
    def environment(self) -> Mapping[str, str]:
        """
        All variables, with those that stand in others put in.
        """
        found: dict[str, str] = {}
        for entry in parts(self.container, "env"):
            name = str(part(entry, "name"))
            if name == "POD_NAME":
                assert part(entry, "valueFrom", "fieldRef", "fieldPath") == "metadata.name"
                found[name] = self.name
            else:
                value = str(part(entry, "value"))
                found[name] = _EXPANSION.sub(lambda each: found.get(each[1], each[0]), value)
        return found

    @property
    def files(self) -> Mapping[str, str]:
        """
        What is mounted: texts by their paths. A secret that is not of the release holds the cluster's key.
        """
        volumes = {part(each, "name"): each for each in parts(self.spec, "volumes")}
        found: dict[str, str] = {}
        for mount in parts(self.container, "volumeMounts"):
            path, volume = str(part(mount, "mountPath")), volumes[part(mount, "name")]
            if "configMap" in cast("Manifest", volume):
                name = str(part(mount, "subPath"))
                (config,) = self._named("ConfigMap", part(volume, "configMap", "name"))
                found[path] = str(part(config, "data", name))
                continue
            secrets = self._named("Secret", part(volume, "secret", "secretName"))
            for item in parts(volume, "secret", "items"):
                text = str(part(secrets[0], "data", str(part(item, "key")))) if secrets else ""
                found[f"{path}/{part(item, 'path')}"] = base64.b64decode(text).decode() if text else KEY
        return found

    def _named(self, kind: str, name: object) -> Sequence[Manifest]:
        return [each for each in of_kind(self.manifests, kind) if part(each, "metadata", "name") == name]


def pods(manifests: Sequence[Manifest]) -> Sequence[Pod]:
    """
    The pods of a release.
    """
    (owner,) = [*of_kind(manifests, "StatefulSet"), *of_kind(manifests, "Deployment")]
    name, spec = part(owner, "metadata", "name"), part(owner, "spec", "template", "spec")
    return [Pod(f"{name}-{number}", spec, manifests) for number in range(int(str(part(owner, "spec", "replicas"))))]
