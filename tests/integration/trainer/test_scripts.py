"""A program of the user's own: paused anywhere it ends with the same bits, and each of its ends has a meaning."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.checkpoints import newest_step
from support.fork_server import ForkServer, Interruption, fork_server
from support.scripts import PAUSABLE, script_config, write_script
from support.trainer import history_of, newest_tensors, trainer
from trainingjob_api.contract import ExitCode
from trainingjob_api.progress import Outcome, State

EPOCHS = 20


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """With the compiler, which DDP imports in programs of a user's own."""
    with fork_server(tmp_path_factory.mktemp("server"), "torch._dynamo") as running:
        yield running


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_interrupted_at_random_steps(server: ForkServer, tmp_path: Path, ranks: int) -> None:
    every = {"checkpointEvery": {"steps": 5}}
    script = write_script(tmp_path, PAUSABLE)
    arguments, steps = (str(EPOCHS), "0"), EPOCHS * -(-61 // (8 * ranks))
    reference = tmp_path / "reference"
    assert server.start(script_config(reference, script, *arguments, **every), ranks).codes() == [0] * ranks
    chance, interrupted, folder = random.Random(ranks), 0, tmp_path / "interrupted"
    for attempt, number in enumerate([signal.SIGTERM, signal.SIGKILL, signal.SIGTERM], start=1):
        group = server.start(script_config(folder, script, *arguments, attempt=attempt, **every), ranks)
        if group.wait_for_step(chance.randint(1, steps * attempt // 3 - 6)):
            group.signal(number, [chance.randrange(ranks)] if number is signal.SIGTERM else None)
        codes = group.codes()
        if number is signal.SIGTERM and codes != [0] * ranks:
            assert codes == [ExitCode.STOPPED] * ranks, group.end()
        interrupted += codes != [0] * ranks
    last = server.start(script_config(folder, script, *arguments, attempt=4, **every), ranks)
    assert last.codes() == [0] * ranks, last.end()
    assert newest_tensors(folder) == newest_tensors(reference)
    assert history_of(folder) == history_of(reference)
    assert interrupted >= 2, "most attempts were too fast to be interrupted: nothing was tested"


@pytest.mark.parametrize(
    ("ranks", "number", "code"),
    [
        pytest.param(1, signal.SIGTERM, ExitCode.STOPPED, id="stopped"),
        pytest.param(1, signal.SIGKILL, -signal.SIGKILL, id="killed"),
        pytest.param(2, signal.SIGKILL, -signal.SIGKILL, id="killed, two ranks"),
    ],
)
def test_interrupted_in_an_epoch_that_workers_read(
    server: ForkServer, tmp_path: Path, ranks: int, number: signal.Signals, code: int
) -> None:
    """Two workers in each rank; they have read ahead of the step at which it happens."""
    every, script, arguments = {"checkpointEvery": {"steps": 3}}, write_script(tmp_path, PAUSABLE), ("3", "2")
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert server.start(script_config(undisturbed, script, *arguments, **every), ranks).codes() == [0] * ranks

    hit = Interruption(9, number, range(ranks), once_saved=True)
    first = server.start(script_config(disturbed, script, *arguments, **every), ranks, interruption=hit)
    assert code in first.codes(), first.end()
    assert (newest_step(disturbed) or 0) % (8 // ranks), "it goes on where an epoch begins"
    last = server.start(script_config(disturbed, script, *arguments, attempt=2, **every), ranks)
    assert last.codes() == [0] * ranks, last.end()
    assert newest_tensors(disturbed) == newest_tensors(undisturbed)
    assert history_of(disturbed) == history_of(undisturbed)


COLLECTING = """
    import contextlib, os, random, sys
    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel
    from torch.utils.data import DataLoader, TensorDataset
    from torch.utils.data.distributed import DistributedSampler
    from trainer.script import start

    size = int(os.environ["WORLD_SIZE"])
    torch.manual_seed(3), random.seed(3)
    x = torch.randn(54 * size, 4)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    if size > 1:
        dist.init_process_group("gloo")
        model = DistributedDataParallel(model)
    data = TensorDataset(x, x.sum(1, keepdim=True))
    loader = DataLoader(data, 5, sampler=DistributedSampler(data) if size > 1 else None, shuffle=size == 1 or None)
    optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
    count = {"batches": 0}
    run = start(model=model, optimizer=optimizer, count=count)
    for epoch in run.epochs(4):
        for a, b in run.batches(loader):
            count["batches"] += 1
            steps = count["batches"] % 4 == 0
            with model.no_sync() if size > 1 and not steps else contextlib.nullcontext():
                (nn.functional.mse_loss(model(a), b) / 4).backward()
            if steps:
                optimizer.step()
                optimizer.zero_grad()
            run.step(samples=len(a))
"""
"""Eleven batches an epoch, four of which make a step, across the epochs' ends too."""


@pytest.mark.parametrize("ranks", [1, 3])
def test_stopped_while_gradients_are_collected(server: ForkServer, tmp_path: Path, ranks: int) -> None:
    script = write_script(tmp_path, COLLECTING)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert server.start(script_config(undisturbed, script), ranks).codes() == [0] * ranks
    for attempt, step in enumerate((6, 11, 20), start=1):
        hit = Interruption(step, signal.SIGTERM, [0])
        group = server.start(script_config(disturbed, script, attempt=attempt), ranks, interruption=hit)
        assert group.codes() == [ExitCode.STOPPED] * ranks, group.end()
    last = server.start(script_config(disturbed, script, attempt=9), ranks)
    assert last.codes() == [0] * ranks, last.end()
    assert last.events("resumed")[0]["exactness"] == "Bitwise"
    assert newest_tensors(disturbed) == newest_tensors(undisturbed)


COUNTS = """
    import torch
    from trainer.script import start

    model = torch.nn.Linear(2, 1)
    model.calls = 0
    run = start(model=model)
    for epoch in run.epochs(3):
        for batch in run.batches([1, 2, 3]):
            model.calls += 1
            run.step()
"""


def test_what_no_checkpoint_holds_makes_a_resume_approximate(server: ForkServer, tmp_path: Path) -> None:
    script = write_script(tmp_path, COUNTS)
    hit = Interruption(4, signal.SIGTERM, [0])
    assert server.start(script_config(tmp_path / "c", script), 1, interruption=hit).codes() == [ExitCode.STOPPED]
    last = server.start(script_config(tmp_path / "c", script, attempt=2), 1)
    assert last.codes() == [0], last.end()
    (resumed,) = last.events("resumed")
    assert resumed["exactness"] == "Approximate"
    assert "model.calls changes, and no state_dict() holds it" in resumed["reason"]


START = "import torch; from trainer.script import start; model = torch.nn.Linear(2, 1); "
ENDS = [
    pytest.param("x = 1", Outcome.COMPLETED, "does not report", id="its last line"),
    pytest.param("import sys; sys.exit(0)", Outcome.COMPLETED, "does not report", id="exit(0)"),
    pytest.param(START + "start(model=model)", Outcome.COMPLETED, "0 steps", id="its last line, with a run"),
    pytest.param("import sys; sys.exit(3)", Outcome.CRASH, "exit code 3", id="another exit code"),
    pytest.param("import sys; sys.exit('no luck')", Outcome.CRASH, "no luck", id="words"),
    pytest.param("raise KeyError('x')", Outcome.CRASH, "KeyError: 'x'", id="an exception"),
    pytest.param("import nothing_there", Outcome.USER_ERROR, "'nothing_there' (", id="an import of nothing"),
    pytest.param("def (", Outcome.USER_ERROR, "SyntaxError", id="no Python"),
    pytest.param("import torch; raise torch.OutOfMemoryError('a lot')", Outcome.OUT_OF_DEVICE_MEMORY, "", id="memory"),
    pytest.param(
        START + "start(model=model).check(torch.tensor(float('nan')))", Outcome.NON_FINITE, "step 1", id="NaN, checked"
    ),
    pytest.param(
        START + "start(model=model, log={'a': [1, {2}]})", Outcome.USER_ERROR, "log.a.1 is a builtins.set", id="a set"
    ),
    pytest.param(START + "start(model=model, rate=0.1)", Outcome.USER_ERROR, "start(rate=...)", id="a number"),
    pytest.param(START + "start(model=model); start()", Outcome.USER_ERROR, "once", id="start() twice"),
    pytest.param(
        START + "\nfor _ in range(2): start(model=model)",
        Outcome.USER_ERROR,
        "start() is called in a loop",
        id="in a loop",
    ),
    pytest.param(
        START + "\nfor _ in range(2): start(name='a', model=model)",
        Outcome.USER_ERROR,
        "of that name",
        id="a name twice",
    ),
    pytest.param(START + "start(name='a/b', model=model)", Outcome.USER_ERROR, "'a/b'", id="a name that is a path"),
    pytest.param(
        START + "next(start(model=model).batches([1]))", Outcome.USER_ERROR, "run.epochs", id="batches of no epoch"
    ),
]


@pytest.mark.parametrize(("text", "outcome", "words"), ENDS)
def test_every_end_has_a_meaning(server: ForkServer, tmp_path: Path, text: str, outcome: Outcome, words: str) -> None:
    group = server.start(script_config(tmp_path / "c", write_script(tmp_path, text)), 1)
    group.codes()
    end = group.end()
    assert end is not None
    assert (end.outcome, words in end.message) == (outcome, True), end


def test_metrics_that_cannot_be_held_are_named_once_and_end_nothing(tmp_path: Path) -> None:
    program = """
        import torch
        from trainer.script import start
        run = start(model=torch.nn.Linear(2, 1))
        for epoch in run.epochs(2):
            run.report(train_loss=1.0, area=None, **{f"top/{n}": n for n in range(40)})
    """
    with trainer(script_config(tmp_path / "c", write_script(tmp_path, program)), tmp_path) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
    (event,) = pod.named("metrics left out")
    assert [text.split(" ")[0] for text in event["metrics"]] == ["area", *(f"top/{n}" for n in range(32, 40))]
    assert [line["extra"]["top_31"] for line in history_of(tmp_path / "c")] == [31, 31]


def test_a_program_that_is_not_there(server: ForkServer, tmp_path: Path) -> None:
    group = server.start(script_config(tmp_path / "c", tmp_path / "nowhere.py"), 1)
    assert group.codes() == [ExitCode.USER_ERROR]
    assert "nowhere.py" in group.end().message  # type: ignore[union-attr]


def test_a_program_that_knows_nothing_is_not_taken_for_a_hang_and_stops_at_once(tmp_path: Path) -> None:
    script = write_script(tmp_path, 'import time; print(\'{"event": "begun"}\', flush=True); time.sleep(600)')
    short = {"startSeconds": 6, "stepSeconds": 1}
    with trainer(script_config(tmp_path / "c", script, deadlines=short), tmp_path) as pod:
        pod.wait_for("begun")
        with pytest.raises(subprocess.TimeoutExpired):
            pod.end(seconds=6.5)
        pod.signal(signal.SIGTERM)
        assert pod.end() == ExitCode.STOPPED
        message = pod.message()
    assert "nothing is known" in message.message
    assert message.progress is not None
    assert message.progress.state is State.RUNNING


EVALUATING = """
    import os, random, signal, sys
    import numpy as np
    import torch
    from torch import nn
    from torch.optim.swa_utils import AveragedModel
    from trainer.pod import program
    from trainer.script import start

    def stop_at(place):
        if place == sys.argv[1] and epoch == 1:
            os.kill(os.getpid(), signal.SIGTERM)
            while not program.running.around.stop.is_set:
                os.sched_yield()

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    model = nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    average, sums = AveragedModel(model), {"seen": []}
    run = start(model=model, optimizer=optimizer, scheduler=scheduler, average=average, sums=sums)
    seen = sums["seen"]
    for epoch in run.epochs(3):
        sums["loss"] = 0.0
        for batch in run.batches([1.0, 2.0, 3.0]):
            for _ in run.evaluate([1, 2]):
                stop_at("in the batches")
            loss = model(torch.full((1, 1), batch)).mean()
            optimizer.zero_grad(), loss.backward(), optimizer.step()
            sums["loss"] += loss.item()
            seen.append(batch)
            run.step()
        scheduler.step()
        sums["loss"] /= 3
        for _ in run.evaluate([1, 2]):
            stop_at("after them")
        assert sys.argv[1] != "after them" or epoch != 1, "it evaluates to the end"
        average.update_parameters(model)
        for _ in run.evaluate([1, 2]):
            stop_at("after a change of weights")
        run.report(train_loss=sums["loss"])
    for _ in run.evaluate([1, 2]):
        epoch = 1
        stop_at("after the last epoch")
"""
STOPS = [
    pytest.param("in the batches", 4, id="in the batches: after the one in hand"),
    pytest.param("after them", 6, id="after them: what follows them is not done twice"),
    pytest.param("after a change of weights", 6, id="after a change of weights: at the end of the epoch"),
    pytest.param("after the last epoch", 9, id="after the last epoch"),
]


@pytest.mark.parametrize(("place", "step"), STOPS)
def test_stopped_in_an_evaluation(server: ForkServer, tmp_path: Path, place: str, step: int) -> None:
    script = write_script(tmp_path, EVALUATING)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert server.start(script_config(undisturbed, script, "nowhere"), 1).codes() == [0]
    first = server.start(script_config(disturbed, script, place), 1)
    assert first.codes() == [ExitCode.STOPPED], first.end()
    assert newest_step(disturbed) == step
    last = server.start(script_config(disturbed, script, "nowhere", attempt=2), 1)
    assert last.codes() == [0], last.end()
    assert newest_tensors(disturbed) == newest_tensors(undisturbed)
    assert history_of(disturbed) == history_of(undisturbed)
    assert [line["learningRate"] for line in history_of(disturbed)] == [0.1, 0.05, 0.025], "not the next epoch's"


REDUCED = """
    import os, sys
    import torch
    from trainer.script import start

    rank = int(os.environ["RANK"])
    run = start(model=torch.nn.Linear(2, 1))
    for epoch in run.epochs(1):
        for batch in run.batches([1]):
            run.step()
        own = {"bleu": 4.0} if rank == 1 else {"name": "a word"}
        run.report(train_loss=rank + 1, reduce=sys.argv[1] or None, **own)
"""


@pytest.mark.parametrize(
    ("reduce", "loss", "extra"),
    [
        pytest.param("", 1.0, None, id="rank 0's"),
        pytest.param("mean", 1.5, {"bleu": 4.0}, id="the means over the ranks that have them"),
    ],
)
def test_what_several_ranks_report(
    server: ForkServer, tmp_path: Path, reduce: str, loss: float, extra: dict[str, float] | None
) -> None:
    script = write_script(tmp_path, REDUCED)
    group = server.start(script_config(tmp_path / "c", script, reduce), 2)
    assert group.codes() == [0, 0], group.end()
    (line,) = history_of(tmp_path / "c")
    assert (line["trainLoss"], line.get("extra")) == (loss, extra)
    assert [event["metrics"] for event in group.events("metrics left out")] == [["name (not one number: 'a word')"]]


COUNTING = """
    import atexit
    from trainer.script import start
    import torch

    model = torch.nn.Linear(2, 1)
    run = start(model=model)
    for epoch in run.epochs(2):
        for batch in run.batches([1, 2, 3]):
            run.step()
    atexit.register(print, '{"event": "left"}')
"""


def test_what_is_done_is_not_done_again_unless_more_is_asked_for(tmp_path: Path) -> None:
    script = write_script(tmp_path, COUNTING)
    for attempt, arguments, begins in ((1, [], True), (2, [], False), (3, ["--more"], True)):
        with trainer(script_config(tmp_path / "c", script, *arguments, attempt=attempt), tmp_path) as pod:
            assert pod.end() == ExitCode.COMPLETED
            assert bool(pod.named("started")) is begins
            assert bool(pod.named("left")) is begins
            assert pod.message().saved_step == 6


def test_without_any_pod_ctrl_c_pauses_and_the_same_command_goes_on(tmp_path: Path) -> None:
    script = write_script(tmp_path, PAUSABLE)
    reference, paused = tmp_path / "reference", tmp_path / "paused"
    environment = {**os.environ, "RANK": "0", "WORLD_SIZE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), "6", "0"]
    for folder in (reference, paused):
        folder.mkdir()
    whole = subprocess.run(command, cwd=reference, env=environment, check=True, capture_output=True)
    assert b"leaked" not in whole.stderr
    with subprocess.Popen(command, cwd=paused, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        while '"epoch": 2' not in running.stdout.readline():
            assert running.poll() is None
        running.send_signal(signal.SIGINT)
        assert "stopped on request" in running.stdout.read()
    assert running.returncode == ExitCode.STOPPED
    subprocess.run(command, cwd=paused, env=environment, check=True, capture_output=True)
    assert newest_tensors(paused / "checkpoints/train") == newest_tensors(reference / "checkpoints/train")
