"""The image table: there are no images here, so a name stands for a command of this machine."""

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Image:
    """What an image would bring: `entrypoint` (a pod's `command` replaces it) and `cmd` (its `args` do)."""

    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()


DEFAULT_TABLE: Mapping[str, Image] = {
    "ghcr.io/trainingjob/trainer": Image((sys.executable, "-m", "trainer")),
    "python": Image((), ("python3",)),
    "local/shell": Image(("/bin/sh",)),
}


class UnknownImageError(Exception):
    """The table has no such image."""


@dataclass(frozen=True)
class ImageTable:
    images: Mapping[str, Image]

    @classmethod
    def with_entries(cls, entries: Mapping[str, str]) -> "ImageTable":
        """The default table with more entries: image name -> the command that is its entrypoint."""
        added = {name: Image(tuple(shlex.split(command))) for name, command in entries.items()}
        return cls({**DEFAULT_TABLE, **added})

    def find(self, reference: str) -> Image:
        """The entry for a reference: by its name with the tag, then by its name alone."""
        name = _familiar(reference)
        for candidate in (name, _without_tag(name)):
            if candidate in self.images:
                return self.images[candidate]
        known = ", ".join(sorted(self.images))
        raise UnknownImageError(f'there is no image "{reference}" on this node, which knows {known}')


def _familiar(reference: str) -> str:
    """Docker Hub's implied prefixes and a digest taken off."""
    name = reference.partition("@")[0]
    for prefix in ("docker.io/library/", "docker.io/"):
        name = name.removeprefix(prefix)
    return name


def _without_tag(name: str) -> str:
    """A colon before the last slash belongs to a registry's port."""
    head, slash, last = name.rpartition("/")
    return head + slash + last.partition(":")[0]
