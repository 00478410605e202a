"""The committed examples are what the generator writes, and stay small enough for `kubectl apply`."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from trainingjob_api.contract import RELEASE
from trainingjob_api.resource import TrainingJob

FOLDER = Path(__file__).parents[3] / "deploy/examples"


def generated() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("generate", FOLDER / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    examples: dict[str, str] = module.examples()
    return examples


def test_committed_examples_are_the_generated_ones() -> None:
    committed = {path.name: path.read_text() for path in FOLDER.glob("*.yaml")}
    assert committed == generated(), "run `make examples`"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_an_example_is_valid_and_its_data_can_be_applied(path: Path) -> None:
    *config_maps, job = yaml.safe_load_all(path.read_text())
    for data in config_maps:
        assert sum(len(value) for kind in ("data", "binaryData") for value in data.get(kind, {}).values()) < 200_000
    assert TrainingJob.model_validate(job).metadata.name == path.stem


@pytest.mark.parametrize("path", sorted(FOLDER.glob("gpu/*.yaml")), ids=lambda path: path.stem)
def test_a_manifest_for_gpus_has_a_rank_for_each(path: Path) -> None:
    job = TrainingJob.model_validate(yaml.safe_load(path.read_text()))
    assert job.metadata.name == path.stem
    assert job.spec.pod.resources is not None
    assert job.spec.local_world_size == job.spec.pod.resources.gpus > 0


def test_a_claim_is_filled_and_emptied_by_the_release_s_trainer() -> None:
    for path in FOLDER.glob("claims/*.yaml"):
        pods = [each.get("spec", {}).get("template", each) for each in yaml.safe_load_all(path.read_text())]
        images = [container["image"] for pod in pods for container in pod["spec"].get("containers", [])]
        assert images == [f"ghcr.io/trainingjob/trainer:{RELEASE}"], path.name
