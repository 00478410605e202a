"""Keeps torch.compile's front end, and sympy, out of ranks that compile nothing.

Optimizers, DDP and process groups import `torch._dynamo` only to tell it that they need not be compiled; a backward
pass that begins with a given gradient imports sympy only to compare two shapes. Both imports take long, in every rank
at every start.
"""

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import Tensor

_NAME = "torch._dynamo"


def skip_compiler() -> None:
    """Puts a stand-in in the compiler's place; whoever wants more of it than an answer gets the real one."""
    if _NAME not in sys.modules:
        torch._dynamo = sys.modules[_NAME] = _StandIn()
        sys.meta_path.insert(0, _Submodules())


def restore_compiler() -> None:
    """Puts the real one back, for whoever needs more of it than a few answers."""
    if isinstance(sys.modules.get(_NAME), _StandIn):
        del sys.modules[_NAME], torch._dynamo
        sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, _Submodules)]
    importlib.import_module(_NAME)


def backward(loss: Tensor, gradient: Tensor) -> None:
    """`loss.backward(gradient)` for scalars, by the engine that it calls once it has compared their shapes."""
    engine = torch.autograd.Variable._execution_engine
    engine.run_backward((loss,), (gradient,), False, False, (), allow_unreachable=True, accumulate_grad=True)


class _StandIn(ModuleType):
    """What torch's own modules ask for while nothing is compiled."""

    def __init__(self) -> None:
        super().__init__(_NAME, __doc__)
        self.__path__: list[str] = []  # a package; `_Submodules` finds what is in it
        self.graph_break = lambda *_: None
        self.utils = SimpleNamespace(get_optimize_ddp_mode=lambda: "no_optimization")
        self.trace_rules = SimpleNamespace(clear_lru_cache=lambda: None)

    @staticmethod
    def disable(function: Any = None, recursive: bool = True, **_: Any) -> Any:
        return function

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        restore_compiler()
        return getattr(sys.modules[_NAME], name)


class _Submodules(MetaPathFinder, Loader):
    """Whoever imports a part of the compiler gets it from the real one, imported whole: its parts need each other."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(f"{_NAME}."):
            return None
        restore_compiler()
        return spec_from_loader(name, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return importlib.import_module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """It has run already."""
