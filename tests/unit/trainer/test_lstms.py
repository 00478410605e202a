"""LSTMs that compute in float32 because the CPU cannot do otherwise."""

import os
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from support.older_cpu import AVX2
from trainer.models.lstms import can_train_lstms, has_lstms, keep_lstms_in_float32

SHORT = [torch.bfloat16, torch.float16]


class Lagging(nn.LSTM):
    """A user's own, with more inputs than its parent."""

    def forward(self, sequences: Tensor, state: tuple[Tensor, Tensor] | None = None, *, lag: Tensor) -> Tensor:  # type: ignore[override]
        outputs: Tensor = super().forward(sequences, state)[0] + lag
        return outputs


def pair(kind: type[nn.LSTM] = nn.LSTM) -> tuple[nn.LSTM, nn.LSTM]:
    """The same layer as it is, and kept in float32."""
    torch.manual_seed(1)
    plain = kind(4, 7, num_layers=2, batch_first=True, bidirectional=True)
    kept = deepcopy(plain)
    keep_lstms_in_float32(kept)
    return plain, kept


SEQUENCES = torch.randn(9, 5, 4, generator=torch.Generator().manual_seed(2)).bfloat16()  # exact in both types
STATE = torch.full((4, 9, 7), 0.5).bfloat16()


@pytest.mark.parametrize("precision", SHORT)
@pytest.mark.parametrize("state", [None, (STATE, STATE)], ids=["from nothing", "from a state"])
def test_it_computes_as_without_autocast(precision: torch.dtype, state: tuple[Tensor, Tensor] | None) -> None:
    """Whatever the layer before has left of its inputs, to the last bit, backward as well."""
    plain, kept = pair()
    expected, _ = plain(SEQUENCES.float(), state and tuple(part.float() for part in state))
    expected.sum().backward()
    with torch.autocast("cpu", precision):
        outputs, _ = kept(SEQUENCES, state)
        outputs.sum().backward()
    assert torch.equal(outputs, expected)
    gradients = [[weight.grad for weight in layer.parameters()] for layer in (plain, kept)]
    assert all(torch.equal(one, other) for one, other in zip(*gradients, strict=True))  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", SHORT)
def test_it_takes_packed_sequences_and_what_a_subclass_takes(precision: torch.dtype) -> None:
    lengths, (plain, kept) = [5, 4, 4, 3, 3, 2, 2, 1, 1], pair()
    expected, _ = plain(pack_padded_sequence(SEQUENCES.float(), lengths, batch_first=True))
    packed = pack_padded_sequence(SEQUENCES, lengths, batch_first=True)
    lag = torch.ones(14)
    own, kept_own = pair(Lagging)
    lagging = own(SEQUENCES.float(), lag=lag)
    with torch.autocast("cpu", precision):
        outputs, _ = kept(packed)
        assert isinstance(outputs, PackedSequence)
        assert torch.equal(outputs.data, expected.data)
        assert torch.equal(kept_own(SEQUENCES, lag=lag.bfloat16()), lagging)


def test_nothing_else_of_a_network_changes() -> None:
    model = nn.ModuleDict({"first": nn.Linear(4, 4), "second": nn.GRU(4, 4), "third": nn.LSTM(4, 4)})
    before = {name: value.clone() for name, value in model.state_dict().items()}
    keep_lstms_in_float32(model)
    assert {name: type(layer).__name__ for name, layer in model.items()} == {
        **{"first": "Linear", "second": "GRU", "third": "LSTM"}
    }
    assert type(model["first"]) is nn.Linear
    assert type(model["second"]) is nn.GRU
    assert isinstance(model["third"], nn.LSTM)
    assert list(model.state_dict()) == list(before)
    again = deepcopy(model)
    again.load_state_dict(before)
    assert all(torch.equal(value, before[name]) for name, value in again.state_dict().items())


def test_a_network_has_lstms_wherever_they_are() -> None:
    assert has_lstms(nn.Sequential(nn.Linear(1, 1), nn.ModuleDict({"deep": Lagging(1, 1)})))
    assert not has_lstms(nn.Sequential(nn.Linear(1, 1), nn.GRU(1, 1), nn.LSTMCell(1, 1)))


def test_trying_draws_no_random_numbers() -> None:
    before = torch.get_rng_state()
    can_train_lstms(torch.bfloat16)
    assert torch.equal(torch.get_rng_state(), before)


QUICK = ["test_lstms.py", "test_models.py", "test_learner.py", "test_losses.py", "test_optimizers.py"]


@pytest.mark.skipif(AVX2.items() <= os.environ.items(), reason="is what runs here already")
def test_all_of_this_and_a_quick_part_of_the_rest_hold_on_a_cpu_without_avx_512() -> None:
    files = [str(Path(__file__).with_name(name)) for name in QUICK]
    command = [sys.executable, "-m", "pytest", "-q", "--numprocesses", "0", *files]
    done = subprocess.run(command, env={**os.environ, **AVX2}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not AVX2.items() <= os.environ.items(), reason="only there the answer is known")
def test_a_cpu_without_avx_512_trains_none_in_a_short_type() -> None:
    assert not any(map(can_train_lstms, SHORT))
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(RuntimeError, match="primitive"):
        nn.LSTM(4, 7)(torch.zeros(5, 9, 4))
