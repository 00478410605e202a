"""Images changed a little, anew in every epoch.

What happens to an image comes from seed, epoch and the row's number alone, by a hash: neither ranks nor batches nor a
resume make a difference, and there is no random generator whose state would have to be saved.
"""

from math import pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.data.batches import Augment
from trainer.data.dataset import DataFacts
from trainer.seeds import derived_seed
from trainingjob_api.spec.training import Augmentation, Training

_ANGLE, _FLIP, _DOWN, _RIGHT = range(4)  # what is drawn for each image
# SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014), as signed numbers.
_STEP, _FIRST, _SECOND = (value - 2**64 for value in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def augmentation_for(recipe: Training, facts: DataFacts, device: torch.device) -> Augment | None:
    """What a recipe does to the images of a batch; around them lies what was zero before it was scaled."""
    spec = recipe.data.augmentation
    if spec is None:
        return None
    fill = torch.from_numpy(facts.scaling.apply(np.zeros(facts.inputs))).to(device, torch.float32)
    return lambda rows, numbers, epoch: augment(rows, numbers, spec, facts.shape, fill, recipe.seed, epoch)


def augment(
    rows: Tensor, numbers: Tensor, spec: Augmentation, shape: tuple[int, ...], fill: Tensor, seed: int, epoch: int
) -> Tensor:
    """Rotated about the centre, then mirrored, then moved; flat rows (rows, channels x height x width) in and out.

    numbers: which rows they are, (rows,) int64. fill: a flat row of what lies outside of an image.
    """
    chance = uniform(derived_seed(seed, "augmentation", epoch), numbers, 4)
    images, outside = rows.view(-1, *shape), fill.view(1, *shape)
    y, x = _places(chance, spec, *shape[1:])
    if spec.rotate_degrees:
        angles = (2 * chance[:, _ANGLE] - 1) * (spec.rotate_degrees * pi / 180)
        return _rotated(images - outside, y, x, angles).add_(outside).flatten(1)
    return _gathered(images, y, x, outside).flatten(1)


def uniform(key: int, numbers: Tensor, draws: int) -> Tensor:
    """Numbers in [0, 1), float64 (numbers, draws): the same for the same key, number and draw, and for no other."""
    counters = numbers[:, None] * draws + torch.arange(1, draws + 1, device=numbers.device)
    mixed = counters * _STEP + key  # int64 arithmetic wraps around, as the hash wants
    mixed = (mixed ^ _shifted(mixed, 30)) * _FIRST
    mixed = (mixed ^ _shifted(mixed, 27)) * _SECOND
    mixed = mixed ^ _shifted(mixed, 31)
    return _shifted(mixed, 11).double() * 2.0**-53


def _shifted(values: Tensor, bits: int) -> Tensor:
    """To the right, with zeros from the left."""
    return (values >> bits) & ((1 << (64 - bits)) - 1)


def _places(chance: Tensor, spec: Augmentation, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The row (images, height) and column (images, width) of each pixel before it was mirrored and moved."""
    steps = ((2 * spec.crop_padding + 1) * chance).long() - spec.crop_padding
    y = torch.arange(height, device=chance.device) + steps[:, _DOWN, None]
    x = torch.arange(width, device=chance.device) + steps[:, _RIGHT, None]
    if spec.horizontal_flip:
        x = torch.where(chance[:, _FLIP, None] < 0.5, width - 1 - x, x)
    return y, x


def _gathered(images: Tensor, y: Tensor, x: Tensor, outside: Tensor) -> Tensor:
    """Whole pixels, unchanged."""
    channels, height, width = images.shape[1:]
    index = (y.clamp(0, height - 1)[:, :, None] * width + x.clamp(0, width - 1)[:, None, :]).flatten(1)
    moved = images.flatten(2).gather(2, index[:, None].expand(-1, channels, -1)).view_as(images)
    inside = _within(y, height)[:, None, :, None] & _within(x, width)[:, None, None, :]
    return torch.where(inside, moved, outside)


def _within(places: Tensor, size: int) -> Tensor:
    return (places >= 0) & (places < size)


def _rotated(images: Tensor, y: Tensor, x: Tensor, angles: Tensor) -> Tensor:
    """Bilinear between pixels; zero outside of the image.

    Not affine_grid: its matrix product may round differently when a batch has another size.
    """
    height, width = images.shape[2:]
    # The last bits of float64 may differ between vectorised and single sines; those of float32 then do not.
    cosine, sine = (function(angles).float()[:, None, None] for function in (torch.cos, torch.sin))
    down, right = (y - (height - 1) / 2)[:, :, None], (x - (width - 1) / 2)[:, None, :]
    source_x = (right * cosine - down * sine) * (2 / width)  # -1 and 1 are the image's edges
    source_y = (right * sine + down * cosine) * (2 / height)
    grid = torch.stack((source_x, source_y), dim=3)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
