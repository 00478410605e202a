"""Keeps torch.compile's front end out of ranks that compile nothing.

Optimizers, DDP and process groups import `torch._dynamo` only to tell it that they need not be compiled. The import
takes as long as that of torch itself, in every rank at every start.
"""

import importlib
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import torch

_NAME = "torch._dynamo"


def skip_compiler() -> None:
    """Puts a stand-in in the compiler's place; whoever wants more of it than an answer gets the real one."""
    if _NAME not in sys.modules:
        torch._dynamo = sys.modules[_NAME] = _StandIn()


def restore_compiler() -> None:
    """Puts the real one back, for whoever needs more of it than a few answers."""
    if isinstance(sys.modules.get(_NAME), _StandIn):
        del sys.modules[_NAME], torch._dynamo
    importlib.import_module(_NAME)


class _StandIn(ModuleType):
    """What torch's own modules ask for while nothing is compiled."""

    def __init__(self) -> None:
        super().__init__(_NAME, __doc__)
        self.__path__ = [f"{torch.__path__[0]}/_dynamo"]  # its submodules can still be imported
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
