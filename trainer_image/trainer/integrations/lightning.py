"""A Lightning `Trainer` that can be paused and goes on exactly."""

import copy
import signal
from collections.abc import Iterator, Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor
from torch.utils.data import DataLoader

from trainer.errors import UserError
from trainer.script import start
from trainer.script.attributes import Attributes
from trainer.script.metrics import known_name


class Pausable(Callback):
    """For `Trainer(callbacks=[Pausable()])`: everything else of the program stays as it is.

    name: of this fit, where a program has several.
    """

    def __init__(self, name: str | None = None) -> None:
        self._name = name

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._training = _Training(trainer, self)
        self._run = start(name=self._name, model=pl_module, training=self._training)
        theirs = [each for each in trainer.callbacks if _keeps_to_itself(each)]  # type: ignore[attr-defined]
        self._run.doubt(Attributes({type(each).__name__: each for each in theirs}).doubts)
        trainer.should_stop |= self._training.ended_at == _limits(trainer)
        self._on_sigterm = signal.getsignal(signal.SIGTERM)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The loaders are there by now, with the samplers that ranks need."""
        signal.signal(signal.SIGTERM, self._on_sigterm)  # Lightning's own would end the training unsaved
        fit: Any = trainer.fit_loop
        if every := fit.trainer.reload_dataloaders_every_n_epochs:  # which puts back the loaders that are replaced here
            raise UserError(f"Pausable does not work with reload_dataloaders_every_n_epochs={every}: leave it out")
        loaders = fit._combined_loader.flattened
        if (
            len(loaders) != 1
            or not isinstance(loaders[0], DataLoader)
            or not hasattr(loaders[0].batch_sampler, "__len__")
        ):
            raise UserError("Pausable needs one DataLoader whose length is known as the training data")
        self._samples = loaders[0].batch_size or 0
        for optimizer in trainer.optimizers[:1]:
            self._run.watch_rate(optimizer)
        fit._combined_loader.flattened = [_Batches(loaders[0], self)]
        iter(fit._data_fetcher)  # what has been made for the first epoch read from the loader itself
        self._rehearse(trainer)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._training.ended_at = _limits(trainer)
        self.follow(consumed=0)
        self._run.save_last()

    def on_validation_batch_start(self, *arguments: Any) -> None:
        self._note_evaluation()

    def on_test_batch_start(self, *arguments: Any) -> None:
        self._note_evaluation()

    def on_predict_batch_start(self, *arguments: Any) -> None:
        self._note_evaluation()

    def _note_evaluation(self) -> None:
        if hasattr(self, "_run"):
            self._run.note_evaluation()

    def follow(self, consumed: int) -> None:
        """consumed: of this epoch's samples."""
        trainer = self._training.trainer
        if trainer.fit_loop.epoch_loop.batch_progress.current.ready % trainer.accumulate_grad_batches and consumed:
            return  # gradients are being collected, which nobody saves
        epochs = max(trainer.max_epochs or 0, trainer.current_epoch)
        progress, metrics = (epochs, trainer.current_epoch, trainer.global_step), self._training.metrics()
        self._run.follow(*progress, self._samples * trainer.accumulate_grad_batches, metrics, consumed)

    def _rehearse(self, trainer: Any) -> None:
        """Before the first step."""
        strategy, epoch_loop = trainer.strategy, trainer.fit_loop.epoch_loop
        training_step = strategy.training_step

        def rehearsed(*arguments: Any) -> Any:
            strategy.training_step = training_step
            self._run.rehearse(strategy.model, lambda: make(*copy.deepcopy(arguments)))
            return training_step(*arguments)

        def make(*arguments: Any) -> None:
            output = training_step(*arguments)
            if trainer.lightning_module.automatic_optimization:
                strategy.backward(output["loss"] if isinstance(output, Mapping) else output, trainer.optimizers[0])
            epoch_loop._results.clear()  # what it has logged

        strategy.training_step = rehearsed

    def batches(self, loader: Any) -> Iterator[Any]:
        """Of this epoch, as far as they are still to come."""
        return self._run.followed_batches(loader, self._training.trainer.current_epoch, self.follow)


class _Batches:
    """Stands for a loader. A stop is noticed right before a batch is read: all that follows a step has been done."""

    def __init__(self, loader: DataLoader[Any], pausable: Pausable) -> None:
        self._loader = loader
        self._pausable = pausable

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[Any]:
        return self._pausable.batches(self._loader)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Training:
    """All of a trainer's state but the weights."""

    def __init__(self, trainer: Trainer, pausable: Pausable) -> None:
        self.trainer: Any = trainer
        self._pausable = pausable
        self._is_loaded = False
        self.ended_at: list[int | None] | None = None
        """The limits with which it came to its end, early or not."""

    def metrics(self) -> dict[str, float]:
        """What the module has logged, by the names of `run.report`."""
        logged = {name: each.item() for name, each in self.trainer.callback_metrics.items() if _is_number(each)}
        return {known_name(name): value for name, value in logged.items()}

    def state_dict(self) -> dict[str, Any]:
        return {
            "objects": [each.state_dict() for each in self._objects()],
            "loops": copy.deepcopy(self.trainer.fit_loop.state_dict()),
            "callbacks": {each.state_key: each.state_dict() for each in self._callbacks()},
            "metrics": {name: each.clone() for name, each in self._shown().items() if _is_number(each)},
            "ended_at": self.ended_at,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for each, content in zip(self._objects(), state["objects"], strict=True):
            each.load_state_dict(content)
        for each in self._callbacks():
            if content := state["callbacks"].get(each.state_key):
                each.load_state_dict(content)
        self._shown().update(state.get("metrics", {}))
        self.ended_at = state.get("ended_at")
        fit = self.trainer.fit_loop
        fit.load_state_dict(state["loops"])
        if self._is_loaded:  # the loops have begun where they were told to; from here on nothing is special
            for loop in (fit, fit.epoch_loop, fit.epoch_loop.val_loop):
                loop.on_iteration_done()
        self._is_loaded = True

    def _shown(self) -> dict[str, Any]:
        """What `trainer.callback_metrics` shows, as it was computed last: to compute it anew takes all ranks."""
        shown: dict[str, Any] = self.trainer._logger_connector._callback_metrics
        return shown

    def _objects(self) -> list[Any]:
        trainer = self.trainer
        scaler = getattr(trainer.precision_plugin, "scaler", None)
        schedulers = [each.scheduler for each in trainer.lr_scheduler_configs]
        return [*trainer.optimizers, *schedulers, *([scaler] if scaler is not None else [])]

    def _callbacks(self) -> list[Any]:
        return [each for each in self.trainer.callbacks if each is not self._pausable]


def _limits(trainer: Trainer) -> list[int | None]:
    return [trainer.max_epochs, trainer.max_steps]


def _keeps_to_itself(callback: Callback) -> bool:
    """Whether it is the user's, and tells no state."""
    kind = type(callback)
    return kind.state_dict is Callback.state_dict and not kind.__module__.startswith(("lightning.", "trainer."))


def _is_number(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1
