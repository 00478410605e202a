"""A disk that fails when it is told to, and one that forgets what was not put on it before the power went.

What the trainer asks of the file system goes through `os`; there it is counted, broken or recorded. The calls
themselves are real, on real files.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

CALLS = ("open", "write", "fsync", "close", "mkdir", "rename", "replace", "unlink", "rmdir", "ftruncate", "pread")

Real = Callable[..., Any]
Handler = Callable[[str, Real, tuple[Any, ...], dict[str, Any]], Any]


@contextmanager
def intercepted(handle: Handler) -> Iterator[None]:
    """Every call of CALLS goes to `handle(name, real, args, kwargs)`, whose result it gets."""

    def wrapper(name: str, real: Real) -> Real:
        return lambda *args, **kwargs: handle(name, real, args, kwargs)

    saved = {name: getattr(os, name) for name in CALLS}
    for name, real in saved.items():
        setattr(os, name, wrapper(name, real))
    try:
        yield
    finally:
        for name, real in saved.items():
            setattr(os, name, real)


@dataclass
class Countdown:
    """Lets calls through until the n-th one, which it gives to `then`; later ones go through again."""

    call: int
    then: Handler
    kind: str | None = None
    """Only calls of this name count."""
    made: int = 0

    def __call__(self, name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.made += self.kind in (None, name)
        if self.made == self.call and self.kind in (None, name):
            return self.then(name, real, args, kwargs)
        return real(*args, **kwargs)


def failing(number: int) -> Handler:
    """The call fails with an errno; a descriptor is closed nevertheless, as Linux does it."""

    def fail(name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name == "close":
            real(*args, **kwargs)
        raise OSError(number, os.strerror(number))

    return fail


@dataclass
class Node:
    """An inode: what is on disk, and what only the kernel's memory holds."""

    durable: bytes | dict[str, int]
    pending: list[Any] = field(default_factory=list)
    """A file: the contents it has had since. A folder: (name removed or None, name added or None, inode)."""


