"""Makes a pod's paths and names true on this machine. There is no mount namespace and no DNS, so each mountPath
in env, command and args becomes the real directory, and each name of a peer becomes its address."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from local_cluster.node.addresses import Addresses, PodName

# A path begins after anything that cannot be the middle of a longer path or of a URL's host, or after file://.
_BEFORE_PATH = r"(?:(?<![\w./~)}\]-])|(?<=file://))"
_AFTER_PATH = r"(?![\w.-])"
_LABEL = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?"
_BEFORE_NAME = r"(?:(?<![\w./-])|(?<=://))"
_NAME = rf"{_BEFORE_NAME}{_LABEL}\.{_LABEL}(?:\.{_LABEL}(?:\.svc(?:\.cluster\.local)?)?)?(?![\w-]|\.\w)"


@dataclass(frozen=True)
class Translation:
    """Translates the texts of one container, in one pass: what was put in is never looked at again."""

    paths: Mapping[str, str]
    """Path in the container -> path on this machine."""
    pod: PodName
    addresses: Addresses

    def __call__(self, text: str) -> str:
        return self._pattern().sub(self._replacement, text)

    def _pattern(self) -> re.Pattern[str]:
        # The longest first, so that a mount inside another mount wins.
        longest_first = sorted(self.paths, key=len, reverse=True)
        path = "|".join(re.escape(mount) for mount in longest_first) or r"(?!)"
        return re.compile(rf"(?P<path>{_BEFORE_PATH}(?:{path}){_AFTER_PATH})|(?P<name>{_NAME})")

    def _replacement(self, found: re.Match[str]) -> str:
        if found["path"] is not None:
            return self.paths[found["path"]]
        name = self._peer(found["name"])
        return self.addresses.of(name) if name else found["name"]

    def _peer(self, text: str) -> PodName | None:
        """The pod that a text names: one that is known, or a sibling of this one that is still to come."""
        hostname, subdomain, *rest = text.split(".")
        name = PodName(rest[0] if rest else self.pod.namespace, subdomain, hostname)
        return name if self.addresses.knows(name) or self._is_sibling(name) else None

    def _is_sibling(self, name: PodName) -> bool:
        same_service = (name.namespace, name.subdomain) == (self.pod.namespace, self.pod.subdomain)
        return same_service and _without_index(name.hostname) == _without_index(self.pod.hostname)


def as_in_container(text: str, paths: Mapping[str, str]) -> str:
    """What a container has said, with the paths that its manifest has in place of those of this machine."""
    mounts = {real: mount for mount, real in paths.items()}
    longest_first = sorted(mounts, key=len, reverse=True)
    pattern = "|".join(re.escape(real) for real in longest_first) or r"(?!)"
    return re.sub(rf"(?:{pattern}){_AFTER_PATH}", lambda found: mounts[found[0]], text)


def _without_index(hostname: str) -> str:
    """Pods of an Indexed Job or a StatefulSet differ in a number at the end."""
    return hostname.rstrip("0123456789")
