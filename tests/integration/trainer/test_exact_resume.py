"""A training that was interrupted ends with the same bits as one that was not."""

import random
import signal
from pathlib import Path

import pytest

from support.fork_server import ForkServer
from support.trainer import history_of, newest_tensors, recipe, run_config
from trainingjob_api.contract import ExitCode

SEEDS = (1, 2, 3)
EPOCHS = 40


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_interrupted_at_random_steps(server: ForkServer, table: Path, tmp_path: Path, ranks: int) -> None:
    every = {"checkpointEvery": {"steps": 5}}
    training, steps = recipe(table, epochs=EPOCHS), EPOCHS * 6
    reference = tmp_path / "reference"
    assert server.start(run_config(reference, training, **every), ranks).codes() == [0] * ranks
    expected = newest_tensors(reference)
    interrupted = 0

    for seed in SEEDS:
        chance = random.Random(f"{seed}/{ranks}")
        folder = tmp_path / f"interrupted-{seed}"
        for attempt, number in enumerate([signal.SIGTERM, signal.SIGKILL, signal.SIGTERM], start=1):
            group = server.start(run_config(folder, training, attempt, **every), ranks)
            # Each attempt may go a third of the way; SIGTERM to a single rank must reach all of them.
            if group.wait_for_step(chance.randint(1, steps * attempt // 3 - 12)):
                group.signal(number, [chance.randrange(ranks)] if number is signal.SIGTERM else None)
            codes = group.codes()
            if number is signal.SIGTERM and codes != [0] * ranks:
                assert codes == [ExitCode.STOPPED] * ranks, group.end()
            interrupted += codes != [0] * ranks
        last = server.start(run_config(folder, training, 4, **every), ranks)
        assert last.codes() == [0] * ranks, last.end()
        assert newest_tensors(folder) == expected
        assert history_of(folder) == history_of(reference)
    assert interrupted >= 2 * len(SEEDS), "most attempts were too fast to be interrupted: nothing was tested"
