"""Which rows are held back: of every class its share, the same in memory and in a stream, against scikit-learn's."""

import itertools
import random
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.model_selection import train_test_split

from support.trainer import recipe
from trainer.config import Mounts
from trainer.data import csv_text, split
from trainer.data.choices import Choices
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset
from trainer.data.rows import Rows
from trainer.data.split import Counts, Dealer, Fractions, Part, apportioned
from trainer.errors import DataError
from trainingjob_api.spec.training import Training

HUNDRED = range(100)


def classes_of(seed: int) -> Counts:
    """Up to 400 rows of up to 12 classes, some of them rare, in any order."""
    source = np.random.default_rng(seed)
    weights = source.dirichlet(np.full(source.integers(1, 12), 0.5))
    numbers = source.choice(len(weights), size=source.integers(3, 400), p=weights)
    return np.unique(numbers, return_inverse=True)[1].astype(np.int64)


def dealt(numbers: Counts, validation: float | None, test: float | None = None, seed: int = 1) -> Counts:
    dealer = Dealer(seed, np.bincount(numbers), Fractions(validation, test), "x.csv")
    return dealer.deal(numbers).astype(np.int64)


@pytest.mark.parametrize("seed", HUNDRED)
def test_of_every_class_its_share_is_held_back(seed: int) -> None:
    numbers, fraction = classes_of(seed), random.Random(seed).choice([0.05, 0.1, 0.2, 0.37, 0.5, 0.9])
    rows, wanted = np.bincount(numbers), max(1, round(fraction * len(numbers)))
    if rows.max() < 2:
        return
    held = np.bincount(numbers[dealt(numbers, fraction) == Part.VALIDATION], minlength=len(rows))
    assert (held[rows > 1] >= 1).all()
    assert (held < rows).all()
    least, most = np.minimum(1, rows - 1).sum(), (rows - 1).sum()
    assert held.sum() == min(max(wanted, least), most)
    share = rows * (wanted / len(numbers))
    if (share >= 1).all() and (share <= rows - 1).all():
        assert (abs(held - share) < 1).all()
        _, theirs = train_test_split(numbers, test_size=int(held.sum()), stratify=numbers, random_state=0)
        others = np.bincount(theirs, minlength=len(rows))
        assert sorted(held - np.floor(share)) == sorted(others - np.floor(share)), "but for equal remainders"


@pytest.mark.parametrize(
    ("rows", "count", "expected"),
    [
        pytest.param([495, 5], 100, [99, 1], id="a rare class"),
        pytest.param([990, 2, 2, 2, 2, 2], 200, [195, 1, 1, 1, 1, 1], id="rare ones take from the others"),
        pytest.param([2, 2, 2], 1, [1, 1, 1], id="more than asked for, so that none is without"),
        pytest.param([5, 1], 3, [3, 0], id="a single row is trained on"),
        pytest.param([1, 1, 4], 5, [0, 0, 3], id="fewer than asked for"),
        pytest.param([7, 7, 7, 7], 6, [2, 2, 1, 1], id="equal remainders by the order of classes"),
        pytest.param([10], 3, [3], id="a regression"),
        pytest.param([4, 4], 0, [0, 0], id="none"),
    ],
)
def test_how_many_rows_of_each_class(rows: list[int], count: int, expected: list[int]) -> None:
    classes = np.array(rows)
    assert apportioned(classes, count, classes - 1).tolist() == expected


@pytest.mark.parametrize("seed", range(20))
def test_validation_and_test_have_a_row_of_every_class_that_has_three(seed: int) -> None:
    numbers = classes_of(seed)
    rows = np.bincount(numbers)
    if rows.max() < 3:
        return
    parts = dealt(numbers, 0.2, 0.1)
    counts = np.array([np.bincount(numbers[parts == part], minlength=len(rows)) for part in Part])
    assert (counts.sum(axis=0) == rows).all()
    assert (counts[:, rows > 2] > 0).all()
    assert (counts[Part.TRAINING] > 0).all()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("block", [1, 3, 4096])
