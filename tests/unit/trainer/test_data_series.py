"""Windows over a time series: what each sees, what it is to predict, and what it never learns."""

from pathlib import Path

import pytest
import torch

from support.trainer import recipe
from trainer.config import Mounts
from trainer.data.batches import batches
from trainer.data.choices import Choices
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset
from trainer.data.rows import Rows, WindowRows
from trainer.distributed import World
from trainer.errors import DataError
from trainer.learning.plan import plan_for
from trainingjob_api.spec.training import Training

ROWS = 40


def load(
    tmp_path: Path,
    task: str = "regression",
    rows: int = ROWS,
    choices: Choices = Choices(),  # noqa: B008  (frozen)
    **data: object,
) -> Dataset:
    """Columns t (0, 1, ...), v (100 + t) and word (even, odd)."""
    lines = [f"{t},{100 + t},{'even' if t % 2 == 0 else 'odd'}" for t in range(rows)]
    (tmp_path / "x.csv").write_text("\n".join(["t,v,word", *lines]))
    fields = recipe(tmp_path / "x.csv", task=task, earlyStopping=None)
    fields["data"] = {
        "path": str(tmp_path / "x.csv"), "features": ["t"], "target": "v", "normalize": "none",
        "sequence": {"length": 3, "horizon": 2}, **data,
    }  # fmt: skip
    fields["data"] = {name: value for name, value in fields["data"].items() if value is not None}
    return load_dataset(Training.model_validate(fields), Mounts(), choices)


def targets(data: Dataset, values: torch.Tensor) -> list[float]:
    """In their own units."""
    scaling = data.facts.target_scaling
    assert scaling is not None
    return [round(value) for value in (values.double() * float(scaling.scale) + float(scaling.shift)).tolist()]


def test_a_window_and_the_target_that_lies_ahead(tmp_path: Path) -> None:
    data = load(tmp_path)
    assert len(data.train) == ROWS - 3 - 2 + 1
    inputs, goals = data.train.take(torch.tensor([0, 35]))
    assert inputs.tolist() == [[0, 1, 2], [35, 36, 37]]
    assert targets(data, goals) == [104, 139]
    assert data.facts.shape == (3, 1)


def test_a_target_in_the_last_row_of_the_window(tmp_path: Path) -> None:
    data = load(tmp_path, sequence={"length": 3, "horizon": 0})
    assert len(data.train) == ROWS - 2
    assert targets(data, data.train.take(torch.tensor([0, 37]))[1]) == [102, 139]


def test_features_of_a_step_lie_beside_each_other(tmp_path: Path) -> None:
    data = load(tmp_path, features=["t", "v"])
    assert data.facts.shape == (3, 2)
    assert data.train.take(torch.tensor([4]))[0].reshape(3, 2).tolist() == [[4, 104], [5, 105], [6, 106]]


@pytest.mark.parametrize(
    ("task", "target", "horizon", "features", "expected"),
    [
        pytest.param("regression", "v", 1, ["[tv]"], ("t", "v"), id="the past of the target, when it is named"),
        pytest.param("regression", "v", 1, ["t"], ("t",), id="not when others are named"),
        pytest.param("regression", "v", 0, ["[tv]"], ("t",), id="not the target itself, when a pattern has it"),
        pytest.param("regression", "v", 0, ["t", "v"], ("t", "v"), id="the target itself, when it is named as it is"),
        pytest.param("classification", "word", 1, ["*"], ("t", "v"), id="not a class that is a word"),
    ],
)
def test_what_a_window_shows(
    tmp_path: Path, task: str, target: str, horizon: int, features: list[str], expected: tuple[str, ...]
) -> None:
    data = load(tmp_path, task, target=target, features=features, sequence={"length": 3, "horizon": horizon})
    assert data.facts.features == expected


@pytest.mark.parametrize(
    ("task", "header", "horizon", "expected"),
    [
        pytest.param("regression", "a,b,y", 1, ("a", "b", "y"), id="everything, the target's past included"),
        pytest.param("regression", "a,b,y", 0, ("a", "b"), id="not a target that the window would give away"),
        pytest.param("classification", "a,b,word", 1, ("a", "b"), id="not a class that is a word"),
        pytest.param("classification", "a,b,y", 1, ("a", "b", "y"), id="a class that is a number"),
    ],
)
def test_what_a_window_shows_by_default(
    tmp_path: Path, task: str, header: str, horizon: int, expected: tuple[str, ...]
) -> None:
    target = header.split(",")[-1]
    last = ["p", "q"] if target == "word" else ["0", "1"]
    (tmp_path / "y.csv").write_text("\n".join([header, *(f"{row},1,{last[row % 2]}" for row in range(20))]))
    data = load(
        tmp_path, task, path=str(tmp_path / "y.csv"), target=target, features=None,
        sequence={"length": 2, "horizon": horizon},
    )  # fmt: skip
    assert data.facts.features == expected


