"""What a network takes and gives."""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Shapes:
    """A network maps flat rows (rows, prod(inputs)) in float32 to (rows, outputs) in float32."""

    inputs: tuple[int, ...]
    """Of one row: (features,), (channels, height, width) of an image or (length, features) of a sequence."""
    outputs: int
    """Values for each row: one logit for each class, or one number."""

    @property
    def features(self) -> int:
        """Values of one flat row."""
        return prod(self.inputs)
