"""Files to tensors, and what is said about files that cannot be used."""

import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from support.trainer import recipe
from trainer.config import Mounts
from trainer.data.batches import batches
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset, require_same_data
from trainer.data.rows import ResidentRows, epoch_order
from trainer.data.scaling import Statistics
from trainer.distributed import World
from trainer.errors import DataError, UserError
from trainer.learning.plan import StagePlan, plan_for
from trainingjob_api.spec.training import Training


def stage(batch_size: int, rows: int) -> StagePlan:
    return plan_for(Training.model_validate(recipe(Path("/x.csv"), batchSize=batch_size)), rows).stages[0]


def load(path: Path, content: str | None = None, **data: object) -> Dataset:
    if content is not None:
        path.write_text(content)
    task, seed = data.pop("task", "classification"), data.pop("seed", 7)
    fields = recipe(path, task=task, seed=seed, earlyStopping=None)
    fields["data"] = {"path": str(path), "target": "y", **data}
    return load_dataset(Training.model_validate(fields), Mounts())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("a,y\n1,p\nx,q\n", ["row 2", "'a'", "'x'", "not a number"], id="text among numbers"),
        pytest.param("a,y\n1,p\n,q\n", ["row 2", "'a'", "missing"], id="empty number"),
        pytest.param("a,y\n1,p\nnan,q\n", ["row 2", "'a'"], id="NaN"),
        pytest.param("a,y\n1,p\ninf,q\n", ["row 2", "'a'", "inf"], id="infinity"),
        pytest.param("a,y\n1,p\n2,\n", ["row 2", "'y'", "missing"], id="empty class"),
        pytest.param("a,y\n1,p\n2,p\n", ["same 'y'"], id="one class only"),
        pytest.param("a,b\n1,p\n2,p\n", ["'y'", "a, b"], id="no target"),
        pytest.param("a,a,y\n1,2,p\n", ["'a'", "more than once"], id="doubled column"),
        pytest.param("a,y\n", ["no rows"], id="no rows"),
        pytest.param("", ["is empty"], id="empty file"),
        pytest.param("y\np\nq\n", ["besides"], id="nothing but the target"),
        pytest.param("a,y\n1,p\n2,q,3\n", ["row 2: 3 cells where there are 2 columns: '2,q,3'"], id="ragged row"),
        pytest.param(
            "a,y\n" + "1.25,p\n" * 800_000 + "2\n", ["row 800001: 1 cells where there are 2"], id="ragged far down"
        ),
    ],
)
def test_a_bad_file_is_named_with_row_and_column(tmp_path: Path, content: str, words: list[str]) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path / "bad.csv", content)
    message = str(caught.value)
    assert "bad.csv" in message
    assert all(word in message for word in words), message


def test_a_target_that_is_no_number_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 2, column 'y': the target is inf"):
        load(tmp_path / "bad.csv", "a,y\n1,1\n2,inf\n", task="regression")


@pytest.mark.parametrize("fraction", [0.01, 0.9])
def test_both_sides_of_a_split_have_a_row(tmp_path: Path, fraction: float) -> None:
    data = load(tmp_path / "x.csv", "a,y\n1,1\n2,2\n", task="regression", validation={"fraction": fraction})
    assert data.validation is not None
    assert (len(data.train), len(data.validation)) == (1, 1)


