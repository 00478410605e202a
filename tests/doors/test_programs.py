"""A program of one's own by `submit`: on two pods, with what it needs from an index, and its files taken out again."""

import json
import zipfile
from functools import partial
from pathlib import Path

from support.terminal import Terminal
from support.waiting import wait_for
from support.web import Quiet, served

PROGRAM = """
import argparse
import os
from pathlib import Path

import torch
import torch.distributed as dist

from trainer.script import start

parser = argparse.ArgumentParser()
parser.add_argument("--epochs", type=int)
epochs = parser.parse_args().epochs
torch.manual_seed(0)
model = torch.nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
run = start(model=model, optimizer=optimizer)
ranks = torch.ones(1)
dist.all_reduce(ranks)
for _ in run.epochs(epochs):
    for x in run.batches([torch.ones(4, 3)] * 5):
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        run.step(samples=4)
    run.report(train_loss=loss.item())
if os.environ["RANK"] == "0":
    torch.save(model.state_dict(), "model.pt")
    Path("ranks.txt").write_text(str(int(ranks)))
print("rank", os.environ["RANK"], "has done", epochs, "epochs", flush=True)
"""


def test_a_file_becomes_a_training_on_two_pods(terminal: Terminal) -> None:
    (terminal.folder / "train.py").write_text(PROGRAM)
    told = terminal.says("submit", "train.py", "--nodes", "2", "--", "--epochs", "3")
    assert "train is made" in told
    assert "rank 0 has done 3 epochs" in told
    assert "train Succeeded." in told
    assert "rank 1 has done 3 epochs" in terminal.says("logs", "train", "--rank", "1")
    assert terminal.says("history", "train", "-o", "csv").count("\n") == 4

    taken = terminal.says("download", "train")
    assert "train/output" in taken
    assert (terminal.folder / "train/output/ranks.txt").read_text() == "2"
    assert (terminal.folder / "train/output/model.pt").stat().st_size > 0
    terminal.kubectl("get", "configmap", "train-program")
    terminal.says("delete", "train", "--delete-checkpoints")
    program = terminal.kubectl.run
    wait_for(lambda: program("get", "configmap", "train-program").returncode, "its files to go with it")


def test_what_it_needs_comes_from_an_index(terminal: Terminal) -> None:
    """And only that: what the image has is not fetched once more."""
    packages = terminal.folder / "index"
    wheel(packages, "greeting", "1.2.0", "def hello():\n    return 'good morning'\n", requires="torch>=2")
    (terminal.folder / "main.py").write_text("import greeting, sys; print(greeting.hello(), *sys.argv[1:])\n")
    with served(partial(Quiet, directory=str(packages))) as address:
        needs = f"--index-url {address}\n--trusted-host 127.0.0.1\ngreeting>=1\n"
        (terminal.folder / "requirements.txt").write_text(needs)
        command = ["submit", "main.py", "--name", "hello", "--requirements", "requirements.txt"]
        told = terminal.says(*command, "--", "all")
    assert "installed: greeting==1.2.0" in told
    assert "good morning all" in told

    (terminal.folder / "requirements.txt").write_text(f"--index-url {address}\nno-such-package\n")
    lost = terminal.typed("submit", "main.py", "--name", "lost", "--requirements", "requirements.txt")
    lost.expect("requirements.txt could not be installed: is there a network?")
    lost.close(force=True)


def wheel(index: Path, name: str, version: str, code: str, requires: str) -> None:
    """A package of one module, where pip looks for it."""
    folder = index / name
    folder.mkdir(parents=True)
    file, info = f"{name}-{version}-py3-none-any.whl", f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nRequires-Dist: {requires}\n"
    kind = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    entries = {f"{name}.py": code, f"{info}/METADATA": metadata, f"{info}/WHEEL": kind}
    with zipfile.ZipFile(folder / file, "w") as archive:
        for path, text in {**entries, f"{info}/RECORD": "".join(f"{path},,\n" for path in entries)}.items():
            archive.writestr(path, text)
    (folder / "index.html").write_text(f'<a href="{file}">{file}</a>')


def test_a_model_predicts_where_it_was_downloaded(terminal: Terminal) -> None:
    """From a csv to a prediction, by the commands of docs/cli.md."""
    rows = [f"{number % 7},{number % 5},{'high' if number % 7 > 3 else 'low'}" for number in range(210)]
    (terminal.folder / "points.csv").write_text("a,b,kind\n" + "\n".join(rows) + "\n")
    assert "points.yaml: classification of kind by 2 columns" in terminal.says(
        "init", "points.csv", "--target", "kind", "--epochs", "30", "--yes"
    )
    terminal.says("submit", "-f", "points.yaml", "--follow")
    assert "points/model" in terminal.says("download", "points")
    assert "report.json" in terminal.says("download", "points", "--what", "report")
    assert json.loads((terminal.folder / "points/report.json").read_text())
    program = "from trainer.export import load; print(load('points/model')([[6, 1], [0, 1]]))"
    process = terminal.program("python", "-c", program)
    process.expect("high.*low")
    process.close(force=True)
    saved = terminal.says("checkpoints", "points").splitlines()
    assert saved[0].split() == ["NAME", "STEP", "ATTEMPT", "SIZE", "AGE"]
    assert len(saved) > 1
