"""What a program starts obeys signals as without a trainer; only a DataLoader's workers do not, until the end."""

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

STARTS = """
    import multiprocessing, os, signal, subprocess, sys, threading, time

    def square(number):
        return number * number

    def ended(process):
        process.start(), process.terminate(), process.join()
        return process.exitcode

    def commanded(number):
        command = subprocess.Popen(["sleep", "600"])
        command.send_signal(number)
        return command.wait()

    def forked(number):
        pid = os.fork()
        if pid == 0:
            signal.pause()
        os.kill(pid, number)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def in_thread(call, *arguments):
        found = []
        thread = threading.Thread(target=lambda: found.append(call(*arguments)))
        thread.start(), thread.join()
        return found[0]

    def try_all():
        for method in ("fork", "spawn"):
            context = multiprocessing.get_context(method)
            with context.Pool(2) as pool:  # which ends it by SIGTERM, and waits
                assert pool.map(square, range(9)) == [n * n for n in range(9)]
            assert ended(context.Process(target=time.sleep, args=(600,), daemon=True)) == -signal.SIGTERM
        for number in (signal.SIGTERM, signal.SIGINT):
            assert commanded(number) == in_thread(commanded, number) == -number
        assert forked(signal.SIGTERM) == in_thread(forked, signal.SIGTERM) == -signal.SIGTERM
        assert os.waitstatus_to_exitcode(os.system("kill -TERM $$")) == -signal.SIGTERM

    if __name__ == "__main__":
        try_all()
        if "knows nothing" not in sys.argv:
            import torch
            from trainer.script import start
            start(model=torch.nn.Linear(2, 1))
            try_all()
        print("ended", flush=True)
"""


@pytest.mark.parametrize("way", ["in a pod", "in a pod, knows nothing", "alone"])
def test_what_a_program_starts_can_be_ended(tmp_path: Path, way: str) -> None:
    script = write_script(tmp_path, STARTS)
    if way == "alone":
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(script)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.stdout.splitlines()[-1] == "ended", done.stderr
        return
    with trainer(script_config(tmp_path / "c", script, *way.split(", ")[1:]), tmp_path) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
        assert "ended\n" in pod.lines


PROGRAM = """
import os, signal
import torch
from torch.utils.data import DataLoader, TensorDataset
from trainer.pod.stopping import StopRequest, listen
from trainer.script.order import spare_workers

if __name__ == "__main__":
    stop = StopRequest()
    listen(stop)
    spare_workers()
    data = TensorDataset(torch.arange(400))
    loader = DataLoader(data, batch_size=4, num_workers={workers}, multiprocessing_context={method!r})
    seen = []
    for number, (batch,) in enumerate(loader):
        seen += batch.tolist()
        if number in (0, 50):
            os.killpg(0, signal.SIGTERM)
            os.killpg(0, signal.SIGINT)
    print(seen == list(range(400)), stop.is_set)
"""


@pytest.mark.parametrize(("method", "workers"), [("fork", 2), ("spawn", 1)])
def test_signals_to_a_group_leave_the_workers_alone_and_are_a_request(
    tmp_path: Path, method: str, workers: int
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM.format(method=method, workers=workers))
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
