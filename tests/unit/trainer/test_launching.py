"""What the ranks of a pod are told of their place."""

from pathlib import Path

import pytest

from support.trainer import recipe, run_config
from trainer.config import Launch
from trainer.pod import launching, processes
from trainer.pod.launching import environment_of
from trainer.pod.run_folder import RunFolder
from trainingjob_api.handover import run_text


def launch_of(path: Path, **changes: object) -> Launch:
    return Launch(run_config(path / "c", recipe(path / "table.csv")), **changes)  # type: ignore[arg-type]


def test_the_second_pod_of_three(tmp_path: Path) -> None:
    launch = launch_of(tmp_path, nodes=3, local_world_size=2, node_rank=1, host="first", port=7)
    ours = environment_of(launch, RunFolder(tmp_path), 3, {"TORCH_NCCL_ASYNC_ERROR_HANDLING": "0"})
    expected = {
        "RANK": "3",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "6",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "1",
        "GROUP_WORLD_SIZE": "3",
        "MASTER_ADDR": "first",
        "MASTER_PORT": "7",
        "TORCH_NCCL_ASYNC_ERROR_HANDLING": "0",
        "PYTHONUNBUFFERED": "1",
    }
    assert {name: ours.get(name) for name in expected} == expected


def test_a_rank_is_told_what_its_supervisor_knows_and_nothing_of_what_the_pod_was_told(tmp_path: Path) -> None:
    launch = launch_of(tmp_path)
    ours = environment_of(launch, RunFolder(tmp_path), 0, {"TRAININGJOB_RUN": "{", "TRAININGJOB_RUN_2": "}"})
    assert run_text(ours) == launch.run.model_dump_json(by_alias=True, exclude_none=True)


def test_a_manifests_variable_that_is_set_already_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SET", "here")
    started: list[dict[str, str]] = []
    monkeypatch.setattr(processes, "start", lambda command, environment: started.append(environment) or 1)
    launching.start_ranks(launch_of(tmp_path, environment={"SET": "there", "NEW": "there"}), RunFolder(tmp_path))
    assert (started[0]["SET"], started[0]["NEW"]) == ("here", "there")
