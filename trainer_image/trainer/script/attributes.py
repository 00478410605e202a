"""What modules keep besides parameters and buffers: nobody saves it, so it is told if it changes."""

import random
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

_FEW = 4096
_GENERATORS = (torch.Generator, random.Random, np.random.Generator, np.random.RandomState)
_LISTS = (list, tuple, deque)


class Attributes:
    """Numbers, tensors and random generators, in lists and dicts too, as they were when this was made."""

    def __init__(self, owners: Mapping[str, object]) -> None:
        """owners: modules with all that are inside, or other objects."""
        self._owners = owners
        self._before = dict(self._values())

    def doubts(self) -> list[str]:
        """Those that are something else by now."""
        now = dict(self._values())
        changed = [path for path in {**self._before, **now} if self._before.get(path) != now.get(path)]
        return [f"{path} changes, and no state_dict() holds it" for path in changed]

    def _values(self) -> Iterator[tuple[str, object]]:
        for name, owner in self._owners.items():
            if not isinstance(owner, nn.Module):
                yield from _values_of(name, vars(owner))
                continue
            for inner, module in owner.named_modules():
                yield from _values_of(f"{name}.{inner}" if inner else name, _kept(module))


def _kept(module: nn.Module) -> dict[str, Any]:
    """A module's attributes, as far as they are not in its state by its own word."""
    kind = type(module)
    if kind.get_extra_state is not nn.Module.get_extra_state:
        return {}
    passing = {name: module._buffers[name] for name in module._non_persistent_buffers_set}
    saved = module.state_dict() if kind.state_dict is not nn.Module.state_dict else {}
    return {name: value for name, value in {**vars(module), **passing}.items() if name not in saved}


def _values_of(path: str, attributes: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    for name, value in attributes.items():
        if not name.startswith("_") and (found := _print(value)) is not None:
            yield f"{path}.{name}", found


def _print(value: Any) -> object:
    """Something to tell its values apart by; None if it is of no kind that counts."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return repr(value)
    if isinstance(value, Tensor):
        return _print_of_tensor(value)
    if isinstance(value, _GENERATORS):
        return repr(_state_of(value))
    if isinstance(value, dict):
        return _print_of_many(list(value.values()))
    if isinstance(value, _LISTS):
        return _print_of_many(list(value))
    return None


def _print_of_tensor(value: Tensor) -> object:
    if value.is_meta or value.layout is not torch.strided:
        return id(value)
    if value.numel() > _FEW:
        return id(value), value._version
    return tuple(value.shape), value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def _print_of_many(values: list[Any]) -> object:
    """Of their number and the last ones; nothing, and what holds anything else, is of no kind that counts."""
    prints = [_print(each) for each in values[-10:]]
    return None if not prints or any(each is None for each in prints) else (len(values), *prints)


def _state_of(generator: Any) -> object:
    match generator:
        case torch.Generator():
            return generator.get_state().tolist()
        case random.Random():
            return generator.getstate()
        case np.random.Generator():
            return generator.bit_generator.state
        case _:
            return [*generator.get_state()[1], *generator.get_state()[2:]]
