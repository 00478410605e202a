"""What status says, beside what is on the disk and in the pods: sentences about what is not so."""

from collections.abc import Iterator

from unit.operator.world.kubelet import Kubelets
from unit.operator.world.objects import Raw, is_true, uid_of
from unit.operator.world.trainer import Training


def untruths(raw: Raw, kubelets: Kubelets) -> Iterator[str]:
    """Of one status; it may be late, but never ahead and never wrong."""
    status, training = raw["status"], kubelets.training_of(uid_of(raw))
    folder = kubelets.folders.get(uid_of(raw))
    on_disk = folder.saved.step if folder and folder.saved else 0
    newest = max(on_disk, training.saved.step if training and training.saved else 0)
    told = status.get("checkpoint", {}).get("step", 0)
    if told > newest:
        yield f"status tells of a checkpoint at step {told}; the newest is at {newest}"
    if is_true(raw, "Complete") and newest == 0:
        yield "Complete, but nothing is on the disk"
    if training is not None and status.get("attempt") == int(training.run["attempt"]):
        yield from _of_attempt(status, training)
    pause = status.get("pause", {})
    if is_true(raw, "Suspended") and pause.get("evidence") == "PodReport":
        yield from _of_pause(pause, status.get("attempt", 0), training, newest)


def _of_attempt(status: Raw, training: Training) -> Iterator[str]:
    done, step = training.step, status.get("progress", {}).get("step", 0)
    if step > done and step > training.folder.furthest:
        yield f"status tells of step {step}; it is at {done}"
    resumed = training.resumed.step if training.resumed else None
    told = status.get("resume", {}).get("fromStep")
    if told is not None and told != resumed:
        yield f"it is said to go on from step {told}; it went on from {resumed}"


def _of_pause(pause: Raw, attempt: int, training: Training | None, newest: int) -> Iterator[str]:
    if pause.get("savedStep", 0) != newest:
        yield f"the pause is said to have saved step {pause.get('savedStep', 0)}; it was {newest}"
    # What a crash before it has lost is not the pause's, whose attempt had not begun.
    is_its_own = training is not None and training.began is not None and int(training.run["attempt"]) == attempt
    lost = training.step - newest if training and is_its_own else 0
    if pause.get("lostSteps", lost) != lost:
        yield f"the pause is said to have lost {pause['lostSteps']} steps; it was {lost}"
