"""What `state_dict()` returns -> tensors, and back. What is no tensor becomes JSON; nothing becomes pickle."""

import json
import math
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from trainer.errors import CheckpointCorrupt, UserError

TREE = "(tree)"
# What safetensors files hold as other types of that size.
_VIEWS = {
    torch.uint16: torch.int16,
    torch.uint32: torch.int32,
    torch.uint64: torch.int64,
    torch.float8_e4m3fn: torch.uint8,
    torch.float8_e5m2: torch.uint8,
}
_TYPES = {str(dtype).removeprefix("torch."): dtype for dtype in _VIEWS}
TENSORS = (Tensor, nn.Parameter, nn.Buffer)
_DICTS = {kind.__name__: kind for kind in (dict, OrderedDict, Counter)}
# What a defaultdict begins a value with; only these names are ever turned into something that is called.
_FACTORIES = {"None": None, **{kind.__name__: kind for kind in (list, dict, int, float, bool, str)}}

Json = Any
Key = tuple[int, torch.dtype, torch.Size, tuple[int, ...]]


def pack(values: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors in nested values by where they are, and the rest of each value as the bytes of a JSON document.

    What is neither is a UserError that says where it is: `optimizer.state.0.history`.
    """
    packing = _Packing()
    trees = {f"{name}{TREE}": json.dumps(packing.tree(value, name)).encode() for name, value in values.items()}
    documents = {name: torch.frombuffer(bytearray(tree), dtype=torch.uint8) for name, tree in trees.items()}
    return {**packing.tensors, **documents}


def unpack(tensors: Mapping[str, Tensor], name: str) -> Any:
    """The value that was packed under that name; its tensors are on the CPU."""
    try:
        tree = json.loads(tensors[f"{name}{TREE}"].numpy().tobytes())
        return _value(tree, tensors)
    except (KeyError, ValueError) as error:
        raise CheckpointCorrupt(f"`{name}` cannot be read from the checkpoint: {error}") from error


class _Packing:
    """Collects tensors on the way down."""

    def __init__(self) -> None:
        self.tensors: dict[str, Tensor] = {}
        self._names: dict[Key, str] = {}

    def tree(self, value: object, path: str) -> Json:
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if isinstance(value, Tensor):
            return {"tensor": self._tensor(value, path), **_type(value), **_order(value)}
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array(value, path)
        if isinstance(value, dict):
            return self._dict(value, path)
        if type(value) in (list, tuple, torch.Size):
            assert isinstance(value, (list, tuple))
            inner = [self.tree(each, f"{path}.{index}") for index, each in enumerate(value)]
            return inner if isinstance(value, list) else {"tuple": inner}
        raise _not_possible(path, value)

    def _dict(self, value: dict[Any, Any], path: str) -> Json:
        kind = type(value)
        if kind not in (*_DICTS.values(), defaultdict):
            raise _not_possible(path, value)
        items = [self._item(key, inner, f"{path}.{key}") for key, inner in value.items()]
        if not isinstance(value, defaultdict):
            return {kind.__name__: items}
        factory = next((name for name, each in _FACTORIES.items() if each is value.default_factory), None)
        if factory is None:
            raise _not_possible(f"{path} (the default_factory)", value.default_factory)
        return {"defaultdict": items, "factory": factory}

    def _item(self, key: object, value: object, path: str) -> list[Json]:
        if not isinstance(key, (str, int, float, bool, tuple, type(None))):
            raise _not_possible(f"{path} (the key)", key)
        return [self.tree(key, f"{path} (the key)"), self.tree(value, path)]

    def _tensor(self, value: Tensor, path: str) -> str:
        if type(value) not in TENSORS or value.layout is not torch.strided or value.is_quantized or value.is_meta:
            raise _not_possible(path, value)
        if value.dtype is torch.complex128:
            raise _not_possible(path, value)
        value = value.detach()
        key = (value.data_ptr(), value.dtype, value.shape, value.stride())
        if key not in self._names:  # tied weights are written once
            self._names[key] = self._add(path, value)
        return self._names[key]

    def _array(self, value: np.ndarray | np.generic, path: str) -> Json:
        try:
            tensor = torch.from_numpy(np.array(value))
        except TypeError as error:
            raise _not_possible(path, value) from error
        kind = "array" if isinstance(value, np.ndarray) else "scalar"
        return {kind: self._tensor(tensor, path), **_type(tensor)}

    def _add(self, path: str, value: Tensor) -> str:
        name, number = path, 1
        while name in self.tensors:
            number += 1
            name = f"{path}#{number}"
        self.tensors[name] = value.view(_VIEWS[value.dtype]) if value.dtype in _VIEWS else value
        return name


def _type(value: Tensor) -> dict[str, str]:
    return {"type": str(value.dtype).removeprefix("torch.")} if value.dtype in _VIEWS else {}


def _not_possible(path: str, value: object) -> UserError:
    kind = type(value)
    return UserError(
        f"{path} is a {kind.__module__}.{kind.__qualname__}, which a checkpoint cannot hold. Its state may consist of "
        "dense tensors, numpy arrays, numbers, strings, None, lists, tuples, dicts, OrderedDicts, Counters, and "
        "defaultdicts of a built-in type; leave it out of state_dict()."
    )


def _value(tree: Json, tensors: Mapping[str, Tensor]) -> Any:
    if isinstance(tree, list):
        return [_value(each, tensors) for each in tree]
    if not isinstance(tree, dict):
        return tree
    kind, content = next(iter(tree.items()))
    match kind:
        case "dict" | "OrderedDict" | "Counter":
            return _DICTS[kind](_items(content, tensors))
        case "defaultdict":
            return defaultdict(_FACTORIES[tree["factory"]], _items(content, tensors))
        case "tuple":
            return tuple(_value(each, tensors) for each in content)
        case "float":
            return float(content)
        case "tensor":
            return _laid_out(_typed(tree, tensors[content]), tree.get("order"))
        case "array":
            return _typed(tree, tensors[content]).numpy()
        case "scalar":
            return _typed(tree, tensors[content]).numpy()[()]
    raise ValueError(f"nobody knows what {kind!r} is")


def _items(content: Json, tensors: Mapping[str, Tensor]) -> dict[Any, Any]:
    return {_value(key, tensors): _value(inner, tensors) for key, inner in content}


def _order(value: Tensor) -> Json:
    """The dimensions as they lie in memory, where that is not as they are counted, such as in channels_last."""
    strides = torch.empty_like(value, device="meta").stride()  # of what overlaps or has gaps: those of a copy
    order = sorted(range(value.dim()), key=lambda dimension: -strides[dimension])
    return {} if value.is_contiguous() or order == sorted(order) else {"order": order}


def _laid_out(value: Tensor, order: Json) -> Tensor:
    """Fused optimizers pair a weight with its moments by their place in memory."""
    if order is None:
        return value
    if sorted(order) != list(range(value.dim())):
        raise ValueError(f"{order} is no order of {value.dim()} dimensions")
    return value.permute(order).contiguous().permute([order.index(number) for number in range(value.dim())])


def _typed(tree: Json, value: Tensor) -> Tensor:
    return value.view(_TYPES[tree["type"]]) if "type" in tree else value
