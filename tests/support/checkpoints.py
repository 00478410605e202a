"""Small checkpoints without torch, and what is left of them."""

from datetime import UTC, datetime
from pathlib import Path

from trainer.checkpoint import manifest as manifests
from trainer.checkpoint.manifest import Damaged
from trainer.checkpoint.store import Store
from trainingjob_api.progress import SavedCheckpoint

CONTENT = {"model.safetensors": bytes(range(256)) * 4, "state.json": b'{"epoch": 3}'}


def commit(store: Store, step: int, attempt: int = 1, keep_step: int | None = None) -> None:
    files = {**CONTENT, "state.json": b'{"step": %d}' % step}
    saved = SavedCheckpoint(
        step=step,
        epoch=1,
        attempt=attempt,
        path=f"step-{step}.{attempt}",
        size_bytes=sum(map(len, files.values())),
        save_time=datetime(2026, 1, 1, tzinfo=UTC),
        save_seconds=0.5,
    )
    store.commit(files, saved, keep_step)


def names(folder: Path) -> set[str]:
    """Everything that looks like a checkpoint, finished or not."""
    return {path.name for path in folder.glob("step-*")}


def newest_step(folder: Path) -> int | None:
    """The step that a next attempt would go on from."""
    loaded = Store(folder, 2).newest()
    return loaded.saved.step if loaded else None


def whole_steps(folder: Path) -> set[int]:
    """The steps of all checkpoints that could be loaded."""
    store = Store(folder, 2)
    whole = set()
    for name in store.names():
        try:
            manifest = manifests.read(folder / str(name))
            manifests.verify_files(folder / str(name), manifest)
        except Damaged:
            continue
        whole.add(name.step)
    return whole