def test_it_does_not_matter_in_which_pieces_rows_come(seed: int, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(split, "_BLOCK", block)
    numbers, source = classes_of(seed + 50), random.Random(seed)
    dealer = Dealer(1, np.bincount(numbers), Fractions(0.3, 0.2), "x.csv")
    cuts = [0, *sorted(source.choices(range(len(numbers)), k=5)), len(numbers)]
    together = np.concatenate([dealer.deal(numbers[start:end]) for start, end in itertools.pairwise(cuts)])
    assert (together == dealt(numbers, 0.3, 0.2)).all()


def test_a_seed_draws_rows_of_its_own_and_all_are_drawn_by_some() -> None:
    numbers = np.zeros(40, dtype=np.int64)
    times = sum((dealt(numbers, 0.2, seed=seed) == Part.VALIDATION).astype(int) for seed in range(200))
    assert 20 <= times.min() <= times.max() <= 60  # 40 on average, with a deviation of 5.7


def write(folder: Path, rows: int, files: int = 2) -> str:
    """Numbered rows of a common and two rare classes; the path that leads to all files."""
    labels = ["rare" if row % 50 == 7 else "rarer" if row in (3, 90) else "common" for row in range(rows)]
    for number, part in enumerate(np.array_split(np.arange(rows), files)):
        lines = [f"{row},{2 * row},{labels[row]}" for row in part]
        (folder / f"part-{number}.csv").write_text("\n".join(["n,twice,y", *lines]) + "\n")
    return str(folder / "part-*.csv")


def load(
    path: str, loading: str = "memory", choices: Choices | None = None, task: str = "classification", **data: object
) -> Dataset:
    fields = recipe(Path(path), task=task, earlyStopping=None)
    target = "y" if task == "classification" else "twice"
    fields["data"] = {
        "path": path,
        "target": target,
        "features": ["n"],
        "normalize": "none",
        "loading": loading,
        **data,
    }
    return load_dataset(Training.model_validate(fields), Mounts(), choices or Choices())


def rows_of(rows: Rows | None) -> tuple[list[int], list[int]]:
    """Their numbers and classes."""
    assert rows is not None
    features, targets = rows.take(torch.arange(len(rows)))
    return features[:, 0].int().tolist(), targets.tolist()


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_memory_and_stream_hold_back_the_same_rows(tmp_path: Path, task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_text, "STRETCH_BYTES", 150)
    path, held = write(tmp_path, 201), {"validation": {"fraction": 0.2}, "test": {"fraction": 0.1}}
    read, streamed = (load(path, loading, task=task, **held) for loading in ("memory", "stream"))
    found = [rows_of(rows) for rows in (read.train, read.validation, read.test)]
    assert found == [rows_of(rows) for rows in (streamed.train, streamed.validation, streamed.test)]
    assert sorted(number for numbers, _ in found for number in numbers) == list(range(201))
    assert [len(numbers) for numbers, _ in found] == [141, 40, 20]
    if task == "classification":
        assert [Counter(classes)[1] for _, classes in found] == [2, 1, 1]
        assert [Counter(classes)[2] for _, classes in found] == [1, 1, 0]


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_training_of_before_keeps_its_rows(tmp_path: Path, loading: str) -> None:
    path = write(tmp_path, 201)
    before = Choices(by_class=False)
    first, second = (rows_of(load(path, loading, before, validation={"fraction": 0.2}).validation) for _ in range(2))
    assert first == second != rows_of(load(path, loading, validation={"fraction": 0.2}).validation)


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("content", "held", "message"),
    [
        pytest.param("1,p\n", {"validation": {"fraction": 0.5}}, "every row has the same", id="one row"),
        pytest.param("1,p\n2,q\n", {"validation": {"fraction": 0.5}}, "no class has rows enough for", id="one of each"),
        pytest.param(
            "1,p\n2,q\n",
            {"validation": {"fraction": 0.2}, "test": {"fraction": 0.2}},
            r"has 2 rows: they cannot be split for validation and test",
            id="fewer rows than parts",
        ),
    ],
)
def test_too_few_rows_are_told(
    tmp_path: Path, loading: str, content: str, held: dict[str, object], message: str
) -> None:
    (tmp_path / "x.csv").write_text("n,y\n" + content)
    with pytest.raises(DataError, match=message):
        load(str(tmp_path / "x.csv"), loading, **held)


def test_a_series_ends_with_validation_and_then_test(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("n,twice\n" + "".join(f"{row},{2 * row}\n" for row in range(100)))
    held = {"validation": {"fraction": 0.2}, "test": {"fraction": 0.1}, "sequence": {"length": 2}}
    data = load(str(path), task="regression", features=["n"], **held)
    ends = [(int(rows.series[0, 0]), int(rows.series[-1, 0])) for rows in (data.train, data.validation, data.test)]  # type: ignore[union-attr]
    assert ends == [(0, 69), (68, 89), (88, 99)], "what comes before is looked back on"
