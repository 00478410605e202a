"""What a TrainingHistory tells, beside what was trained: sentences about what is not so."""

from collections.abc import Iterator

from trainingjob_api.history import History, TrainingHistory
from unit.operator.world.kubelet import Kubelets
from unit.operator.world.objects import Raw, is_true, uid_of
from unit.operator.world.trainer import Folder


def read(raw: Raw) -> History:
    return TrainingHistory.model_validate(raw).history()


def untold(raw: Raw, kubelets: Kubelets) -> Iterator[str]:
    """Of one that was just written: it may be behind, but it never invents an epoch, and leaves none out in silence."""
    history = read(raw)
    folder = kubelets.folders.get(history.uid, Folder())
    invented = [(row.epoch, row.attempt) for row in history.rows if (row.epoch, row.attempt) not in folder.trained]
    if invented:
        yield f"epochs and attempts that were never trained are in the history: {invented}"
    told = [row.epoch for row in history.rows]
    missing = [epoch for span in history.missing for epoch in range(span.first, span.last + 1)]
    if sorted([*told, *missing]) != list(range(1, history.epochs + 1)):
        yield f"of {history.epochs} epochs {told} are told and {missing} missing"


def unlike(job: Raw, raw: Raw | None, kubelets: Kubelets) -> Iterator[str]:
    """In the end: epochs are of the attempt that did them last, and one that is complete is told whole."""
    folder = kubelets.folders.get(uid_of(job), Folder())
    history = read(raw) if raw is not None else History(uid_of(job))
    told = {row.epoch: row.attempt for row in history.rows}
    newest = max(folder.history.values(), default=0)
    if history.attempt == newest and not told.items() <= folder.history.items():
        yield f"the history tells of {told}; it was {folder.history}"
    was_heard = not any(training.is_deaf for training in kubelets.trainings.values())
    if is_true(job, "Complete") and was_heard and told != folder.history:
        yield f"it is complete, and its history tells of {told}; it was {folder.history}"
