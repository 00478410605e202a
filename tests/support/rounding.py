"""How far two sums of the same numbers may lie apart that were added in another order, on whatever machine."""

import torch


def rounding(summands: int, kind: torch.dtype = torch.float64) -> float:
    """As a share of the sum of their absolute values: either order may be off by (summands - 1) eps / 2 (Higham)."""
    return summands * torch.finfo(kind).eps
