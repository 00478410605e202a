"""Gradients that wait for an optimizer's step: what a program has collected when it is stopped amid an accumulation."""

from collections.abc import Iterable, Mapping
from functools import partial
from itertools import chain

import torch
from torch import Tensor, nn

from trainer.script.packing import TENSORS

State = dict[int, Tensor | None]
Copy = tuple[list[Tensor | None], frozenset[int]]


class Gradients:
    """Those of a program's parameters, by their number. Most steps leave none that wait, and none are saved then."""

    def __init__(self, modules: Iterable[nn.Module], optimizers: Iterable[torch.optim.Optimizer]) -> None:
        self._optimizers = list(optimizers)
        of_modules = chain.from_iterable(module.parameters() for module in modules)
        self._parameters = list(
            {id(each): each for each in chain(of_modules, *map(_trained, self._optimizers))}.values()
        )
        self._stepped: set[int] = set()
        """Numbers of the optimizers that have made a step since the run counted one."""
        self._waiting: frozenset[int] = frozenset()
        """Numbers of parameters."""
        for number, optimizer in enumerate(self._optimizers):
            inner = getattr(optimizer, "optimizer", optimizer)  # that of accelerate's wrapper
            inner.register_step_post_hook(partial(self._note, number))

    def _note(self, number: int, *_: object) -> None:
        self._stepped.add(number)

    @property
    def is_collecting(self) -> bool:
        """Whether no optimizer has made a step since the run counted one."""
        return bool(self._optimizers) and not self._stepped

    def close_step(self) -> None:
        """The run has counted a step: whoever made none still collects."""
        if len(self._stepped) < len(self._optimizers):
            idle = (each for number, each in enumerate(self._optimizers) if number not in self._stepped)
            trained = {id(parameter) for optimizer in idle for parameter in _trained(optimizer)}
            self._waiting = frozenset(n for n, each in enumerate(self._parameters) if id(each) in trained)
        elif self._waiting:
            self._waiting = frozenset()
        self._stepped.clear()

    def found(self) -> None:
        """For a loop that clears gradients after every step: those that are there wait."""
        self._waiting = frozenset(n for n, each in enumerate(self._parameters) if each.grad is not None)

    def state(self) -> State:
        """What a checkpoint has to hold, as far as it can."""
        grads = {number: self._parameters[number].grad for number in sorted(self._waiting)}
        return {number: grad for number, grad in grads.items() if _can_be_saved(grad)}

    def doubts(self) -> list[str]:
        are_whole = all(_can_be_saved(self._parameters[number].grad) for number in self._waiting)
        return (
            [] if are_whole else ["gradients that are no dense tensors were collected for a step that had yet to come"]
        )

    def load(self, state: Mapping[int, Tensor | None]) -> None:
        for number, grad in state.items():
            parameter = self._parameters[number]
            parameter.grad = None if grad is None else grad.to(parameter.device)
        self._waiting = frozenset(state)

    def copy(self) -> Copy:
        """All of them, whether they wait or not."""
        grads = (parameter.grad for parameter in self._parameters)
        return [None if grad is None else grad.detach().clone() for grad in grads], self._waiting

    def go_back(self, copy: Copy) -> None:
        grads, self._waiting = copy
        for parameter, grad in zip(self._parameters, grads, strict=True):
            parameter.grad = grad
        self._stepped.clear()


def _trained(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _can_be_saved(grad: Tensor | None) -> bool:
    return grad is None or (type(grad) in TENSORS and grad.layout is torch.strided and not grad.is_complex())