@dataclass
class Recorder:
    """Records the calls below a folder as a model of what is on disk, and yields what a power cut may leave.

    The weakest disk that POSIX allows: of a file that was not synced any beginning may be there, of the changes to a
    folder that was not synced any subset.
    """

    root: Path
    nodes: list[Node] = field(default_factory=lambda: [Node({})])
    history: list[tuple[str, list[Node]]] = field(default_factory=list)
    _descriptors: dict[int, int] = field(default_factory=dict)

    def __call__(self, name: str, real: Real, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        before = self._path(args[0], kwargs) if name not in ("write", "fsync", "close", "ftruncate", "pread") else None
        is_new = name == "open" and before is not None and self._find(before) is None
        result = real(*args, **kwargs)
        if before is None or before == self.root or self.root in before.parents:
            getattr(self, f"_{name}")(before, result, is_new, *args)
            self.history.append((name, [Node(_copy(node.durable), list(node.pending)) for node in self.nodes]))
        return result

    def states(self, nodes: list[Node], most: int, chance: random.Random) -> Iterator[dict[str, bytes | None]]:
        """What may be found after the power went: path -> content, None for a folder. At most so many of them."""
        choices = [_choices(node, chance) for node in nodes]
        sizes = [len(options) for options in choices]
        total = 1
        for size in sizes:
            total *= size
        picks = product(*choices) if total <= most else _sample(choices, most, chance)
        for pick in picks:
            yield dict(_tree(list(pick), 0, ""))

    def _open(self, path: Path, descriptor: int, is_new: bool, _: Any, flags: int, *__: Any) -> None:
        if is_new and flags & os.O_CREAT:
            self._add(path, Node(b""))
        if (inode := self._find(path)) is not None:
            self._descriptors[descriptor] = inode

    def _write(self, _: None, written: int, __: bool, descriptor: int, data: bytes) -> None:
        if (inode := self._descriptors.get(descriptor)) is not None:
            node = self.nodes[inode]
            node.pending.append(_newest(node) + bytes(data[:written]))

    def _ftruncate(self, _: None, __: None, ___: bool, descriptor: int, size: int) -> None:
        if (inode := self._descriptors.get(descriptor)) is not None:
            node = self.nodes[inode]
            node.pending.append(_newest(node)[:size])

    def _pread(self, *_: Any) -> None:
        """Changes nothing."""

    def _fsync(self, _: None, __: None, ___: bool, descriptor: int) -> None:
        if (inode := self._descriptors.get(descriptor)) is not None:
            node = self.nodes[inode]
            node.durable, node.pending = _newest(node), []

    def _close(self, _: None, __: None, ___: bool, descriptor: int) -> None:
        self._descriptors.pop(descriptor, None)

    def _mkdir(self, path: Path, *_: Any) -> None:
        self._add(path, Node({}))

    def _rename(self, source: Path, _: None, __: bool, ___: Any, target: Any) -> None:
        assert source.parent == Path(target).parent
        inode = self._find(source)
        self._parent(source).pending.append((source.name, Path(target).name, inode))

    _replace = _rename

    def _unlink(self, path: Path, *_: Any) -> None:
        self._parent(path).pending.append((path.name, None, 0))

    _rmdir = _unlink

    def _add(self, path: Path, node: Node) -> None:
        parent = self._parent(path)
        self.nodes.append(node)
        parent.pending.append((None, path.name, len(self.nodes) - 1))

    def _parent(self, path: Path) -> Node:
        inode = self._find(path.parent)
        assert inode is not None, path
        return self.nodes[inode]

    def _find(self, path: Path) -> int | None:
        """The inode that a program sees under a path."""
        inode: int | None = 0
        for part in path.relative_to(self.root).parts:
            entries = _newest(self.nodes[inode]) if inode is not None else {}
            inode = entries.get(part)
        return inode

    def _path(self, path: Any, kwargs: dict[str, Any]) -> Path | None:
        """Absolute; None outside of the root. rmtree works with folders' descriptors."""
        if (folder := kwargs.get("dir_fd")) is not None:
            return Path(os.readlink(f"/proc/self/fd/{folder}")) / path
        absolute = Path(os.path.abspath(path))
        return absolute if absolute == self.root or self.root in absolute.parents else Path("/outside")


def write_tree(root: Path, tree: dict[str, bytes | None]) -> None:
    """Makes a state real."""
    for path, content in tree.items():
        if content is None:
            (root / path).mkdir()
        else:
            (root / path).write_bytes(content)


def _copy(durable: bytes | dict[str, int]) -> bytes | dict[str, int]:
    return dict(durable) if isinstance(durable, dict) else durable


def _newest(node: Node) -> Any:
    if isinstance(node.durable, dict):
        return _applied(node.durable, node.pending)
    return node.pending[-1] if node.pending else node.durable


def _applied(entries: dict[str, int], changes: Any) -> dict[str, int]:
    result = dict(entries)
    for removed, added, inode in changes:
        result.pop(removed, None)
        if added is not None:
            result[added] = inode
    return result


def _choices(node: Node, chance: random.Random) -> list[Any]:
    """What may be on disk of one inode."""
    if isinstance(node.durable, bytes):
        # What was synced is not lost by what is appended to it.
        safe = [len(node.durable) if content.startswith(node.durable) else 0 for content in node.pending]
        ends = [chance.randint(begin, len(content)) for begin, content in zip(safe, node.pending, strict=True)]
        halves = [content[:end] for end, content in zip(ends, node.pending, strict=True)]
        return list(dict.fromkeys([node.durable, *node.pending, *halves]))
    count = len(node.pending)
    if count <= 5:
        masks = list(range(2**count))
    else:  # all, none, every beginning, all but one, and some at random
        full = 2**count - 1
        masks = [*(2**size - 1 for size in range(count + 1)), *(full ^ (1 << bit) for bit in range(count))]
        masks += [chance.randrange(full) for _ in range(8)]
    chosen = [[change for bit, change in enumerate(node.pending) if mask >> bit & 1] for mask in masks]
    return [_applied(node.durable, changes) for changes in chosen]


def _sample(choices: list[list[Any]], most: int, chance: random.Random) -> Iterator[tuple[Any, ...]]:
    yield tuple(options[0] for options in choices)
    yield tuple(options[-1] for options in choices)
    for _ in range(most - 2):
        yield tuple(chance.choice(options) for options in choices)


def _tree(contents: list[Any], inode: int, path: str) -> Iterator[tuple[str, bytes | None]]:
    for name, child in contents[inode].items():
        below = f"{path}/{name}".lstrip("/")
        if isinstance(contents[child], dict):
            yield below, None
            yield from _tree(contents, child, below)
        else:
            yield below, contents[child]
