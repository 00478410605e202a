"""A program of one's own with a DataLoader's workers: a SIGTERM to their group ends none, the pod's end all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.scripts import script_config, write_script
from support.trainer import command_of, trainer
from support.waiting import PATIENCE
from trainingjob_api.contract import ExitCode

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


LONG = """
    import json
    import multiprocessing
    import os
    import torch
    from torch.utils.data import DataLoader, TensorDataset
    from trainer.script import start

    data = TensorDataset(torch.rand(200_000, 1))
    loader = DataLoader(data, 1, num_workers=2, persistent_workers=True)
    run = start(model=torch.nn.Linear(1, 1))
    for epoch in run.epochs(1):
        for batch in run.batches(loader):
            run.step()
            if run.steps == 5:
                workers = [worker.pid for worker in multiprocessing.active_children()]
                print(json.dumps({"event": "reading", "rank": os.getpid(), "workers": workers}), flush=True)
"""


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGTERM, ExitCode.STOPPED, id="the pod is stopped"),
        pytest.param(signal.SIGKILL, ExitCode.CRASH, id="the rank is killed"),
    ],
)
def test_no_worker_outlives_its_pod(tmp_path: Path, number: signal.Signals, code: ExitCode) -> None:
    """It does not wait for them either: not for as long as a save may take."""
    script, long = write_script(tmp_path, LONG), {"saveSeconds": 600}
    with trainer(script_config(tmp_path / "c", script, deadlines=long), tmp_path) as pod:
        reading = pod.wait_for("reading")
        workers = reading["workers"]
        assert [bool(command_of(pid)) for pid in workers] == [True, True]
        os.kill(pod.process.pid if number is signal.SIGTERM else reading["rank"], number)
        assert pod.end() == code, pod.text()
        assert [pid for pid in workers if command_of(pid)] == []
