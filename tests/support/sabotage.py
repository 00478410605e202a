"""Things that happen to a rank at an exact place: at the n-th call of a function of the trainer.

A signal from outside hits somewhere; this hits where it is meant to, every time.
"""

import errno
import importlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from support.disk import failing
from trainer.pod.stopping import REQUEST

VARIABLE = "TRAINER_TESTS_SABOTAGE"


@dataclass(frozen=True)
class Sabotage:
    """What happens to which rank, before the n-th call of `module:name`."""

    action: str
    place: str
    call: int = 1
    rank: int = 0

    def to_environment(self) -> dict[str, str]:
        return {VARIABLE: json.dumps(asdict(self))}


def prepare() -> None:
    """In a rank that is about to begin."""
    text = os.environ.get(VARIABLE)
    sabotage = Sabotage(**json.loads(text)) if text else None
    if sabotage is None or sabotage.rank != int(os.environ["RANK"]):
        return
    module, _, path = sabotage.place.partition(":")
    *owners, name = path.split(".")
    owner: Any = importlib.import_module(module)
    for part in owners:
        owner = getattr(owner, part)
    setattr(owner, name, _disturbed(getattr(owner, name), _ACTIONS[sabotage.action], sabotage.call))


def _disturbed(function: Callable[..., Any], act: Callable[..., None], call: int) -> Callable[..., Any]:
    made = 0

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        nonlocal made
        made += 1
        if made == call:
            act(*args)
        return function(*args, **kwargs)

    return wrapper


def _stop(*_: Any) -> None:
    """As the supervisor does; returns once the request is noticed."""
    os.kill(os.getpid(), REQUEST)
    while REQUEST in signal.sigpending():
        os.sched_yield()


def _kill(*_: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _spoil_weight(learner: Any, *_: Any) -> None:
    with torch.no_grad():
        next(learner.model.parameters()).view(-1)[0] = float("nan")


def _spoil_gradient(learner: Any, *_: Any) -> None:
    """The loss stays as it is."""
    next(learner.model.parameters()).register_hook(lambda gradient: gradient * float("inf"))


def _spoil_input(_: Any, batch: Any, *__: Any) -> None:
    batch.features[0] = float("nan")


def _spoil_saved_weight(_: Any, state: Any, *__: Any) -> None:
    _spoil_weight(state)


def _spoil_optimizer(_: Any, state: Any, *__: Any) -> None:
    moments = [value for values in state.learner.optimizer.state.values() for value in values.values()]
    max(moments, key=torch.numel).view(-1)[0] = float("inf")


def _fill_disk(*_: Any) -> None:
    """From now on nothing can be written; what others have written is still there."""
    no_space = failing(errno.ENOSPC)
    os.write = lambda *args: no_space("write", None, args, {})  # type: ignore[assignment, arg-type]


_ACTIONS: dict[str, Callable[..., None]] = {
    "stop": _stop,
    "kill": _kill,
    "fill disk": _fill_disk,
    "spoil weight": _spoil_weight,
    "spoil gradient": _spoil_gradient,
    "spoil input": _spoil_input,
    "spoil saved weight": _spoil_saved_weight,
    "spoil optimizer": _spoil_optimizer,
}
