"""Ranks get the environment that torchrun would give them: programs and frameworks look for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from support.trainer import recipe, run_config
from trainer.config import Launch
from trainer.pod.launching import environment_of
from trainer.pod.ports import reserved_port
from trainer.pod.run_folder import RunFolder

AGENT = {"TORCHELASTIC_ERROR_FILE", "TORCHELASTIC_SIGNALS_TO_HANDLE", "TORCHELASTIC_USE_AGENT_STORE"}
"""For torchrun's agent, of which there is none here."""

PROGRAM = """
import json, os, sys
with open(f"{sys.argv[1]}/{os.environ['RANK']}", "w") as file:
    json.dump(dict(os.environ), file)
"""


def test_the_variables_are_those_of_torchrun(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    config = run_config(tmp_path / "c", recipe(tmp_path / "table.csv"))
    ranks = ["--nproc-per-node=2", "--max-restarts=0", "--master-addr=127.0.0.1"]
    ranks += [f"--rdzv-id={config.uid}-{config.attempt}"]
    given = {name: value for name, value in os.environ.items() if not name.startswith(("PET_", "TORCH"))}
    given["OMP_NUM_THREADS"] = "1"
    with reserved_port() as port:
        command = [sys.executable, "-m", "torch.distributed.run", *ranks, f"--master-port={port}"]
        command += [str(tmp_path / "program.py"), str(tmp_path)]
        subprocess.run(command, env=given, check=True, capture_output=True)
    launch = Launch(config, local_world_size=2, port=port)
    for rank in range(2):
        theirs = json.loads((tmp_path / str(rank)).read_text())
        expected = {name: value for name, value in theirs.items() if name not in AGENT and given.get(name) != value}
        ours = environment_of(launch, RunFolder(tmp_path), rank, given)
        assert {name: ours.get(name) for name in expected} == expected
        assert ours["RANK"] == str(rank)
