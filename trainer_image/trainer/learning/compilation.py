"""torch.compile, for recipes that ask for it."""

import torch
from torch import nn

from trainer.errors import UserError

_MOST_SIZES = 1000
"""Beyond it batches would go through the network uncompiled, and round differently. A stage has a handful."""


def compiled(model: nn.Module) -> nn.Module:
    """The model with its passes compiled, anew for each size of a batch; UserError without a C++ compiler.

    One program for all sizes would depend on which of them came first, and a resumed training may begin with another
    than one that was not interrupted.
    """
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler as error:
        raise UserError(
            "training.compile: torch.compile needs a C++ compiler, and there is none here. Build the trainer's image "
            "with --build-arg PACKAGES=g++ and name it in pod.image, or leave compile out."
        ) from error
    torch._dynamo.config.recompile_limit = torch._dynamo.config.accumulated_recompile_limit = _MOST_SIZES
    program: nn.Module = torch.compile(model, dynamic=False)  # type: ignore[assignment]
    return program
