"""When the next checkpoint is due, by whichever of epochs, steps and seconds comes first."""

from dataclasses import dataclass

from trainingjob_api.spec.checkpoint import CheckpointInterval


@dataclass
class Cadence:
    """Counts from the last save. Seconds are rank 0's; they reach the others through an agreement."""

    every: CheckpointInterval
    step: int = 0
    epoch: int = 0
    time: float = 0.0

    def saved(self, step: int, epoch: int, now: float) -> None:
        self.step, self.epoch, self.time = step, epoch, now

    def is_due_by_step(self, step: int) -> bool:
        return self.every.steps is not None and step - self.step >= self.every.steps

    def is_due_by_epoch(self, epoch: int) -> bool:
        return self.every.epochs is not None and epoch - self.epoch >= self.every.epochs

    def is_due_by_time(self, now: float) -> bool:
        return self.every.seconds is not None and now - self.time >= self.every.seconds