def test_classes_can_be_foreseen(tmp_path: Path) -> None:
    data = load(tmp_path, "classification", target="word")
    assert data.facts.labels == ("even", "odd")
    assert data.train.take(torch.tensor([0, 1]))[1].tolist() == [0, 1]


def seen_in(data: Dataset, rows: Rows | None) -> tuple[set[int], list[int]]:
    """All steps that windows show, and those whose values they are to predict."""
    assert rows is not None
    windows, goals = rows.take(torch.arange(len(rows)))
    return {int(step) for step in windows.flatten()}, [round(value) - 100 for value in targets(data, goals)]


def test_windows_of_the_end_look_back_over_the_cut_and_nothing_else_does(tmp_path: Path) -> None:
    data = load(tmp_path, validation={"fraction": 0.25}, test={"fraction": 0.1})
    assert seen_in(data, data.train) == (set(range(24)), list(range(4, 26)))
    assert seen_in(data, data.validation) == (set(range(22, 34)), list(range(26, 36)))
    assert seen_in(data, data.test) == (set(range(32, 38)), list(range(36, 40)))


def test_every_row_that_is_held_back_is_a_target(tmp_path: Path) -> None:
    data = load(tmp_path, rows=247, validation={"fraction": 0.2}, sequence={"length": 24, "horizon": 1})
    assert data.validation is not None
    assert len(data.validation) == 49


def test_a_training_of_the_first_version_goes_on_without_looking_back(tmp_path: Path) -> None:
    data = load(tmp_path, choices=Choices(as_meant=False), validation={"fraction": 0.25})
    assert seen_in(data, data.train) == (set(range(28)), list(range(4, 30)))
    assert seen_in(data, data.validation) == (set(range(30, 38)), list(range(34, 40)))


def test_files_of_their_own_are_series_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("t,v\n" + "".join(f"{t},{100 + t}\n" for t in range(40, 50)))
    data = load(tmp_path, test={"path": str(tmp_path / "test.csv")})
    assert seen_in(data, data.test) == (set(range(40, 48)), list(range(44, 50)))


def test_scaling_knows_nothing_of_the_end(tmp_path: Path) -> None:
    data = load(tmp_path, features=["t", "v"], validation={"fraction": 0.25}, normalize="minMax")
    assert data.facts.scaling.shift.tolist() == [0, 100] * 3
    assert data.facts.scaling.scale.tolist() == [29] * 6
    assert data.train.take(torch.tensor([24]))[0][0].tolist() == pytest.approx(
        [n / 29 for n in (24, 24, 25, 25, 26, 26)]
    )


def test_several_files_are_one_series(tmp_path: Path) -> None:
    for part in range(2):
        lines = [f"{t},{t}" for t in range(part * 5, part * 5 + 5)]
        (tmp_path / f"part-{part}.csv").write_text("\n".join(["t,v", *lines]))
    data = load(tmp_path, path=str(tmp_path / "part-*.csv"))
    assert data.train.take(torch.arange(6))[0].tolist() == [[n, n + 1, n + 2] for n in range(6)]


@pytest.mark.parametrize(
    ("rows", "validation", "words"),
    [
        pytest.param(4, None, "4 rows are too few for windows of 3 rows whose target lies 2 rows ahead", id="whole"),
        pytest.param(8, {"fraction": 0.75}, "x.csv: 2 rows are too few", id="the beginning"),
    ],
)
def test_a_series_that_is_too_short(tmp_path: Path, rows: int, validation: object, words: str) -> None:
    with pytest.raises(DataError) as caught:
        load(tmp_path, rows=rows, validation=validation)
    assert words in str(caught.value)


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_ranks_share_the_windows_and_a_resume_goes_on(ranks: int) -> None:
    rows = WindowRows(torch.arange(40.0)[:, None], torch.arange(40.0), 4, 1)
    stage = plan_for(Training.model_validate(recipe(Path("/x.csv"), batchSize=8)), len(rows)).stages[0]
    worlds = [World(rank, ranks, torch.device("cpu")) for rank in range(ranks)]
    found = [list(batches(rows, stage, 1, 0, 0, world)) for world in worlds]
    firsts = sorted(int(window[0]) for share in found for batch in share for window in batch.features)
    assert firsts == list(range(36))
    assert not torch.equal(found[0][0].features, next(iter(batches(rows, stage, 1, 1, 0, worlds[0]))).features)
    later = list(batches(rows, stage, 1, 0, 16, worlds[0]))
    assert all(torch.equal(one.features, other.features) for one, other in zip(found[0][2:], later, strict=True))


def test_windows_are_not_there_until_they_are_taken() -> None:
    """100,000 windows of 10,000 steps would be 4 GB."""
    rows = WindowRows(torch.zeros(110_000, 1), torch.zeros(110_000), 10_000, 1)
    assert rows.take(torch.tensor([len(rows) - 1]))[0].shape == (1, 10_000)
