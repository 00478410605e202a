"""The objects of a program by name: their states out of them and back into them."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain, zip_longest
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from trainer.errors import CheckpointMismatch, UserError
from trainer.script.packing import TENSORS, TREE, pack, unpack

# Optimizers, schedulers, modules …; torch.Generator; the module `random` and its generators.
_PAIRS = (("state_dict", "load_state_dict"), ("get_state", "set_state"), ("getstate", "setstate"))


class Objects:
    """What a program has given to be saved. A dict of its own is saved as it is."""

    def __init__(self, objects: Mapping[str, object]) -> None:
        self._objects = {name: _unwrapped(each) for name, each in objects.items()}
        self._ways = {name: self._way(name, each) for name, each in self._objects.items()}
        self._weights: list[Tensor] = []
        self.named_modules = {name: each for name, each in self._objects.items() if isinstance(each, nn.Module)}
        self.modules = list(self.named_modules.values())
        self.optimizers = [each for each in self._objects.values() if isinstance(each, torch.optim.Optimizer)]

    def small(self) -> "Objects":
        """What is quickly copied: no modules, and of optimizers only the settings."""
        return Objects(
            {
                name: _Settings(each) if isinstance(each, torch.optim.Optimizer) else each
                for name, each in self._objects.items()
                if not isinstance(each, nn.Module)
            }
        )

    def weights(self) -> list[Tensor]:
        """Of the modules, with their buffers."""
        return [tensor for module in self.modules for tensor in chain(module.parameters(), module.buffers())]

    def trained(self) -> list[Tensor]:
        """All that small() leaves out changes only together with one of these."""
        groups = [group["params"] for optimizer in self.optimizers for group in optimizer.param_groups]
        return list(chain(self.weights(), *groups))

    def pack(self) -> dict[str, Tensor]:
        """All states; a UserError names what cannot be saved."""
        return pack({name: get() for name, (get, _) in self._ways.items()})

    def load(self, tensors: Mapping[str, Tensor], weights: Iterable[Tensor] = ()) -> None:
        """Every object becomes what was packed; weights: of other modules, which a dict may hold as well."""
        saved = {name.removesuffix(TREE) for name in tensors if name.endswith(TREE)}
        if saved != set(self._ways):
            raise CheckpointMismatch(
                f"the checkpoint holds {_listed(saved)}, the program gives {_listed(self._ways)} to start(): "
                "give the same, or use a folder of its own (checkpoint.startFresh: true)"
            )
        self._weights = [*weights, *self.weights()]
        # Dicts last: by then the weights that they may hold are loaded.
        for name in sorted(self._ways, key=lambda name: isinstance(self._objects[name], dict)):
            _, put = self._ways[name]
            state = unpack(tensors, name)
            try:
                put(state)
            except torch.OutOfMemoryError:
                raise
            except Exception as error:
                raise CheckpointMismatch(f"`{name}` does not take its state from the checkpoint: {error}") from error

    def _way(self, name: str, value: Any) -> tuple[Callable[[], object], Callable[[Any], object]]:
        if isinstance(value, dict):  # of a subclass, that stays what it is
            return lambda: dict(value), lambda state: _Filling(self._weights).fill(value, state)
        for get, put in _PAIRS:
            if callable(getattr(value, get, None)) and callable(getattr(value, put, None)):
                return getattr(value, get), getattr(value, put)
        kind = type(value).__name__
        raise UserError(f"start({name}=...): a {kind} has no state_dict() and load_state_dict(), and is no dict")


class _Settings:
    """An optimizer's learning rates and the like: what a scheduler changes."""

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer

    def state_dict(self) -> dict[str, Any]:
        groups = self._optimizer.state_dict()["param_groups"]
        return {"groups": [{key: value for key, value in group.items() if key != "params"} for group in groups]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for group, saved in zip(self._optimizer.param_groups, state["groups"], strict=True):
            filling = _Filling(())
            group.update({key: filling.filled(group.get(key), value) for key, value in saved.items()})


class _Filling:
    """Saved values become the content of those that are there: the program may hold them by other names as well.

    What two names of the saved state would have to share is filled once; so are weights, which load by themselves.
    """

    def __init__(self, weights: Iterable[Tensor]) -> None:
        self._filled = {_place(each) for each in weights if type(each) in TENSORS and each.layout is torch.strided}

    def fill(self, old: dict[Any, Any], new: dict[Any, Any]) -> None:
        content = {key: self.filled(old.get(key), value) for key, value in new.items()}
        old.clear()
        old.update(content)

    def filled(self, old: Any, new: Any) -> Any:
        """The old one with the new content, or the new one where that is not possible."""
        if isinstance(old, Tensor) and isinstance(new, Tensor):
            return self._filled_tensor(old, new)
        if type(old) is not type(new) or not isinstance(old, (dict, list)) or not self._is_first(id(old)):
            return new
        if isinstance(old, dict):
            self.fill(old, new)
        else:
            old[:] = [self.filled(*pair) for pair in zip_longest(old[: len(new)], new)]
        return old

    def _filled_tensor(self, old: Tensor, new: Tensor) -> Tensor:
        new = new.to(old.device)
        if not _is_alike(old, new):
            return new
        if not self._is_first(_place(old)):
            return old if torch.equal(old, new) else new
        with torch.no_grad():
            old.copy_(new)
        return old

    def _is_first(self, place: int) -> bool:
        is_first = place not in self._filled
        self._filled.add(place)
        return is_first


def _place(value: Tensor) -> int:
    return value.untyped_storage().data_ptr()


def _is_alike(old: Tensor, new: Tensor) -> bool:
    """Whether the old one can be written to as if it were new."""
    overlaps = any(stride == 0 and size > 1 for size, stride in zip(old.shape, old.stride(), strict=True))
    return (
        type(old) in TENSORS
        and (old.shape, old.dtype) == (new.shape, new.dtype)
        and old.is_leaf
        and not (overlaps or old.is_inference())
    )


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


def _listed(names: Any) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names)) or "nothing"
