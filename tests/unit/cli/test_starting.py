"""A csv becomes a manifest."""

from pathlib import Path

import pytest
import yaml

from trainingjob_api.resource import TrainingJob
from trainingjob_cli.starting import FITS, Choices, dumped, find, manifest
from trainingjob_client.errors import ManifestError


@pytest.mark.parametrize(
    ("text", "target", "task"),
    [
        ("a,kind\n1,small\n2,big\n", "kind", "classification"),
        ("a,b\n1,0\n2,1\n", "b", "classification"),
        ("a,b\n1,0.5\n2,1\n", "b", "regression"),
        ("label,b\n1,0.5\n2,1\n", "label", "classification"),
        ("a,b\n" + "".join(f"1,{n}\n" for n in range(21)), "b", "regression"),
        ("a,b\n1,\n2,3.5\n", "b", "regression"),
    ],
)
def test_target_and_task_are_guessed(text: str, target: str, task: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    found = find(tmp_path / "t.csv")
    assert (found.usual_target, found.table.task_of(target)) == (target, task)


def test_the_manifest_holds_its_data_and_is_valid(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    found = find(tmp_path / "t.csv")
    config_map, job = yaml.safe_load_all(dumped(manifest(found, Choices("net", "b", "classification", nodes=2))))
    assert config_map["data"] == {"t.csv": "a,b\n1,x\n2,y\n"}
    read = TrainingJob.model_validate(job)
    assert read.spec.training is not None
    assert read.spec.training.data.path == "/data/t.csv"
    assert "csv" not in job["spec"]["training"]["data"]
    [alone] = manifest(found, Choices("net", "b", "classification", claim="mine"))
    assert alone["spec"]["pod"]["volumes"][0]["persistentVolumeClaim"] == {"claimName": "mine"}


def test_a_semicolon_between_cells_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a;b\n1,5;x\n2,5;y\n")
    _, job = manifest(find(tmp_path / "t.csv"), Choices("net", "b", "classification"))
    assert job["spec"]["training"]["data"]["csv"] == {"delimiter": ";"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "must be csv with a header"),
        ("a,b\n", "at least two rows"),
        ("1,2\n3,4\n", "begins with numbers"),
        ("a,b\n1,2\n3\n", "t.csv: row 2 has 1 cells, the header 2"),
    ],
)
def test_what_is_no_table_is_told_so(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(ManifestError, match=words):
        find(tmp_path / "t.csv")


def test_what_does_not_fit_goes_into_a_claim(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * (FITS // 4))
    with pytest.raises(ManifestError, match="upload it into a claim"):
        manifest(find(tmp_path / "t.csv"), Choices("net", "b", "regression"))
