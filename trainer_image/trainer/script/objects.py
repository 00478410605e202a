"""The objects of a program by name: their states out of them and back into them."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from trainer.errors import CheckpointMismatch, UserError
from trainer.script.packing import TREE, pack, unpack

# Optimizers, schedulers, modules …; torch.Generator; the module `random` and its generators.
_PAIRS = (("state_dict", "load_state_dict"), ("get_state", "set_state"), ("getstate", "setstate"))


class Objects:
    """What a program has given to be saved. A dict of its own is saved as it is."""

    def __init__(self, objects: Mapping[str, object]) -> None:
        self._objects = {name: _unwrapped(each) for name, each in objects.items()}
        self._ways = {name: _ways(name, each) for name, each in self._objects.items()}
        self.modules = [each for each in self._objects.values() if isinstance(each, nn.Module)]
        self.optimizers = [each for each in self._objects.values() if isinstance(each, torch.optim.Optimizer)]

    def small(self) -> "Objects":
        """Those that are quickly copied."""
        large = (nn.Module, torch.optim.Optimizer)
        return Objects({name: each for name, each in self._objects.items() if not isinstance(each, large)})

    def pack(self) -> dict[str, Tensor]:
        """All states; a UserError names what cannot be saved."""
        return pack({name: get() for name, (get, _) in self._ways.items()})

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Every object becomes what was packed."""
        saved = {name.removesuffix(TREE) for name in tensors if name.endswith(TREE)}
        if saved != set(self._ways):
            raise CheckpointMismatch(
                f"the checkpoint holds {_listed(saved)}, the program gives {_listed(self._ways)} to start(): "
                "give the same, or use a folder of its own (checkpoint.startFresh: true)"
            )
        for name, (_, put) in self._ways.items():
            state = unpack(tensors, name)
            try:
                put(state)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                raise CheckpointMismatch(f"`{name}` does not take its state from the checkpoint: {error}") from error


def _unwrapped(value: object) -> object:
    """The module itself, not what distributes or compiles it: those give its weights other names."""
    while isinstance(value, nn.Module):
        if isinstance(value, (DistributedDataParallel, DataParallel)):
            value = value.module
        elif isinstance(inner := getattr(value, "_orig_mod", None), nn.Module):
            value = inner
        else:
            break
    return value


def _ways(name: str, value: Any) -> tuple[Callable[[], object], Callable[[Any], object]]:
    if isinstance(value, dict):
        return value.copy, lambda state: _refill(value, state)
    for get, put in _PAIRS:
        if callable(getattr(value, get, None)) and callable(getattr(value, put, None)):
            return getattr(value, get), getattr(value, put)
    kind = type(value).__name__
    raise UserError(f"start({name}=...): a {kind} has no state_dict() and load_state_dict(), and is no dict")


def _refill(value: dict[Any, Any], content: dict[Any, Any]) -> None:
    value.clear()
    value.update(content)


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "nothing"
