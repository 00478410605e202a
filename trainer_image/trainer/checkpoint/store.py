"""The checkpoints of a folder: commit one, find the newest that is whole, remove those that are not needed."""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as replaced
from pathlib import Path
from threading import Thread

from trainer.checkpoint import manifest as manifests
from trainer.checkpoint.files import Content, new_files, remove, sync_folder
from trainer.checkpoint.manifest import Damaged, File, Manifest
from trainer.errors import CheckpointCorrupt, Superseded
from trainingjob_api.progress import SavedCheckpoint

_NAME = re.compile(r"step-([0-9]{1,18})\.([0-9]{1,9})")
_TEMPORARY = ".tmp"


@dataclass(frozen=True, order=True)
class Name:
    """`step-<step>.<generation>`; a later attempt's word counts more than a higher step of an earlier one.

    The generation is the attempt's number, unless the folder was taken over by another TrainingJob.
    """

    generation: int
    step: int

    def __str__(self) -> str:
        return f"step-{self.step}.{self.generation}"

    @classmethod
    def parse(cls, text: str) -> "Name | None":
        """None unless this is exactly how the name is written: `step-07.1` is not step 7."""
        match = _NAME.fullmatch(text)
        name = cls(generation=int(match[2]), step=int(match[1])) if match else None
        return name if str(name) == text else None


@dataclass(frozen=True)
class Loaded:
    """A checkpoint whose every byte is what was written."""

    name: Name
    saved: SavedCheckpoint
    files: dict[str, Content]
    passed_over: tuple[str, ...] = ()
    """What is wrong with the newer ones, if there are any."""


class Store:
    """The checkpoints below one folder. One process writes; others may read at any time."""

    def __init__(self, folder: Path, keep_last: int, check_fence: Callable[[], None] = lambda: None) -> None:
        self._folder = folder
        self._keep_last = max(2, keep_last)
        self._check_fence = check_fence
        self._verified: set[Name] = set()  # in this process, so that each is read once

    def names(self) -> list[Name]:
        """All checkpoints, newest first, damaged ones included."""
        entries = self._folder.iterdir() if self._folder.is_dir() else iter(())
        found = [name for entry in entries if (name := Name.parse(entry.name))]
        return sorted(found, reverse=True)

    def commit(self, files: Mapping[str, Content], saved: SavedCheckpoint, keep_step: int | None = None) -> None:
        """Puts a checkpoint on disk; once this returns it survives a crash, before that the older ones do.

        keep_step: that step's checkpoint is kept besides the last ones. OSError: it may be there or not, the older
        ones are. Superseded: it is not there.
        """
        name = Name.parse(saved.path)
        assert name is not None
        temporary = self._folder / f"{name}{_TEMPORARY}"
        try:
            self._write(temporary, files, saved)
            self._check_fence()
            self._rename(temporary, name)
        except (OSError, Superseded):
            remove(temporary)  # it may be what fills the disk
            raise
        if saved.on_request:
            return  # the rest is not what a pause has to wait for; the next attempt's first save does it
        self._verified.add(name)
        with suppress(OSError):  # it is saved, whatever becomes of the older ones
            self._remove_old(name, keep_step)

    def newest(self) -> Loaded | None:
        """The newest checkpoint that is whole; None if there is none at all, CheckpointCorrupt if none is whole."""
        problems: list[str] = []
        for name in self.names():
            try:
                loaded = self._load(name)
            except Damaged as error:
                problems.append(str(error))
            else:
                self._verified.add(name)
                return replaced(loaded, passed_over=tuple(problems))
        if problems:
            raise CheckpointCorrupt(
                f"{self._folder}: none of {len(problems)} checkpoints is whole: {'; '.join(problems[:5])}. "
                "Restore one from a backup, or start again with checkpoint.startFresh: true."
            )
        return None

    def file_of_newest(self, name: str) -> Content | None:
        """One file of the newest checkpoint in which it is whole, without a look at the others; None: there is none."""
        for each in self.names():
            with suppress(Damaged):
                return manifests.read_file(self._folder / str(each), name, self._manifest(each))
        return None

    def remove_unfinished(self) -> None:
        """Removes what crashed saves have left."""
        for entry in self._folder.glob(f"step-*{_TEMPORARY}"):
            remove(entry)

    def _write(self, temporary: Path, files: Mapping[str, Content], saved: SavedCheckpoint) -> None:
        remove(temporary)
        temporary.mkdir()
        described: dict[str, File] = {}
        describing = Thread(target=lambda: described.update(manifests.describe(files)))
        if saved.on_request:  # a pause waits for the disk as it is, not for the checksums after it
            describing.start()
        with new_files(temporary, read_back=not saved.on_request) as write:
            for name, content in files.items():
                write(name, content)
            # Of a save behind the training's back in this thread: a program that ends meanwhile lets none begin.
            describing.join() if saved.on_request else describing.run()
            write(manifests.NAME, manifests.encode(Manifest(saved=saved, all_finite=True, files=described)))
        sync_folder(temporary)

    def _rename(self, temporary: Path, name: Name) -> None:
        final = self._folder / str(name)
        if os.path.lexists(final):  # this step of this attempt, damaged: it was not found when the attempt began
            remove(final)
        temporary.rename(final)
        sync_folder(self._folder)

    def _remove_old(self, new: Name, keep_step: int | None) -> None:
        """Removes what is older than the last ones to keep; only those count that are proven to be whole."""
        kept: list[Name] = []
        for name in (name for name in self.names() if name <= new):
            if len(kept) < self._keep_last:
                if self._is_whole(name):
                    kept.append(name)
            elif name.step != keep_step:
                remove(self._folder / str(name))
                self._verified.discard(name)

    def _is_whole(self, name: Name) -> bool:
        if name not in self._verified:
            try:
                manifests.verify_files(self._folder / str(name), self._manifest(name))
            except Damaged:
                return False
            self._verified.add(name)
        return True

    def _load(self, name: Name) -> Loaded:
        manifest = self._manifest(name)
        return Loaded(name, manifest.saved, manifests.read_files(self._folder / str(name), manifest))

    def _manifest(self, name: Name) -> Manifest:
        folder = self._folder / str(name)
        manifest = manifests.read(folder)
        if manifest.saved.path != str(name) or manifest.saved.step != name.step:
            raise Damaged(f"{folder.name} holds the manifest of {manifest.saved.path}")
        return manifest


def newest_saved(folder: Path) -> SavedCheckpoint | None:
    """What the newest manifest says, without reading the rest: for a report, not for loading."""
    for name in Store(folder, 2).names():
        try:
            return manifests.read(folder / str(name)).saved
        except Damaged:
            continue
    return None
