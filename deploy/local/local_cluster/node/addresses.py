"""Addresses of pods. Linux answers on all of 127.0.0.0/8 without being told, so every pod gets one of those.
The cluster's directory chooses the second byte: clusters beside each other rarely meet."""

import ipaddress
import zlib
from dataclasses import dataclass

_HOSTS = 2**16 - 2


@dataclass(frozen=True)
class PodName:
    """The name under which a headless Service makes a pod known to its peers."""

    namespace: str
    subdomain: str
    hostname: str

    def __str__(self) -> str:
        return f"{self.hostname}.{self.subdomain}.{self.namespace}"


class Addresses:
    """Gives addresses to names, also to peers that have not been seen yet, and to pods.

    The address of a name is derived from it, so that it is the same before its pod is there, while the
    pod runs, and for the pod that replaces it.
    """

    def __init__(self, cluster: str) -> None:
        self._network = (127 << 24) + ((1 + zlib.crc32(cluster.encode()) % 254) << 16)
        self._of_name: dict[PodName, str] = {}
        self._holder: dict[str, str] = {}

    def of(self, name: PodName) -> str:
        """The address under which the name is, or will be, found."""
        if name not in self._of_name:
            self._of_name[name] = self._free(str(name))
        return self._of_name[name]

    def take(self, uid: str, name: PodName) -> str:
        """An address for a pod: that of its name, or another one while that is held by a pod that is still there."""
        address = self.of(name)
        if self._holder.setdefault(address, uid) != uid:
            address = self._of_name[name] = self._free(uid)  # peers that start from now on look for the new pod
            self._holder[address] = uid
        return address

    def restore(self, uid: str, name: PodName, address: str) -> None:
        """Remember what a pod was given before this program was started."""
        self._of_name[name] = address
        self._holder[address] = uid

    def release(self, uid: str) -> None:
        held = [address for address, holder in self._holder.items() if holder == uid]
        for address in held:
            del self._holder[address]

    def forget(self, namespace: str, subdomain: str) -> None:
        """Drop the names of a Service none of whose pods is left, so that names do not pile up."""
        held = {name for name, address in self._of_name.items() if address in self._holder}
        group = {name for name in self._of_name if (name.namespace, name.subdomain) == (namespace, subdomain)}
        if not group & held:
            self._of_name = {name: address for name, address in self._of_name.items() if name not in group}

    def knows(self, name: PodName) -> bool:
        return name in self._of_name

    def _free(self, text: str) -> str:
        taken = {*self._of_name.values(), *self._holder}
        start = zlib.crc32(text.encode())
        for step in range(_HOSTS):
            candidate = str(ipaddress.IPv4Address(self._network + 1 + (start + step) % _HOSTS))
            if candidate not in taken:
                return candidate
        raise RuntimeError("every address of the node is taken")
