"""Real ranks on a CPU without AVX-512, where PyTorch has no LSTM in a short type."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.fork_server import ForkServer, Interruption, fork_server
from support.older_cpu import AVX2
from support.trainer import history_of, newest_tensors, recipe, run_config
from trainingjob_api.contract import ExitCode

RANKS = 2


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with fork_server(tmp_path_factory.mktemp("server"), **AVX2) as running:
        yield running


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("model", "data"),
    [
        ({"type": "lstm", "hiddenUnits": [5, 4], "bidirectional": True, "dropout": 0.2}, {"shape": [2, 3]}),
        ({"type": "custom", "entrypoint": "support.networks:remembering", "hiddenUnits": [5]}, {}),
    ],
    ids=["lstm", "a network of one's own"],
)
def test_an_lstm_trains_in_float32_says_so_and_resumes_exactly(
    server: ForkServer, table: Path, tmp_path: Path, precision: str, model: dict[str, Any], data: dict[str, Any]
) -> None:
    training = recipe(table, model=model, epochs=3, precision=precision)
    training["data"] |= data
    undisturbed = server.start(run_config(tmp_path / "undisturbed", training), RANKS)
    assert undisturbed.codes() == [0] * RANKS, undisturbed.end()
    (said,) = undisturbed.events("precision")
    assert said["lstms"] == "float32"
    assert precision in said["reason"]

    disturbed = tmp_path / "disturbed"
    stop = Interruption(8, signal.SIGTERM, [1])
    first = server.start(run_config(disturbed, training), RANKS, interruption=stop)
    assert first.codes() == [ExitCode.STOPPED] * RANKS, first.end()
    second = server.start(run_config(disturbed, training, 2), RANKS)
    assert second.codes() == [0] * RANKS, second.end()
    assert [event["exactness"] for event in second.events("resumed")] == ["Bitwise"]
    assert newest_tensors(disturbed) == newest_tensors(tmp_path / "undisturbed")
    assert history_of(disturbed) == history_of(tmp_path / "undisturbed")


def test_nothing_is_said_where_nothing_is_otherwise(server: ForkServer, table: Path, tmp_path: Path) -> None:
    training = recipe(table, epochs=3, precision="bfloat16")
    group = server.start(run_config(tmp_path / "c", training), 1)
    assert group.codes() == [0], group.end()
    assert group.events("data")
    assert not group.events("precision")
