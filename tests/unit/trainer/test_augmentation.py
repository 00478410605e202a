"""Images that are changed: against loops over pixels, and independently of how an epoch is cut."""

from math import cos, floor, pi, sin
from typing import Any

import pytest
import torch
from torch import Tensor

from trainer.learning.augmentation import augment, uniform
from trainer.seeds import derived_seed
from trainingjob_api.spec.training import Augmentation

SHAPE = (2, 5, 7)
COUNT = 24
EVERYTHING = {"rotateDegrees": 40, "horizontalFlip": True, "cropPadding": 2}
WHOLE_PIXELS = {"horizontalFlip": True, "cropPadding": 2}


def images(shape: tuple[int, ...] = SHAPE, count: int = COUNT) -> Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(1))


def changed(given: Tensor, numbers: Tensor | None = None, epoch: int = 0, seed: int = 7, **fields: Any) -> Tensor:
    """The images as an epoch shows them; what lies outside is 5 in the first channel, 6 in the next."""
    fill = torch.arange(5.0, 5.0 + given.shape[1])[:, None, None].expand(given.shape[1:])
    numbers = torch.arange(len(given)) if numbers is None else numbers
    spec = Augmentation.model_validate(fields)
    flat = augment(given.flatten(1), numbers, spec, tuple(given.shape[1:]), fill.flatten(), seed, epoch)
    return flat.view_as(given)


def by_hand(image: Tensor, chance: list[float], spec: Augmentation) -> Tensor:
    """One image, pixel by pixel."""
    channels, height, width = image.shape
    angle = (2 * chance[0] - 1) * spec.rotate_degrees * pi / 180
    mirrored = spec.horizontal_flip and chance[1] < 0.5
    down, right = (floor((2 * spec.crop_padding + 1) * draw) - spec.crop_padding for draw in chance[2:])
    middle_y, middle_x = (height - 1) / 2, (width - 1) / 2

    def pixel(channel: int, y: int, x: int) -> float:
        inside = 0 <= y < height and 0 <= x < width
        return float(image[channel, y, x]) if inside else 5.0 + channel

    result = torch.empty_like(image)
    for channel in range(channels):
        for y in range(height):
            for x in range(width):
                from_y, from_x = y + down, x + right
                from_x = width - 1 - from_x if mirrored else from_x
                dy, dx = from_y - middle_y, from_x - middle_x
                sy = dx * sin(angle) + dy * cos(angle) + middle_y
                sx = dx * cos(angle) - dy * sin(angle) + middle_x
                fy, fx = floor(sy + 1e-9), floor(sx + 1e-9)
                wy, wx = sy - fy, sx - fx
                result[channel, y, x] = (
                    pixel(channel, fy, fx) * (1 - wy) * (1 - wx)
                    + pixel(channel, fy, fx + 1) * (1 - wy) * wx
                    + pixel(channel, fy + 1, fx) * wy * (1 - wx)
                    + pixel(channel, fy + 1, fx + 1) * wy * wx
                )
    return result


@pytest.mark.parametrize(
    "fields",
    [EVERYTHING, WHOLE_PIXELS, {"rotateDegrees": 180}, {"horizontalFlip": True}, {"cropPadding": 9}],
    ids=["everything", "mirrored and moved", "rotated", "mirrored", "moved out of the image"],
)
def test_images_are_those_of_a_loop_over_pixels(fields: dict[str, Any]) -> None:
    given, spec = images(), Augmentation.model_validate(fields)
    chance = uniform(derived_seed(7, "augmentation", 0), torch.arange(COUNT), 4).tolist()
    expected = torch.stack([by_hand(image, draws, spec) for image, draws in zip(given, chance, strict=True)])
    torch.testing.assert_close(changed(given, **fields), expected, rtol=0, atol=1e-4)


def test_pixels_that_are_only_moved_keep_their_bits() -> None:
    values = {*images().flatten().tolist(), 5.0, 6.0}
    assert set(changed(images(), **WHOLE_PIXELS).flatten().tolist()) <= values


@pytest.mark.parametrize("fields", [EVERYTHING, WHOLE_PIXELS], ids=["rotated", "whole pixels"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 16])
def test_however_an_epoch_is_cut_its_images_are_the_same_bits(fields: dict[str, Any], size: int) -> None:
    given = images((3, 9, 11), 50)
    whole = changed(given, **fields)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(size))
    for numbers in order.split(size):
        assert torch.equal(changed(given[numbers], numbers, **fields), whole[numbers])


@pytest.mark.parametrize("fields", [EVERYTHING, WHOLE_PIXELS], ids=["rotated", "whole pixels"])
def test_a_rank_without_images_gets_none(fields: dict[str, Any]) -> None:
    assert changed(images(count=0), **fields).shape == (0, *SHAPE)


@pytest.mark.parametrize("fields", [EVERYTHING, WHOLE_PIXELS], ids=["rotated", "whole pixels"])
def test_every_epoch_every_seed_and_every_row_has_chances_of_its_own(fields: dict[str, Any]) -> None:
    alike = images(count=1).expand(COUNT, *SHAPE).contiguous()
    shown = changed(alike, **fields)
    assert len({tuple(image.flatten().tolist()) for image in shown}) > COUNT / 2
    assert not torch.equal(changed(alike, epoch=1, **fields), shown)
    assert not torch.equal(changed(alike, seed=8, **fields), shown)


def test_chances_are_those_of_splitmix64() -> None:
    """The first two numbers of its reference implementation from seed 0."""
    drawn = uniform(0, torch.zeros(1, dtype=torch.int64), 2)[0].tolist()
    assert drawn == [(0xE220A8397B1DCDAF >> 11) / 2**53, (0x6E789E6AA1B965F4 >> 11) / 2**53]


def test_chances_are_even_and_independent() -> None:
    drawn = uniform(derived_seed(1, "augmentation", 3), torch.arange(20_000), 4)
    assert (drawn >= 0).all()
    assert (drawn < 1).all()
    assert drawn.mean(dim=0).tolist() == pytest.approx([0.5] * 4, abs=0.01)
    assert drawn.var(dim=0).tolist() == pytest.approx([1 / 12] * 4, abs=0.002)
    both = torch.cat([drawn[:-1].T, drawn[1:].T])  # with the next row's
    assert (torch.corrcoef(both) - torch.eye(8)).abs().max() < 0.03
