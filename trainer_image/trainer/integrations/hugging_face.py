"""A `transformers.Trainer` that can be paused and goes on exactly."""

import copy
import json
import math
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback

from trainer.script import ScriptRun, start
from trainer.script.metrics import known_name

# What the trainer sums up between two lines of its log.
_SUMS = ("_tr_loss", "_total_loss_scalar", "_globalstep_last_logged", "_initial_global_step", "current_flos")
_LEFT_OUT = ("epoch", "total_flos", "train_loss", "runtime", "per_second", "learning_rate")
"""Ends of names: what is known better, depends on the clock, or sums up all epochs."""


def pausable(trainer: Trainer) -> str | None:
    """For `trainer.train(resume_from_checkpoint=pausable(trainer))`. None if there is nothing to go on with.

    The trainer skips what was done, as with its own checkpoints: the folder says how many steps that is, and has no
    weights in it. They and all the rest come from the run's own checkpoint, at the first step.
    """
    training = _Training(trainer)
    run = start(model=trainer.model, training=training, own={"sums": _Sums(trainer)})
    trainer.add_callback(_Following(run, training))
    _rehearse(trainer, run)
    folder = training.folder()
    _keep_weights(trainer, folder)
    return folder


def _keep_weights(trainer: Any, folder: str | None) -> None:
    """The trainer loads none from this folder: an empty file has it ask for what only a PreTrainedModel has."""
    load = trainer._load_from_checkpoint

    def load_others(resume_from_checkpoint: str, *rest: Any, **named: Any) -> None:
        if resume_from_checkpoint != folder:
            load(resume_from_checkpoint, *rest, **named)

    trainer._load_from_checkpoint = load_others


def _rehearse(trainer: Any, run: ScriptRun) -> None:
    """Before the first step."""
    training_step = trainer.training_step

    def rehearsed(model: Any, inputs: Any, *rest: Any) -> Any:
        trainer.training_step = training_step
        run.rehearse(model, lambda: training_step(model, copy.deepcopy(inputs), *rest))
        return training_step(model, inputs, *rest)

    trainer.training_step = rehearsed


class _Training:
    """All of a trainer's state but the weights. Optimizer and scheduler exist only once it trains."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer: Any = trainer
        self.metrics: dict[str, float] = {}
        """Of this epoch, by the names of `run.report`."""
        self._progress: str | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="trainer-")

    def state_dict(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "objects": {name: each.state_dict() for name, each in self._objects().items()},
            "progress": json.dumps(asdict(trainer.state)),
            "metrics": dict(self.metrics),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, each in self._objects().items():
            each.load_state_dict(state["objects"][name])
        self.metrics = state["metrics"]
        self._progress = state["progress"]

    def folder(self) -> str | None:
        """As much of a checkpoint of the trainer's own as it takes to skip what was done."""
        if self._progress is None:
            return None
        folder = Path(self._folder.name)
        (folder / "trainer_state.json").write_text(self._progress)
        return str(folder)

    def _objects(self) -> dict[str, Any]:
        trainer = self.trainer
        every = {
            "optimizer": trainer.optimizer,
            "scheduler": trainer.lr_scheduler,
            "scaler": trainer.accelerator.scaler,
        }
        return {name: each for name, each in every.items() if each is not None}


class _Sums:
    """Of this rank; the log gathers them."""

    def __init__(self, trainer: Trainer) -> None:
        self._trainer: Any = trainer

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self._trainer, name) for name in _SUMS if hasattr(self._trainer, name)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self._trainer, name, value.to(self._trainer.args.device) if name == "_tr_loss" else value)


class _Following(TrainerCallback):
    """Stops and goes on where a step begins: by then the step before has been logged, saved and evaluated."""

    def __init__(self, run: ScriptRun, training: _Training) -> None:
        self._run = run
        self._training = training
        self._epoch = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, optimizer: Any = None, **rest: Any) -> None:
        self._run.watch_rate(optimizer)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._epoch = int(state.epoch or 0)

    def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._follow(args, state)

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._epoch = int(state.epoch or 0)
        self._follow(args, state)
        self._run.save_last()

    def on_prediction_step(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._run.note_evaluation()

    def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any] | None = None, **rest: Any) -> None:
        for name, value in (logs or {}).items():
            if isinstance(value, float) and math.isfinite(value) and not name.endswith(_LEFT_OUT):
                self._training.metrics["train_loss" if name == "loss" else known_name(name)] = value

    def _follow(self, args: Any, state: Any) -> None:
        samples = args.train_batch_size * args.gradient_accumulation_steps
        self._run.follow(state.num_train_epochs, self._epoch, state.global_step, samples, self._training.metrics)