def test_one_row_cannot_be_split(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.csv has one row: it cannot be split"):
        load(tmp_path / "x.csv", "a,y\n1,1\n", task="regression", validation={"fraction": 0.5})


def test_a_missing_file_says_what_is_there_instead(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("a,y\n1,p\n")
    with pytest.raises(DataError, match=r"tain\.csv does not exist; the folder holds train\.csv"):
        load(tmp_path / "tain.csv")


def test_a_file_that_is_not_gzip_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load(tmp_path / "bad.csv.gz", "a,y\n1,p\n2,q\n")


def test_a_class_that_training_has_not_seen_is_named(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("a,y\n1,p\n2,z\n")
    with pytest.raises(DataError, match=r"test\.csv, row 2, column 'y': the class 'z'"):
        load(tmp_path / "train.csv", "a,y\n1,p\n2,q\n", test={"path": str(tmp_path / "test.csv")})


@pytest.mark.parametrize(
    ("values", "labels", "targets"),
    [
        pytest.param("b a b", ("a", "b"), [1, 0, 1], id="text in sorted order"),
        pytest.param("10 9 10", (9, 10), [1, 0, 1], id="numbers by value"),
        pytest.param("true false true", (False, True), [1, 0, 1], id="booleans"),
    ],
)
def test_classes(tmp_path: Path, values: str, labels: tuple[object, ...], targets: list[int]) -> None:
    data = load(tmp_path / "x.csv", "a,y\n" + "".join(f"1,{value}\n" for value in values.split()))
    assert data.facts.labels == labels
    assert data.train.targets.tolist() == targets


def test_compressed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(b"a,y\n1,p\n2,q\n"))
    assert len(load(tmp_path / "x.csv.gz").train) == 2


def test_features_by_name_and_glob_never_hold_the_target(tmp_path: Path) -> None:
    content = "y,pixel_1,other,pixel_2,y_2\np,1,2,3,4\nq,5,6,7,8\n"
    assert load(tmp_path / "x.csv", content).facts.features == ("pixel_1", "other", "pixel_2", "y_2")
    chosen = load(tmp_path / "x.csv", features=["other", "pixel_*", "y*"]).facts.features
    assert chosen == ("other", "pixel_1", "pixel_2", "y_2")
    with pytest.raises(DataError, match=r"'z_\*'.*pixel_1"):
        load(tmp_path / "x.csv", features=["z_*"])


def test_scaling_is_fitted_on_training_rows_only(tmp_path: Path) -> None:
    (tmp_path / "validation.csv").write_text("a,y\n100,p\n300,q\n")
    held_back = {"path": str(tmp_path / "validation.csv")}
    data = load(tmp_path / "x.csv", "a,y\n1,p\n3,q\n", validation=held_back)
    assert data.facts.scaling.shift.tolist() == [2.0]
    assert data.train.features.tolist() == [[-1.0], [1.0]]
    assert data.validation is not None
    assert data.validation.features.tolist() == [[98.0], [298.0]]
    (tmp_path / "validation.csv").write_text("a,y\n100,p\n301,q\n")
    assert load(tmp_path / "x.csv", validation=held_back).digest != data.digest


def test_rows_that_are_drawn_for_validation_do_not_influence_the_scaling(tmp_path: Path) -> None:
    content = "a,y\n" + "".join(f"{row**2},{'pq'[row % 2]}\n" for row in range(20))
    data = load(tmp_path / "x.csv", content, validation={"fraction": 0.3})
    assert data.validation is not None
    assert abs(float(data.train.features.mean())) < 1e-6
    assert abs(float(data.validation.features.mean())) > 1e-3


def test_regression_targets_are_scaled_by_the_training_rows(tmp_path: Path) -> None:
    data = load(tmp_path / "x.csv", "a,y\n1,10\n3,30\n", task="regression")
    assert data.train.targets.tolist() == [-1.0, 1.0]
    assert data.facts.target_scaling is not None
    assert (float(data.facts.target_scaling.shift), float(data.facts.target_scaling.scale)) == (20.0, 10.0)


def test_the_split_is_by_seed_and_complete(tmp_path: Path) -> None:
    content = "a,y\n" + "".join(f"{row},{'pq'[row % 2]}\n" for row in range(50))
    first = load(tmp_path / "x.csv", content, validation={"fraction": 0.2}, normalize="none")
    again = load(tmp_path / "x.csv", validation={"fraction": 0.2}, normalize="none")
    assert first.validation is not None
    assert again.validation is not None
    assert len(first.validation) == 10
    assert (
        first.digest
        == again.digest
        != load(tmp_path / "x.csv", validation={"fraction": 0.2}, normalize="none", seed=8).digest
    )
    together = torch.cat([first.train.features, first.validation.features]).flatten().tolist()
    assert sorted(together) == list(range(50))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("none", [[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]]),
        ("standard", [[-(1.5**0.5), 0.0], [0.0, 0.0], [1.5**0.5, 0.0]]),
        ("minMax", [[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]),
    ],
)
def test_scaling(kind: str, expected: list[list[float]]) -> None:
    values = np.array([[0.0, 5.0], [2.0, 5.0], [4.0, 5.0]])
    assert np.allclose(Statistics.of(values).scaling(kind).apply(values), expected)  # type: ignore[arg-type]


def test_noise_of_rounding_is_not_blown_up() -> None:
    values = np.array([[0.1 + 0.2], [0.3], [0.3]])
    assert np.abs(Statistics.of(values).scaling("standard").apply(values)).max() < 1e-9


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_ranks_share_every_batch_without_loss(size: int) -> None:
    rows = ResidentRows(torch.arange(29.0)[:, None], torch.arange(29))
    worlds = [World(rank, size, torch.device("cpu")) for rank in range(size)]
    by_rank = [list(batches(rows, stage(8, len(rows)), 1, 0, 0, world)) for world in worlds]
    order = epoch_order(29, 1, 0).tolist()
    for number, shares in enumerate(zip(*by_rank, strict=True)):
        whole = order[number * 8 : number * 8 + 8]
        assert sorted(target for share in shares for target in share.targets.tolist()) == sorted(whole)
        assert {share.size for share in shares} == {len(whole)}


def test_an_epoch_goes_on_where_it_was_left() -> None:
    rows, world = ResidentRows(torch.arange(29.0)[:, None], torch.arange(29)), World(0, 1, torch.device("cpu"))
    whole = [batch.targets.tolist() for batch in batches(rows, stage(8, len(rows)), 1, 5, 0, world)]
    assert [batch.targets.tolist() for batch in batches(rows, stage(8, len(rows)), 1, 5, 16, world)] == whole[2:]
    assert list(batches(rows, stage(8, len(rows)), 1, 5, 29, world)) == []


def test_every_epoch_has_an_order_of_its_own() -> None:
    orders = {tuple(epoch_order(29, seed, epoch).tolist()) for seed in (1, 2) for epoch in range(5)}
    assert len(orders) == 10


def test_paths_are_found_where_they_are_mounted() -> None:
    mounts = Mounts({"/data": "/here", "/data/deep": "/there"})
    assert mounts.locate("/data/x.csv") == Path("/here/x.csv")
    assert mounts.locate("/data/deep/x.csv") == Path("/there/x.csv")
    assert mounts.locate("/database/x.csv") == Path("/database/x.csv")
    assert Mounts.from_json(mounts.to_json()) == mounts


def test_ranks_that_have_read_different_data_do_not_train_together() -> None:
    require_same_data([b"a", b"a", b"a"])
    with pytest.raises(DataError, match="rank 2 has read other data than rank 0"):
        require_same_data([b"a", b"a", b"b"])
    with pytest.raises(UserError, match=r"data\.loading: auto streams on some nodes only"):
        require_same_data([b"stream:a", b"a"])
