"""The trainings that are timed: a recipe and its data, small enough that what is around the mathematics shows."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SEED = 7


@dataclass(frozen=True)
class Case:
    """One network and how it is trained."""

    name: str
    model: dict[str, Any]
    shape: tuple[int, ...]
    batch: int
    steps: int
    """Of an epoch."""
    epochs: int
    classes: int | None = None
    rate: float = 0.001

    @property
    def rows(self) -> int:
        return self.batch * self.steps

    def training(self, data: Path, **changes: Any) -> dict[str, Any]:
        """The recipe; every side trains what it says."""
        shape = {"shape": list(self.shape)} if len(self.shape) > 1 else {}
        plain = {
            "task": "classification" if self.classes else "regression",
            "epochs": self.epochs,
            "batchSize": self.batch,
            "data": {"path": str(data), "format": "npz", **shape},
            "model": self.model,
            "optimizer": {"type": "adamw", "learningRate": self.rate},
            "seed": SEED,
        }
        return {**plain, **changes}

    def write(self, folder: Path) -> Path:
        """An npz with x and y, the same every time."""
        source = np.random.default_rng(SEED)
        x = source.standard_normal((self.rows, int(np.prod(self.shape))), dtype=np.float32)
        score = x[:, 0] + 0.5 * x[:, 1] * x[:, 2] + 0.3 * source.standard_normal(self.rows, dtype=np.float32)
        y = np.digitize(score, np.quantile(score, np.linspace(0, 1, self.classes + 1)[1:-1])) if self.classes else score
        path = folder / "data.npz"
        np.savez(path, x=x, y=y)
        return path


CASES = {
    case.name: case
    for case in (
        Case("mlp", {"type": "mlp", "hiddenUnits": [64, 64]}, (20,), batch=256, steps=400, epochs=10),
        # Slower: what two implementations of AdamW round differently would grow to half a percent of the loss.
        Case("cnn", {"type": "cnn", "channels": [16, 32], "hiddenUnits": [64]}, (3, 32, 32), 64, 60, 6, 10, rate=1e-5),
        Case("lstm", {"type": "lstm", "hiddenUnits": [32]}, (24, 8), batch=128, steps=100, epochs=8),
        Case("gru", {"type": "gru", "hiddenUnits": [32]}, (24, 8), batch=128, steps=100, epochs=8),
    )
}
