"""Our side: real pods of the trainer, timed by what they write themselves."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.bench.trainer import programs
from tests.bench.trainer.harness import Measured, one_thread
from tests.bench.trainer.programs import WARM_EPOCHS
from tests.support.scripts import script_config, write_script
from tests.support.trainer import TrainerProcess, run_config, trainer

SECONDS = 600.0


SLOW_DISK = str(Path(__file__).with_name("slow_disk"))


def train(
    folder: Path,
    training: dict[str, Any],
    ranks: int = 1,
    gpu: bool = False,
    slow_disk: bool = False,
    **config: Any,
) -> Measured:
    """Samples a second from the end of the warm epochs to the end of the last, all that lies in between included."""
    environment = {**one_thread(gpu), **({"PYTHONPATH": SLOW_DISK} if slow_disk else {})}
    run = run_config(folder / "run", training, **{**at_the_end(training), **config})
    with trainer(run, folder, ranks, **environment) as pod:
        require(pod, 0)
    return pace(history(folder / "run"), rows_of(pod))


def run_script(folder: Path, program: str, training: dict[str, Any]) -> Measured:
    """Our side of `programs.run`: the same program as a script of the user's in a pod of its own."""
    script = write_script(folder, f"from {programs.NAME} import main; main()")
    config = script_config(folder / "run", script, program, json.dumps(training), **at_the_end(training))
    with trainer(config, folder, **one_thread(), PYTHONPATH=str(programs.ROOT)) as pod:
        require(pod, 0)
    return next(Measured(**event) for event in pod.events if "value" in event)


def at_the_end(training: dict[str, Any]) -> dict[str, Any]:
    """The configuration of a run that saves nowhere else."""
    return {"checkpointEvery": {"epochs": training["epochs"]}}


def require(pod: TrainerProcess, code: int) -> None:
    if (end := pod.end(SECONDS)) != code:
        raise RuntimeError(f"the trainer ended with {end}, not {code}: {pod.text()}")


def history(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]


def rows_of(pod: TrainerProcess) -> int:
    rows: int = pod.named("data")[0]["rows"]
    return rows


def pace(epochs: list[dict[str, Any]], rows: int) -> Measured:
    times = [datetime.fromisoformat(epoch["time"]).timestamp() for epoch in epochs]
    seconds = times[-1] - times[WARM_EPOCHS - 1]
    return Measured(rows * (len(epochs) - WARM_EPOCHS) / seconds, epochs[-1]["trainLoss"])
