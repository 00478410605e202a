"""Networks that take their time, so that there is something to see. The scenario's jobs carry this file along."""

import os
import time
from itertools import pairwise
from typing import Any

from torch import Tensor, nn

PASS_SECONDS = float(os.environ.get("PASS_SECONDS", "0.04"))
PASSES_UNTIL_STALL = int(os.environ.get("PASSES_UNTIL_STALL", "0"))
"""After which one pass takes for ever; 0: none does."""


class Slow(nn.Sequential):
    """Rows (rows, features) -> (rows, outputs), after a while."""

    passes = 0

    def forward(self, rows: Tensor) -> Tensor:
        self.passes += 1
        time.sleep(100_000 if self.passes == PASSES_UNTIL_STALL else PASS_SECONDS)
        outputs: Tensor = super().forward(rows)
        return outputs


def network(spec: Any, shapes: Any) -> nn.Module:
    """A perceptron as spec.model asks for; see docs/models.md."""
    widths = [shapes.features, *spec.hidden_units]
    hidden = [[nn.Linear(before, after), nn.ReLU(), nn.Dropout(spec.dropout)] for before, after in pairwise(widths)]
    return Slow(*(layer for group in hidden for layer in group), nn.Linear(widths[-1], shapes.outputs))
