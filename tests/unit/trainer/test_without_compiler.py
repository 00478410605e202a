"""The stand-in in the compiler's place gives way to the real one, however that is asked for."""

import subprocess
import sys

import pytest

_SKIP = "import torch, sys; from trainer.learning.without_compiler import skip_compiler; skip_compiler(); "


@pytest.mark.parametrize(
    "use",
    [
        "from torch.export.pt2_archive._package import load_pt2",
        "from torch._dynamo import source; assert source is sys.modules['torch._dynamo.source']; torch._dynamo.reset()",
    ],
    ids=["export", "a part and the whole"],
)
def test_whoever_needs_the_compiler_gets_it(use: str) -> None:
    subprocess.run([sys.executable, "-c", _SKIP + use], check=True)


def test_a_step_needs_neither_compiler_nor_sympy() -> None:
    step = """
from trainer.learning.without_compiler import backward
layer = torch.nn.Linear(2, 1)
optimizer = torch.optim.AdamW(layer.parameters())
backward(layer(torch.ones(1, 2)).sum(), torch.tensor(0.5))
assert layer.weight.grad.tolist() == [[0.5, 0.5]]
optimizer.step(); optimizer.zero_grad(); optimizer.state_dict()
assert not [name for name in sys.modules if name.startswith('torch._dynamo.') or name == 'sympy']
"""
    subprocess.run([sys.executable, "-c", _SKIP + step], check=True)
