"""A network that takes its time: who watches it train leaves the machine to others. Jobs carry this file along."""

import time
from typing import Any

from torch import Tensor, nn

PASS_SECONDS = 0.02


class Leisurely(nn.Sequential):
    """Rows (rows, features) -> (rows, outputs)."""

    def forward(self, rows: Tensor) -> Tensor:
        time.sleep(PASS_SECONDS)
        outputs: Tensor = super().forward(rows)
        return outputs


def network(spec: Any, shapes: Any) -> nn.Module:
    """See docs/models.md."""
    return Leisurely(nn.Linear(shapes.features, 8), nn.ReLU(), nn.Dropout(0.1), nn.Linear(8, shapes.outputs))
