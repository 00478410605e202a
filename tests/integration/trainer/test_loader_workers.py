"""A program of one's own with a DataLoader's workers: a SIGTERM to the whole group ends no worker."""

import os
import subprocess
import sys
from pathlib import Path

from support.waiting import PATIENCE

PROGRAM = """
import os, signal
from trainer.pod.stopping import StopRequest, listen

stop = StopRequest()
listen(stop)
import torch
from torch.utils.data import DataLoader, TensorDataset

loader = DataLoader(TensorDataset(torch.arange(400)), batch_size=4, num_workers=2)
seen = []
for number, (batch,) in enumerate(loader):
    seen += batch.tolist()
    if number in (0, 50):
        os.killpg(0, signal.SIGTERM)
print(seen == list(range(400)), stop.is_set)
"""


def test_a_request_to_stop_leaves_the_workers_alone(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # a group of its own
    )
    assert (done.returncode, done.stdout) == (0, "True True\n"), done.stderr
