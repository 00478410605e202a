"""A program's end: what it has left running does not keep it, and what it has done is on disk or it is no success."""

import re
from pathlib import Path

import pytest

from support.checkpoints import newest_step
from support.fork_server import ForkServer
from support.scripts import script_config, write_script
from support.trainer import trainer
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import Outcome

LOOP = """
for epoch in run.epochs(2):
    for batch in run.batches(data):
        run.step()
"""
START = """
import multiprocessing, threading, time
from concurrent.futures import ThreadPoolExecutor
import torch
from torch.utils.data import DataLoader
from trainer.script import start

data, model = [1, 2, 3], torch.nn.Linear(2, 1)
"""
LEFT = [
    pytest.param("data = DataLoader(data, num_workers=1, persistent_workers=True)", id="workers of a loader"),
    pytest.param("multiprocessing.Process(target=time.sleep, args=(600,), daemon=True).start()", id="a daemon"),
    pytest.param("torch.pool = ThreadPoolExecutor(1); torch.pool.submit(len, data).result()", id="a pool of threads"),
    pytest.param("threading.Thread(target=time.sleep, args=(600,), daemon=True).start()", id="a daemonic thread"),
]


@pytest.mark.parametrize("left", LEFT)
@pytest.mark.parametrize("reports", [True, False], ids=["a run", "a program that knows nothing"])
def test_what_a_program_leaves_running_does_not_keep_it(
    server: ForkServer, tmp_path: Path, left: str, reports: bool
) -> None:
    run = "run = start(model=model)" + LOOP if reports else "print(len(list(data)))"
    script = write_script(tmp_path, f"{START}{left}\n{run}")
    group = server.start(script_config(tmp_path / "c", script), 1)
    assert group.codes() == [0], group.end()
    assert newest_step(tmp_path / "c") == (6 if reports else None)


@pytest.mark.parametrize("text", ["print('done')", "import sys; sys.exit(0)", "import numpy"])
def test_a_program_without_torch_has_an_end_as_well(tmp_path: Path, text: str) -> None:
    """In a process of its own: the server's have imported nearly everything before."""
    with trainer(script_config(tmp_path / "c", write_script(tmp_path, text)), tmp_path) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()


LATE = """
    import sys, threading
    from pathlib import Path

    def work():
        threading.main_thread().join()
        Path(sys.argv[1]).write_text("done")

    threading.Thread(target=work).start()
"""


def test_the_work_of_a_thread_is_waited_for(server: ForkServer, tmp_path: Path) -> None:
    group = server.start(script_config(tmp_path / "c", write_script(tmp_path, LATE), str(tmp_path / "work")), 1)
    assert group.codes() == [0], group.end()
    assert (tmp_path / "work").read_text() == "done"


@pytest.mark.parametrize(
    "text", ["if __name__ == '__main__': import sys; sys.exit('begun')", "import beside; raise KeyError(beside.WORD)"]
)
def test_a_program_is_run_as_python_would(server: ForkServer, tmp_path: Path, text: str) -> None:
    write_script(tmp_path, "WORD = 'begun'", "beside.py")
    group = server.start(script_config(tmp_path / "c", write_script(tmp_path, text)), 1)
    group.codes()
    end = group.end()
    assert end is not None
    assert (end.outcome, "begun" in end.message) == (Outcome.CRASH, True), end


BESIDE = """
    import sys
    import torch
    from trainer.script import start

    model = torch.nn.Linear(2, 1)
    run = start(model=model)
    for epoch in run.epochs(2):
        with open("losses.csv", "a") as file:
            file.write(f"{epoch}\\n")
        for batch in run.batches([1, 2]):
            run.step()
        assert epoch or len(sys.argv) > 1, "the first time"
    torch.save(model.state_dict(), "model.pt")
"""


def test_what_a_program_writes_beside_itself_stays_with_its_checkpoints(server: ForkServer, tmp_path: Path) -> None:
    """Also what an earlier attempt wrote."""
    script, every = write_script(tmp_path, BESIDE), {"checkpointEvery": {"steps": 2}}
    for attempt, arguments in ((1, []), (2, ["again"])):
        group = server.start(script_config(tmp_path / "c", script, *arguments, attempt=attempt, **every), 1)
        assert (group.codes() == [0]) is (attempt == 2), group.end()
    assert (tmp_path / "c/output/losses.csv").read_text() == "0\n0\n1\n"
    assert (tmp_path / "c/output/model.pt").is_file()
    assert newest_step(tmp_path / "c") == 4


def test_paths_of_the_command_line_are_where_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    write_script(tmp_path / "code", "import sys; open('model.pt', 'w').write(open(sys.argv[1]).read())")
    (tmp_path / "code/words").write_text("as given")
    (tmp_path / "job.yaml").write_text("""
        apiVersion: trainingjob.dev/v1alpha1
        kind: TrainingJob
        metadata: {name: one}
        spec: {script: {path: /code/train.py, args: [/code/words]}, checkpoint: {volume: {emptyDir: {}}}}
    """)
    arguments = ("--config", "job.yaml", "--mount", "/code=code", "--checkpoints", "c")
    with trainer(None, tmp_path, arguments=arguments) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
    assert (tmp_path / "c/default/one/output/model.pt").read_text() == "as given"


