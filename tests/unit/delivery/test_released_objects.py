"""Objects of released versions are understood whole: `released/<version>` has every field that their CRD knew."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from delivery.schema import known, used
from trainingjob_api.reading import problem_of, read_training_job
from trainingjob_api.resource import TrainingJob

RELEASED = Path("tests/delivery/released")
VERSIONS = sorted(path.name for path in RELEASED.iterdir())


def read(version: str, name: str) -> list[dict[str, Any]]:
    return [each for each in yaml.load_all((RELEASED / version / name).read_text(), yaml.CSafeLoader) if each]


@pytest.mark.parametrize("version", VERSIONS)
def test_together_they_have_every_field(version: str) -> None:
    (crd,) = (each for each in read(version, "install.yaml") if each["kind"] == "CustomResourceDefinition")
    schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    specs = [each["spec"] for each in read(version, "objects.yaml")]
    (status,) = (each["status"] for each in read(version, "status.yaml"))
    assert set(known(schema["spec"])) <= {field for spec in specs for field in used(spec)}
    assert set(known(schema["status"])) <= set(used(status))


@pytest.mark.parametrize("version", VERSIONS)
def test_each_is_understood_whole(version: str) -> None:
    (status,) = (each["status"] for each in read(version, "status.yaml"))
    for raw in read(version, "objects.yaml"):
        job = read_training_job({**raw, "status": status})
        assert problem_of(job) is None, raw["metadata"]["name"]
        assert set(used(raw["spec"])) <= set(used(job.spec.to_json_object())), "no field is lost on the way"
        assert TrainingJob.model_validate(raw).spec == job.spec
