"""How many threads a rank gets: the pod's share of the machine, whatever the machine has."""

import os
from pathlib import Path

import pytest

from support.scripts import script_config
from support.trainer import trainer
from trainer import cpus
from trainer.cpus import available_cpus, threads_for


@pytest.mark.parametrize(
    ("membership", "files", "expected"),
    [
        pytest.param("0::/", {"cpu.max": "400000 100000"}, 4, id="a limit of four, v2"),
        pytest.param("0::/", {"cpu.max": "150000 100000"}, 2, id="one and a half"),
        pytest.param("0::/", {"cpu.max": "50000 100000"}, 1, id="half a CPU"),
        pytest.param("0::/", {"cpu.max": "max 100000"}, 64, id="no limit"),
        pytest.param("0::/", {"cpu.max": "12800000 100000"}, 64, id="a limit above what it may run on"),
        pytest.param("0::/", {}, 64, id="no cgroups"),
        pytest.param("", {}, 64, id="no /proc"),
        pytest.param("0::/", {"cpu.max": "what?"}, 64, id="nothing that is understood"),
        pytest.param(
            "0::/pods/one/main",
            {"cpu.max": "max 100000", "pods/one/cpu.max": "300000 100000"},
            3,
            id="of the whole pod",
        ),
        pytest.param(
            "0::/a/b",
            {"a/cpu.max": "300000 100000", "a/b/cpu.max": "200000 100000", "a/c/cpu.max": "100000 100000"},
            2,
            id="the strictest of those above it",
        ),
        pytest.param("0::/../../elsewhere", {"cpu.max": "200000 100000"}, 2, id="a path of the host's"),
        pytest.param(
            "3:cpu,cpuacct:/\n9:memory:/x",
            {"cpu,cpuacct/cpu.cfs_quota_us": "200000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            2,
            id="v1",
        ),
        pytest.param(
            "1:cpu:/docker/abc",
            {"cpu/docker/abc/cpu.cfs_quota_us": "150000", "cpu/docker/abc/cpu.cfs_period_us": "50000"},
            3,
            id="v1, of the process's own cgroup",
        ),
        pytest.param(
            "1:cpu:/", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64, id="v1, no limit"
        ),
    ],
)
def test_the_cpus_of_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, membership: str, files: dict[str, str], expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(64)))
    (tmp_path / "self").write_text(membership + "\n" if membership else "")
    for name, content in files.items():
        path = tmp_path / "cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")
    assert available_cpus(tmp_path / "cgroup", tmp_path / "self") == expected


@pytest.mark.parametrize(
    ("ranks", "given", "threads"),
    [
        pytest.param(2, {}, 4, id="an equal share for each rank"),
        pytest.param(3, {}, 2, id="none for the rest of a division"),
        pytest.param(16, {}, 1, id="more ranks than CPUs"),
        pytest.param(2, {"OMP_NUM_THREADS": "3"}, 3, id="what somebody asked for"),
        pytest.param(2, {"OMP_NUM_THREADS": "6,2"}, 6, id="for nested regions as well"),
        pytest.param(2, {"OMP_NUM_THREADS": ""}, 4, id="an empty word"),
        pytest.param(2, {"OMP_NUM_THREADS": "0"}, 4, id="none"),
    ],
)
def test_the_threads_of_a_rank(
    monkeypatch: pytest.MonkeyPatch, ranks: int, given: dict[str, str], threads: int
) -> None:
    monkeypatch.setattr(cpus, "available_cpus", lambda: 8)
    assert threads_for(ranks, given) == threads


PROGRAM = """
import json, os, torch
from trainer.script import start
run = start(x={})
names = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
print(json.dumps({"event": "threads", "torch": torch.get_num_threads(), "cpus": run.cpus,
                  **{name: os.environ[name] for name in names}}), flush=True)
"""


def test_a_real_rank_on_one_of_several_cpus(tmp_path: Path) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})  # which a process that is started inherits
    try:
        with trainer(script_config(tmp_path / "c", script), tmp_path, OMP_NUM_THREADS="") as process:
            seen = process.wait_for("threads")
    finally:
        os.sched_setaffinity(0, before)
    shown = {name: seen[name] for name in ("torch", "cpus", "OMP_NUM_THREADS", "OMP_WAIT_POLICY")}
    assert shown == {"torch": 1, "cpus": 1, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