def test_who_writes_into_the_image_is_told_where_to_write(server: ForkServer, tmp_path: Path) -> None:
    """Its files are read-only in a pod; to try it again would not help."""
    text = 'import errno, os; raise OSError(errno.EROFS, os.strerror(errno.EROFS), "/model.pt")'
    group = server.start(script_config(tmp_path / "c", write_script(tmp_path, text)), 1)
    group.codes()
    end = group.end()
    assert end is not None
    assert end.outcome is Outcome.USER_ERROR, end
    assert "'/model.pt' (" in end.message
    assert f"{tmp_path / 'c/output'}, which stays" in end.message


STOPPED_WHILE_EVALUATING = """
    import os, signal
    import torch
    from trainer.pod import program
    from trainer.script import start

    run = start(model=torch.nn.Linear(1, 1))
    for epoch in run.epochs(2):
        for batch in run.batches([1.0]):
            loss = batch
            run.step()
        for _ in run.evaluate([1, 2]):
            os.kill(os.getpid(), signal.SIGTERM)
            while not program.running.around.stop.is_set:
                os.sched_yield()
        run.report(train_loss=loss)
"""


def test_who_relies_on_a_batch_that_is_done_is_told_what_to_do(server: ForkServer, tmp_path: Path) -> None:
    script = write_script(tmp_path, STOPPED_WHILE_EVALUATING)
    assert server.start(script_config(tmp_path / "c", script), 1).codes() == [ExitCode.STOPPED]
    script.write_text(script.read_text().replace("run.evaluate([1, 2])", "()"))
    again = server.start(script_config(tmp_path / "c", script, attempt=2), 1)
    assert again.codes() == [ExitCode.USER_ERROR], again.end()
    assert "name 'loss' is not defined" in str(again.end())
    assert "Assign before the loop" in str(again.end())


TOGETHER = """
    import os
    import torch
    import torch.distributed as dist
    from trainer.script import start

    dist.init_process_group("gloo")
    model = torch.nn.Linear(10, 10)
    run = start(model=model)
    for epoch in run.epochs(4):
        for batch in run.batches([1, 2, 3]):
            run.step()
        if epoch == {last}:
            break
    dist.destroy_process_group()
"""


@pytest.mark.parametrize(
    ("last", "outcome", "words"),
    [
        pytest.param(9, Outcome.COMPLETED, "4 epochs, 12 steps", id="after the last epoch"),
        pytest.param(1, Outcome.USER_ERROR, "step 6, is not saved; step 3 is: .*destroy_process_group", id="before it"),
    ],
)
def test_a_program_without_its_group_is_a_success_only_with_its_last_state_on_disk(
    server: ForkServer, tmp_path: Path, last: int, outcome: Outcome, words: str
) -> None:
    script = write_script(tmp_path, TOGETHER.format(last=last))
    config = script_config(tmp_path / "c", script, checkpointEvery={"epochs": 1})
    group = server.start(config, 2)
    group.codes()
    end = group.end()
    assert end is not None
    assert end.outcome is outcome, end
    assert re.search(words, end.message), end
    assert (tmp_path / "c" / "done.json").exists() is (outcome is Outcome.COMPLETED)


SLOW = """
    import os
    import time
    import torch
    import torch.distributed as dist
    from trainer.script import start

    sync = os.fsync
    os.fsync = lambda descriptor: (time.sleep(0.4), sync(descriptor))[1]
    if int(os.environ["WORLD_SIZE"]) > 1:
        dist.init_process_group("gloo")
    model = torch.nn.Linear(10, 10)
    run = start(model=model)
    for epoch in run.epochs(3):
        {first}
        if dist.is_initialized():
            dist.all_reduce(torch.ones(1))
        for batch in run.batches([1]):
            run.step()
"""
"""On a disk that takes longer for a save than a step may take."""
ENDS = [
    pytest.param(1, "", ExitCode.COMPLETED, "3 epochs", 3, id="a rank"),
    pytest.param(2, "", ExitCode.COMPLETED, "3 epochs", 3, id="two ranks"),
    pytest.param(
        1, "run.check(torch.tensor(0.0 if epoch < 1 else float('nan')))", ExitCode.NON_FINITE, "step 2", 1, id="NaN"
    ),
    pytest.param(
        2, "assert epoch < 1 or dist.get_rank() == 0, 'my fault'", ExitCode.CRASH, "my fault", 1, id="a peer's fault"
    ),
]


@pytest.mark.parametrize(("ranks", "first", "code", "words", "step"), ENDS)
def test_a_save_that_outlasts_a_step_is_finished_and_no_hang(
    tmp_path: Path, ranks: int, first: str, code: ExitCode, words: str, step: int
) -> None:
    script = write_script(tmp_path, SLOW.format(first=first))
    deadlines = {"stepSeconds": 2, "saveSeconds": 60}
    config = script_config(tmp_path / "c", script, deadlines=deadlines, checkpointEvery={"epochs": 1})
    with trainer(config, tmp_path, ranks) as pod:
        assert pod.end() == code, pod.text()
        assert words in pod.message().message
    assert newest_step(tmp_path / "c") == step
