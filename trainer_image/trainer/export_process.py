"""A process that is ready to export when the last epoch is done, beside a training that leaves a CPU idle.

Imports and a first trace of PyTorch's exporters take several seconds, whatever the network. In here they are over
before the model is finished; without a CPU or memory to spare, the rank exports by itself at the end.
"""

import base64
import json
import os
import select
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trainer.checkpoint import tensors as safe
from trainer.container import available_memory
from trainer.cpus import available_cpus
from trainer.errors import UserError
from trainer.export import Predictor
from trainer.export_formats import FILES, Format, formats_of, program, write_program
from trainer.pod.processes import die_with_parent
from trainer.reporting.board import Board
from trainingjob_api.spec.training import Training

_MEMORY = 1024**3  # bytes; the process needs a third of that
_SHORTEST, _LONGEST = 8.0, 60.0
"""Seconds before the end of training at which the process can still become ready, and before which it need not."""

_READY = {"kind": "ready"}


class Exporter:
    """The rank's side: starts the process in time, hands it the finished model, and hears what became of it."""

    def __init__(self, recipe: Training, ranks: int) -> None:
        """ranks: those of this pod."""
        self._formats, self._early_stopping, self._ranks = formats_of(recipe), recipe.early_stopping, ranks
        self._process: subprocess.Popen[bytes] | None = None
        self._was_tried = False

    def prepare(self, board: Board, waited: int) -> None:
        """After an epoch: starts the process if training ends soon; waited: epochs that early stopping has."""
        left = board.epochs - board.epoch
        if self._early_stopping is not None:
            left = min(left, self._early_stopping.patience - waited)
        pace = (board.latest and board.latest.seconds_per_epoch) or 0.0
        if self._formats and not self._was_tried and ends_soon(left, pace):
            self._was_tried = True
            if self._has_room():
                self.start()

    def start(self) -> None:
        """Returns at once; the process is ready after some seconds."""
        here = os.pathsep.join(sys.path)  # where a network's code is found
        environment = {**os.environ, "PYTHONPATH": here, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "trainer.export_process", *self._formats],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    @property
    def is_ready(self) -> bool:
        """It has said something, and that should be so; nothing waits."""
        words = None if self._process is None else self._process.stdout
        return words is not None and bool(select.select([words], [], [], 0)[0])

    def _has_room(self) -> bool:
        memory = available_memory()
        has_cpu = available_cpus() > self._ranks * torch.get_num_threads()
        return has_cpu and (memory is None or memory >= _MEMORY)

    def begin(self, folder: Path, some: Tensor) -> None:
        """The exported model is in the folder; see `export_formats.write_programs`."""
        if self._process is None:
            return
        if not self.is_ready or self._hear() != _READY:
            self.close()  # by itself the rank is faster than what is not ready yet
            return
        assert self._process.stdin is not None
        rows = base64.b64encode(safe.encode({"some": some})).decode()
        request = json.dumps({"folder": str(folder.absolute()), "rows": rows})
        try:
            self._process.stdin.write(f"{request}\n".encode())
            self._process.stdin.flush()
        except OSError:  # it is gone
            self.close()

    def has_written(self, kind: Format) -> bool:
        """Waits for the process; False: there is none any more. UserError as `write_program`."""
        if self._process is None:
            return False
        said = self._hear()
        if said.get("problem"):
            self.close()
            raise UserError(said["problem"])
        if said.get("kind") != kind:
            self.close()
        return self._process is not None

    def _hear(self) -> dict[str, str]:
        """Its next word; an empty one if it has ended, such as for want of memory."""
        assert self._process is not None
        assert self._process.stdout is not None
        said: dict[str, str] = json.loads(self._process.stdout.readline() or b"{}")
        return said

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None


def ends_soon(epochs: int, seconds: float) -> bool:
    """Whether it is time to get ready; epochs: that are left at least; seconds: that each takes.

    Also an epoch ahead, where one takes longer: there is no better moment to look.
    """
    left = epochs * seconds
    return left >= _SHORTEST and (left <= _LONGEST or epochs == 1)


def main(formats: list[Format]) -> None:
    """The process's side: a line when it is ready, then for a request a line for each format."""
    die_with_parent()
    words = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a network's own code may print
    for kind in formats:
        program(kind, _rehearsal(), torch.randn(3, 2, dtype=torch.float64))
    _say(words, _READY)
    for line in sys.stdin:
        request = json.loads(line)
        rows = safe.decode(base64.b64decode(request["rows"]))["some"]
        for kind in formats:
            _say(words, _written(kind, Path(request["folder"]), rows))


def _written(kind: Format, folder: Path, rows: Tensor) -> dict[str, str]:
    try:
        write_program(kind, folder, rows)
    except UserError as error:
        return {"kind": kind, "problem": str(error)}
    return {"kind": kind}


def _say(words: Any, what: dict[str, str]) -> None:
    print(json.dumps(what), file=words, flush=True)


def _rehearsal() -> Predictor:
    """The smallest network that brings all that any needs into memory."""
    description = {
        "features": ["a", "b"],
        "shape": [2],
        "labels": ["p", "q"],
        "inputScaling": {"shift": [0.0, 0.0], "scale": [1.0, 1.0]},
        "outputScaling": None,
    }
    return Predictor(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)).eval(), description)


if __name__ == "__main__":
    main([kind for kind in FILES if kind in sys.argv[1:]])
