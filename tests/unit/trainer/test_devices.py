"""What a rank computes on, and what is said where that is not what was asked for; without a GPU."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from trainer import devices
from trainer.data.dataset import Dataset
from trainer.devices import Seen, device_of
from trainer.errors import UserError

NONE, FOUR = Seen(0, "CUDA 13.0"), Seen(4, "CUDA 13.0")
CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("rank", "ranks", "asked", "seen", "device"),
    [
        pytest.param(0, 2, 0, NONE, CPU, id="nothing is asked for, nothing is there"),
        pytest.param(3, 4, 4, FOUR, torch.device("cuda", 3), id="one for each"),
        pytest.param(1, 2, 0, FOUR, torch.device("cuda", 1), id="not asked for, but there"),
        pytest.param(0, 1, 4, FOUR, torch.device("cuda", 0), id="more than ranks"),
    ],
)
def test_every_rank_has_a_device_of_its_own(
    rank: int, ranks: int, asked: int, seen: Seen, device: torch.device
) -> None:
    assert device_of(rank, ranks, asked, seen) == device


@pytest.mark.parametrize(
    ("ranks", "asked", "seen", "words"),
    [
        pytest.param(1, 1, NONE, "asks for 1 GPU(s), and PyTorch, built for CUDA 13.0, sees 0", id="none is there"),
        pytest.param(1, 1, replace(NONE, build="CPUs alone"), "built for CPUs alone, sees 0", id="an image for CPUs"),
        pytest.param(8, 8, FOUR, "asks for 8 GPU(s), and PyTorch, built for CUDA 13.0, sees 4", id="too few"),
        pytest.param(8, 4, FOUR, "8 ranks in a pod that sees 4 GPU(s)", id="two on one"),
        pytest.param(8, 0, FOUR, "8 ranks in a pod that sees 4 GPU(s)", id="two on one of a laptop"),
    ],
)
def test_what_was_asked_for_and_is_not_there_is_told(ranks: int, asked: int, seen: Seen, words: str) -> None:
    for rank in range(ranks):
        with pytest.raises(UserError) as told:
            device_of(rank, ranks, asked, seen)
        assert words in str(told.value)


def test_rows_that_do_not_fit_are_told_from_a_batch_that_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def to(_: torch.device) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (3 * 2**30, 8 * 2**30))
    with pytest.raises(torch.OutOfMemoryError, match=r"3.0 GiB of 8.0 GiB are free.*loading: stream"):
        devices.moved(cast(Dataset, SimpleNamespace(to=to)), torch.device("cuda", 0))


@pytest.mark.parametrize(("native", "precision"), [(False, "float16"), (False, "float32"), (True, "bfloat16")])
def test_a_precision_that_the_device_has_is_taken(
    monkeypatch: pytest.MonkeyPatch, native: bool, precision: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    devices.require_precision(precision, torch.device("cuda", 0))
    devices.require_precision("bfloat16", CPU)


def test_bfloat16_is_refused_where_it_is_emulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: including_emulation)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Tesla T4")
    with pytest.raises(UserError, match="Tesla T4 has no bfloat16"):
        devices.require_precision("bfloat16", torch.device("cuda", 0))
