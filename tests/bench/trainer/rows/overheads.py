"""What saving, being watched and being pausable cost a training: the same with and without."""

import threading
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.bench.trainer import pods, programs
from tests.bench.trainer.cases import CASES, Case
from tests.bench.trainer.harness import Comparison, Measured, Rival, one_thread
from tests.support.trainer import run_config, trainer

from trainingjob_api.spec.checkpoint import DEFAULT_SECONDS

HERE = "tests.bench.trainer"
SCRAPED_EPOCHS = 60  # of a fifth of a second each: enough for ten looks
_MLP = CASES["mlp"]
_SAVED = replace(_MLP, epochs=40)
_SHORT = replace(_MLP, batch=32, steps=25, epochs=1500)  # of some 25 ms each: the default saves once or twice


def _training(folder: Path, epochs: int = _MLP.epochs) -> dict[str, Any]:
    return _MLP.training(_MLP.write(folder), epochs=epochs)


def _train(case: Case, folder: Path, **config: Any) -> Measured:
    return pods.train(folder, case.training(case.write(folder)), **config)


def _train_saving(case: Case, folder: Path) -> Measured:
    return _train(case, folder, checkpointEvery={"steps": 100})


def _saving_of(case: Case) -> Comparison:
    return Comparison(
        f"saving-{case.name}",
        f"{case.name}, a checkpoint on disk every 100 steps",
        "samples/s",
        partial(_train_saving, case),
        (Rival("never saving", partial(_train, case), 0.98),),
        tolerance=0.0,
    )


def _by_default(slow_disk: bool) -> Comparison:
    return Comparison(
        "saving-default-slow-disk" if slow_disk else "saving-default",
        "mlp with epochs of 25 steps, saved as often as by default" + (", every fsync 30 ms" if slow_disk else ""),
        "samples/s",
        partial(_train, _SHORT, slow_disk=slow_disk, checkpointEvery={"seconds": DEFAULT_SECONDS}),
        (Rival("never saving", partial(_train, _SHORT, slow_disk=slow_disk), 0.97),),
        tolerance=0.0,
    )


def _saving_by_hand(folder: Path) -> Measured:
    return programs.run(f"{HERE}.loops:best_saving", folder, _SAVED.training(_SAVED.write(folder)))


def _unseen(folder: Path) -> Measured:
    return pods.train(folder, _training(folder, SCRAPED_EPOCHS))


def _through_run(folder: Path) -> Measured:
    return pods.run_script(folder, f"{HERE}.loops:through_run", _training(folder))


def _bare(folder: Path) -> Measured:
    return programs.run(f"{HERE}.loops:ordinary", folder, _training(folder))


def _scraped(folder: Path) -> Measured:
    training, done = _training(folder, SCRAPED_EPOCHS), threading.Event()
    config = run_config(folder / "run", training, **pods.at_the_end(training))
    with trainer(config, folder, **one_thread()) as pod:
        address = pod.wait_for("started")["serving"]

        def scrape() -> None:
            while not done.wait(1.0):
                with suppress(OSError):
                    urlopen(f"{address}/metrics").read()

        thread = threading.Thread(target=scrape)
        thread.start()
        try:
            pods.require(pod, 0)
        finally:
            done.set()
            thread.join()
        return pods.pace(pods.history(folder / "run"), pods.rows_of(pod))


COMPARISONS = (
    Comparison(
        "own-loop",
        "a script's own mlp and DataLoader through trainer.script",
        "samples/s",
        _through_run,
        (Rival("the same loop without it", _bare, 0.98),),
        tolerance=0.0,
    ),
    _by_default(slow_disk=False),
    _by_default(slow_disk=True),
    _saving_of(_SAVED),
    _saving_of(replace(CASES["lstm"], epochs=16)),
    Comparison(
        "saving-by-hand",
        "mlp, a checkpoint on disk every 100 steps on both sides",
        "samples/s",
        partial(_train_saving, _SAVED),
        (Rival("the best loop by hand with torch.save and fsync", _saving_by_hand, 1.0),),
    ),
    Comparison(
        "scraping",
        "mlp, /metrics read every second",
        "samples/s",
        _scraped,
        (Rival("nobody reads", _unseen, 0.995),),
        tolerance=0.0,
    ),
)
