"""A `transformers.Trainer` that can be paused and goes on exactly."""

import copy
import json
import math
import os
import random
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Trainer, TrainerCallback
from transformers.trainer_callback import ExportableState

from trainer.errors import UserError
from trainer.script import ScriptRun, start
from trainer.script.attributes import Attributes
from trainer.script.metrics import known_name

# What the trainer sums up between two lines of its log.
_SUMS = ("_tr_loss", "_total_loss_scalar", "_globalstep_last_logged", "_initial_global_step", "current_flos")
_LEFT_OUT = ("epoch", "total_flos", "train_loss", "runtime", "per_second", "learning_rate")
"""Ends of names: what is known better, depends on the clock, or sums up all epochs."""

_KNOWN = ("transformers.", "trainer.")
"""Whose callbacks keep nothing that a training depends on, but for those that tell their state."""


def pausable(trainer: Trainer, name: str | None = None) -> str | None:
    """For `trainer.train(resume_from_checkpoint=pausable(trainer))`. None if there is nothing to go on with.

    The trainer skips what was done, as with its own checkpoints: the folder says how many steps that is, and has no
    weights in it. They and all the rest come from the run's own checkpoint, at the first step.
    name: of this training, where a program has several.
    """
    _require_possible(trainer)
    training = _Training(trainer)
    run = start(name=name, model=trainer.model, training=training, own={"sums": _Sums(trainer)})
    trainer.add_callback(_Following(run, training))
    _rehearse(trainer, run)
    _keep_place(trainer, training)
    theirs = [each for each in trainer.callback_handler.callbacks if not type(each).__module__.startswith(_KNOWN)]
    run.doubt(Attributes({type(each).__name__: each for each in theirs}).doubts)
    run.doubt(_Draws(trainer).doubts)
    folder = training.folder()
    _keep_weights(trainer, folder)
    return folder


def _require_possible(trainer: Any) -> None:
    """What would not be gone on with is refused before anything is trained."""
    size = int(os.environ.get("WORLD_SIZE") or 1)
    output = Path(trainer.args.output_dir).resolve()
    is_lost = output.is_relative_to(tempfile.gettempdir()) and not output.is_relative_to(Path.cwd())
    refused = {
        "FSDP is not supported": trainer.is_fsdp_enabled,
        "DeepSpeed is not supported": trainer.is_deepspeed_enabled,
        "model_init makes another model than the one that is saved: give the Trainer the model": trainer.model_init,
        f"the Trainer knows of {trainer.args.world_size} of {size} ranks: on CPUs it needs use_cpu=True": (
            trainer.args.world_size != size
        ),
        f"load_best_model_at_end, and {output} ends with the pod: give output_dir a relative path": (
            trainer.args.load_best_model_at_end and is_lost
        ),
    }
    for reason, applies in refused.items():
        if applies:
            raise UserError(f"pausable(): {reason}")


def _keep_place(trainer: Any, training: "_Training") -> None:
    """Where the Trainer would not know: in a stream, and whether a training that goes on had come to its end."""
    init = trainer._init_training_state

    def init_training_state(max_steps: int, per_epoch: int, epochs: int, *rest: Any) -> tuple[int, int]:
        done: tuple[int, int] = init(max_steps, per_epoch, epochs, *rest)
        training.is_stream = epochs == sys.maxsize
        if max_steps <= training.steps_done:
            return epochs, 0  # by itself it would go on where early stopping, or the end of its steps, has ended it
        return training.place if training.is_stream and training.place else done

    trainer._init_training_state = init_training_state


class _Draws:
    """Whether reading the data draws random numbers: it is read ahead, and what was done is skipped, so they differ."""

    def __init__(self, trainer: Any) -> None:
        self._trainer = trainer
        self._read, trainer.get_batch_samples = trainer.get_batch_samples, self._watched
        self._batches: object = None
        self._has_drawn = False

    def doubts(self) -> list[str]:
        if self._trainer.args.ignore_data_skip:
            return ["ignore_data_skip=True: after a pause the data begins anew"]
        return (
            ["the data set or the collator draws random numbers, and others after a pause"] if self._has_drawn else []
        )

    def _watched(self, batches: Any, *rest: Any) -> Any:
        is_first, self._batches = batches is not self._batches, batches  # which draws the order and workers' seeds
        before = self._state()
        found = self._read(batches, *rest)
        self._has_drawn |= not is_first and before != self._state()
        return found

    def _state(self) -> object:
        numpy: Any = np.random.get_state()
        return torch.get_rng_state().numpy().tobytes(), random.getstate(), numpy[1].tobytes(), numpy[2]


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
        self.is_stream = False
        self.place: tuple[int, int] | None = None
        """In a stream: passes that are over, and batches of this one."""
        self.steps_done = 0
        """That were asked for when it came to its end, early or not."""
        self._progress: str | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="trainer-")

    def state_dict(self) -> dict[str, Any]:
        trainer = self.trainer
        return {
            "objects": {name: each.state_dict() for name, each in self._objects().items()},
            "progress": json.dumps(asdict(trainer.state)),
            "metrics": dict(self.metrics),
            "place": self.place,
            "steps_done": self.steps_done,
            "callbacks": {name: each.state()["attributes"] for name, each in self._callbacks().items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, each in self._objects().items():
            each.load_state_dict(state["objects"][name])
        self.metrics = state["metrics"]
        self._progress = state["progress"]
        self.place = state.get("place")
        self.steps_done = state.get("steps_done", 0)
        for name, attributes in state.get("callbacks", {}).items():
            vars(self._callbacks()[name]).update(attributes)

    def folder(self) -> str | None:
        """As much of a checkpoint of the trainer's own as it takes to skip what was done."""
        if self._progress is None:
            return None
        folder = Path(self._folder.name)
        (folder / "trainer_state.json").write_text(self._progress)
        return str(folder)

    def _callbacks(self) -> dict[str, Any]:
        """Those that tell their state, such as early stopping."""
        callbacks = self.trainer.callback_handler.callbacks
        return {type(each).__name__: each for each in callbacks if isinstance(each, ExportableState)}

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
        self._begins = training.place
        """Where the first pass goes on."""

    def on_train_begin(self, args: Any, state: Any, control: Any, optimizer: Any = None, **rest: Any) -> None:
        self._run.watch_rate(optimizer)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._epoch = int(state.epoch or 0)
        if self._training.is_stream:
            before, begins = self._training.place, self._begins
            self._training.place = begins or ((before[0] + 1, 0) if before else (0, 0))
            self._epoch, self._begins = self._training.place[0], None

    def on_substep_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._count_batch()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._count_batch()

    def _count_batch(self) -> None:
        if self._training.place is not None:
            self._training.place = self._training.place[0], self._training.place[1] + 1

    def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._follow(args, state)

    def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._training.steps_done = state.max_steps
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
        if args.gradient_accumulation_steps > 1 and state.global_step > self._run.steps:
            self._run.keep_gradients()  # the end of a stream may have left some
        samples = args.train_batch_size * args.gradient_accumulation_steps
        epochs = 0 if self._training.is_stream else state.num_train_epochs  # nobody knows
        self._run.follow(epochs, self._epoch, state.global_step, samples, self._training.metrics)
