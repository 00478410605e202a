"""The stand-in in the compiler's place gives way to the real one, however that is asked for."""

import subprocess
import sys

import pytest

_SKIP = "import torch, sys; from trainer.learning.without_compiler import skip_compiler; skip_compiler(); "


@pytest.mark.parametrize(
    "use",
    [
        "from torch.export.pt2_archive._package import load_pt2",
        "import torch._dynamo.source as s; from torch._dynamo import source; assert s is source",
        "from torch._dynamo import source; assert source is sys.modules['torch._dynamo.source']",
        "torch._dynamo.reset()",
    ],
    ids=["export", "submodule", "from", "attribute"],
)
def test_whoever_needs_the_compiler_gets_it(use: str) -> None:
    subprocess.run([sys.executable, "-c", _SKIP + use], check=True)


def test_a_step_needs_no_compiler() -> None:
    step = (
        "w = torch.nn.Parameter(torch.zeros(1)); w.grad = torch.ones(1); torch.optim.SGD([w], lr=1).step(); "
        "assert not any(name.startswith('torch._dynamo.') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", _SKIP + step], check=True)
