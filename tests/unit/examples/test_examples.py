"""The committed examples are what the generator writes, and stay small enough for `kubectl apply`."""

import importlib.util
from pathlib import Path

import pytest
import yaml

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
