"""What is submitted is read before anybody is asked."""

from pathlib import Path

import pytest
import yaml

from support.manifests import VALID
from trainingjob_api.resource import TrainingJob
from trainingjob_client.errors import ManifestError
from trainingjob_client.manifest import read

_TEXT = yaml.safe_dump(VALID)


def test_files_texts_objects_and_models_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(_TEXT)
    for given in (tmp_path / "job.yaml", str(tmp_path / "job.yaml"), _TEXT, VALID, TrainingJob.model_validate(VALID)):
        assert read(given).job["spec"] == VALID["spec"]


def test_what_else_is_in_a_file_keeps_its_order() -> None:
    others = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in ("b", "a")]
    found = read(yaml.safe_dump_all([others[0], VALID, others[1]]))
    assert found.others == others


def test_a_namespace_of_the_file_counts_and_no_other() -> None:
    found = read({**VALID, "metadata": {"name": "job", "namespace": "mine"}})
    assert found.in_namespace(None, "default") == found.in_namespace("mine", "default") == "mine"
    assert read(VALID).in_namespace(None, "default") == "default"
    with pytest.raises(ManifestError, match="is for namespace mine, not for other"):
        found.in_namespace("other", "default")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [1\n", "the text is no YAML: line 2: "),
        ("just words\n", "holds something that is no Kubernetes object: apiVersion and kind are missing"),
        ("---\n", "the text holds no TrainingJobs"),
        (f"{_TEXT}---\n{_TEXT}", "holds 2 TrainingJobs; give one at a time"),
        ("apiVersion: v1\nkind: ConfigMap\n", "metadata.name of the ConfigMap is missing"),
        (_TEXT.replace("v1alpha1", "v2"), "apiVersion must be trainingjob.dev/v1alpha1"),
        ("nothing.yaml", "nothing.yaml cannot be read: No such file"),
    ],
)
def test_what_is_no_manifest_is_told_so(text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        read(text)
