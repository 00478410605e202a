"""Several trainings in one program: each goes on in its own folder, wherever the program is interrupted."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fork_server import ForkServer, Interruption, fork_server
from support.scripts import script_config, write_script
from support.trainer import history_of, newest_tensors
from trainer.checkpoint.folder import Folder
from trainer.script.named import _loop_at
from trainingjob_api.contract import ExitCode

FOLDS = """
    import random

    import numpy as np
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    from trainer.script import start

    source = torch.Generator().manual_seed(5)
    x = torch.randn(40, 6, generator=source)
    data = TensorDataset(x, x[:, :1])
    losses = []
    for fold in range(3):
        random.seed(fold), np.random.seed(fold), torch.manual_seed(fold)
        model = nn.Sequential(nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 1))
        optimizer = torch.optim.AdamW(model.parameters(), 0.01)
        run = start(name=f"fold-{fold}", model=model, optimizer=optimizer)
        for epoch in run.epochs(3):
            for inputs, targets in run.batches(DataLoader(data, 8, shuffle=True)):
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(model(inputs), targets)
                loss.backward()
                optimizer.step()
                run.step(samples=len(inputs))
            run.report(train_loss=loss.item(), noise=random.random())
            if epoch == fold:
                break
        with torch.no_grad():
            losses.append(nn.functional.mse_loss(model.eval()(x), data.tensors[1]).item())
    open("losses", "w").write(repr(losses))
"""
"""Five steps an epoch: fold 0 has 5, fold 1 has 10, both are left early; fold 2 has 15."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    with fork_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.mark.parametrize(
    ("step", "number", "code", "begun"),
    [
        pytest.param(5, signal.SIGTERM, ExitCode.STOPPED, 2, id="asked to pause after the last batch of the first"),
        pytest.param(8, signal.SIGTERM, ExitCode.STOPPED, 2, id="paused in the second"),
        pytest.param(13, signal.SIGKILL, -signal.SIGKILL, 3, id="killed in the third"),
    ],
)
def test_interrupted_in_a_later_training(
    server: ForkServer, tmp_path: Path, step: int, number: signal.Signals, code: int, begun: int
) -> None:
    every, script = {"checkpointEvery": {"steps": 3}}, write_script(tmp_path, FOLDS)
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    assert server.start(script_config(undisturbed, script, **every), 1).codes() == [0]
    hit = Interruption(step, number, [0], once_saved=True)
    first = server.start(script_config(disturbed, script, **every), 1, interruption=hit)
    assert first.codes() == [code], first.end()
    assert len(list((disturbed / "runs").iterdir())) == begun

    config = script_config(disturbed, script, attempt=2, **every)
    last = server.start(config, 1)
    assert last.codes() == [0], last.end()
    for fold in range(3):
        ours, theirs = (folder / "runs" / f"fold-{fold}" for folder in (disturbed, undisturbed))
        assert newest_tensors(ours) == newest_tensors(theirs)
        assert history_of(ours) == history_of(theirs)
    losses = [json.loads((folder / "output" / "losses").read_text()) for folder in (disturbed, undisturbed)]
    assert losses[0] == losses[1]
    done = Folder(config).done()
    assert done is not None
    assert done.message.startswith("3 trainings; of fold-2: ")
    assert done.progress.notices == ["the numbers are those of fold-2, training 3 of the program"]


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        pytest.param("for a in b:\n    x = 1\n    HERE", True, id="a loop"),
        pytest.param("while a:\n    run = HERE", True, id="while"),
        pytest.param("for a in b:\n    with c:\n        HERE", True, id="a context in a loop"),
        pytest.param("def f():\n    for a in b:\n        HERE", True, id="in a function"),
        pytest.param("if a:\n    for a in b:\n        HERE", True, id="a loop under a condition"),
        pytest.param("for a in b:\n    f(\n        HERE\n    )", True, id="as an argument"),
        pytest.param("HERE\nfor a in b:\n    pass", False, id="before a loop"),
        pytest.param("for a in b:\n    pass\nHERE", False, id="after it"),
        pytest.param("for a in b:\n    if not a:\n        HERE", False, id="under a condition, maybe once"),
        pytest.param("for a in b:\n    HERE\n    break", False, id="a loop that is left"),
        pytest.param(
            "while True:\n    try:\n        HERE\n    except E:\n        pass", False, id="tried until it works"
        ),
        pytest.param("for a in b:\n    pass\nelse:\n    HERE", False, id="after all of them"),
        pytest.param("for a in b:\n    def f():\n        HERE", False, id="in a function that a loop makes"),
        pytest.param("for a in HERE:\n    pass", False, id="what is looped over"),
        pytest.param("(", False, id="no Python"),
    ],
)
def test_what_is_sure_to_come_again(tmp_path: Path, text: str, is_found: bool) -> None:
    (tmp_path / "a.py").write_text(text)
    line = next((number for number, each in enumerate(text.splitlines(), 1) if "HERE" in each), 1)
    assert (_loop_at(str(tmp_path / "a.py"), line) is not None) is is_found
