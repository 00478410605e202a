"""What a person sees of a training on a terminal."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from support.trainer import recipe, run_config
from trainer.learning.plan import plan_for
from trainer.reporting import terminal
from trainer.reporting.board import Board
from trainer.reporting.history import History
from trainer.reporting.sparkline import sparkline
from trainer.reporting.terminal import Terminal, columns_for
from trainingjob_api.progress import EpochMetrics
from trainingjob_api.spec.training import Training

RUN = run_config(Path("/c"), recipe(Path("/t.csv")))
CLASSES = EpochMetrics(
    epoch=7,
    train_loss=0.51234567,
    train_accuracy=0.8765,
    validation_loss=0.61,
    validation_accuracy=0.9,
    validation_f1=0.8,
    validation_roc_auc=0.95,
    learning_rate=0.00012345,
    seconds_per_epoch=1.5,
)
NUMBERS = EpochMetrics(
    epoch=1, train_loss=2.0, train_mae=1.5, train_mse=4.0, validation_mae=1.6, validation_rmse=2.1, validation_r2=0.9
)


@pytest.mark.parametrize(
    ("metrics", "width", "titles"),
    [
        pytest.param(
            CLASSES,
            120,
            ["train loss", "val. loss", "train acc.", "val. acc.", "F1", "ROC AUC", "rate", "seconds"],
            id="everything has room",
        ),
        pytest.param(
            CLASSES,
            78,
            ["train loss", "val. loss", "train acc.", "val. acc.", "F1", "seconds"],
            id="80 columns have room for what matters",
        ),
        pytest.param(CLASSES, 45, ["train loss", "val. loss", "val. acc."], id="a narrow one"),
        pytest.param(CLASSES, 5, [], id="no room at all"),
        pytest.param(NUMBERS, 78, ["train loss", "train MAE", "val. MAE", "RMSE", "R²"], id="regression"),
        pytest.param(
            EpochMetrics(epoch=1, extra={"bleu": 1.0, "a.long.name.of.a.metric": 2.0}),
            30,
            ["bleu"],
            id="metrics of one's own, from the first on",
        ),
    ],
)
def test_what_fits_into_a_line(metrics: EpochMetrics, width: int, titles: list[str]) -> None:
    columns = columns_for(metrics, width)
    assert [column.title for column in columns] == titles
    assert not columns or 9 + sum(column.width for column in columns) <= width


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a terminal of 100 columns shows."""
    text = io.StringIO()
    console = Console(file=text, width=100, highlight=False)
    monkeypatch.setattr(terminal, "Console", lambda highlight: console)
    return text


@pytest.mark.parametrize(
    ("values", "width", "line"),
    [
        pytest.param([0, 1, 2, 3, 4, 5, 6, 7], 20, "▁▂▃▄▅▆▇█", id="as many as there are"),
        pytest.param([7, 7, 0, 0, 3.5, 3.5], 3, "█▁▅", id="means where there is no room for all"),
        pytest.param([9, 1, 3, 3, 3], 2, "█▁", id="shares that differ by one"),
        pytest.param([2, 2, 2], 9, "▁▁▁", id="nothing changes"),
        pytest.param([1, 2], 0, "", id="no room"),
        pytest.param([1, 2], -3, "", id="less than none"),
        pytest.param([], 5, "", id="nothing"),
    ],
)
def test_a_curve_of_one_line(values: list[float], width: int, line: str) -> None:
    assert sparkline(values, width) == line


def test_the_curves_of_all_attempts_come_last(written: io.StringIO, tmp_path: Path) -> None:
    history = History(tmp_path)
    for epoch in range(1, 201):
        history.append(CLASSES.model_copy(update={"epoch": epoch, "train_loss": 1 / epoch}))
    shown = Terminal(Board(run_config(tmp_path, recipe(Path("/t.csv")))))
    shown.close()
    assert not written.getvalue().strip(), "it has shown no epoch"
    shown.epoch(CLASSES, is_best=True)
    shown.close()
    lines = written.getvalue().splitlines()[-7:]
    assert [line[:10].strip() for line in lines] == [
        "train loss", "val. loss", "train acc.", "val. acc.", "F1", "ROC AUC", "rate",
    ]  # fmt: skip
    assert lines[0].startswith("train loss  █▃▂")
    assert lines[0].endswith("▁  1 → 0.005")
    assert {len(line) for line in lines} == {100}
    assert lines[2].endswith("  87.6% → 87.6%")


def test_a_table_and_events(written: io.StringIO) -> None:
    shown = Terminal(Board(RUN, plan=plan_for(Training.model_validate(recipe(Path("/t.csv"))), 96)))
    shown.event("save failed", problem="no [/such] folder", nothing=None, loss=0.123456789, step=7)
    shown.epoch(CLASSES, is_best=True)
    shown.epoch(CLASSES.model_copy(update={"epoch": 8, "validation_f1": None}), is_best=False)
    shown.close()
    lines = written.getvalue().splitlines()
    assert lines[0].rstrip() == "save failed  problem no [/such] folder  loss 0.1235  step 7"
    assert lines[1].split() == [
        "epoch",
        "train",
        "loss",
        "val.",
        "loss",
        "train",
        "acc.",
        "val.",
        "acc.",
        "F1",
        "ROC",
        "AUC",
        "rate",
        "seconds",
    ]
    assert lines[2].split() == ["7/12", "0.5123", "0.61", "87.6%", "90.0%", "80.0%", "0.95", "0.0001234", "1.5", "★"]
    assert lines[3].split()[:6] == ["8/12", "0.5123", "0.61", "87.6%", "90.0%", "–"]
    ends = {title: lines[1].index(title) + len(title) for title in ("F1", "rate")}
    assert lines[2][: ends["F1"]].endswith("80.0%")
    assert lines[2][: ends["rate"]].endswith("0.0001234")
