"""What is written and drawn about a finished training, whatever it was."""

import json
import os
import struct
from pathlib import Path

import pytest
import torch
from sklearn.metrics import auc

from support.trainer import recipe, run_config
from trainer.distributed import World
from trainer.learning.class_counts import ClassCounts, count_classes, curves_of
from trainer.learning.roc import Scores
from trainer.reporting.curves import draw_curves
from trainer.reporting.event_files import EventFiles, scalars
from trainer.reporting.report import ClassReport, as_text
from trainer.reporting.report_picture import draw_report
from trainingjob_api.progress import EpochMetrics, Progress, State


def class_report(classes: int, rows: int = 500, occurring: int | None = None) -> ClassReport:
    generator = torch.Generator().manual_seed(1)
    targets = torch.randint(0, occurring or classes, (rows,), generator=generator)
    logits = torch.randn(rows, classes, generator=generator)
    logits[torch.arange(rows), targets] += 2
    labels = tuple(rf"$\frac$ is no formula but class {number}" for number in range(classes))
    scores = Scores(curves_of(classes), 1)
    scores.add(logits, targets)
    curves = scores.of_all(World(0, 1, torch.device("cpu")))
    return ClassReport.of(ClassCounts.of(count_classes(logits, targets), classes, curves), labels)


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_roc_curves_are_thin_and_keep_their_area(classes: int) -> None:
    report = class_report(classes)
    assert len(report.roc) == (1 if classes == 2 else classes + 1)
    for curve in report.roc:
        assert len(curve.false_positive_rate) <= 200
        assert (curve.false_positive_rate[0], curve.true_positive_rate[0]) == (0, 0)
        assert (curve.false_positive_rate[-1], curve.true_positive_rate[-1]) == (1, 1)
        assert auc(curve.false_positive_rate, curve.true_positive_rate) == pytest.approx(curve.area, abs=2e-3)


def test_a_report_of_many_classes_stays_small() -> None:
    many, too_many = class_report(200).as_written(), class_report(300).as_written()
    assert [curve["class"] for curve in many["roc"]] == [None]
    assert (len(many["confusion"]["counts"]), len(many["classes"])) == (200, 200)
    assert (too_many["confusion"], too_many["roc"], len(too_many["classes"])) == (None, [], 300)
    assert len(as_text(too_many)) < 100_000


def test_a_class_that_does_not_occur_has_no_area() -> None:
    report = class_report(4, occurring=3)
    assert ["rocAuc" in row for row in report.table] == [True, True, True, False]
    assert report.table[3]["samples"] == 0


def test_lists_of_numbers_stay_on_one_line_and_names_as_they_are() -> None:
    document = {"matrix": [[1, 2], [3, 4]], "names": ["a\n[ 1 ]", "[\n 2\n]"], "none": [], "point": [{"x": [0.5]}]}
    text = as_text(document)
    assert json.loads(text) == document
    assert "[1, 2]" in text


def size_of(path: Path) -> tuple[int, int]:
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return width, height


@pytest.mark.parametrize(
    ("classes", "rows", "occurring"),
    [
        pytest.param(2, 500, None, id="2 classes"),
        pytest.param(10, 500, 8, id="10 classes, 2 of which do not occur"),
        pytest.param(100, 500, None, id="100 classes"),
        pytest.param(3, 1, None, id="one row, no curve"),
    ],
)
def test_a_report_is_drawn(tmp_path: Path, classes: int, rows: int, occurring: int | None) -> None:
    """Warnings, such as of text without room, are errors here."""
    draw_report(class_report(classes, rows, occurring), "a title, 标题", tmp_path / "report.png")
    assert size_of(tmp_path / "report.png") == (1690, 780)


def epochs(count: int, **measures: float) -> list[EpochMetrics]:
    each = {name: value / 2 for name, value in measures.items()}
    return [EpochMetrics.model_validate({"epoch": number, **each}) for number in range(1, count + 1)]


@pytest.mark.parametrize("count", [0, 1, 1000])
@pytest.mark.parametrize("task", ["classification", "regression"])
def test_curves_are_drawn(tmp_path: Path, count: int, task: str) -> None:
    run = run_config(tmp_path, recipe(Path("/t.csv"), task=task))
    progress = Progress(uid="u", attempt=1, state=State.FINISHED, epochs=count, epoch=count)
    history = epochs(count, train_loss=2, validation_loss=1e-9, train_accuracy=1, train_mae=2, learning_rate=0)
    draw_curves(history, run, progress, tmp_path / "curves.png")
    assert size_of(tmp_path / "curves.png") == (1690, 546)


def test_what_tensorboard_is_shown() -> None:
    metrics = EpochMetrics(epoch=3, train_loss=0.5, validation_roc_auc=0.75, learning_rate=0.1, extra={"bleu": 0.25})
    assert dict(scalars(metrics)) == {
        "loss/train": 0.5,
        "roc_auc/validation": 0.75,
        "learning_rate": 0.1,
        "user/bleu": 0.25,
    }


def test_an_event_that_does_not_fit_on_the_disk_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files, (one, two) = EventFiles(tmp_path, 1), epochs(2, train_loss=1)
    files.rewrite([])
    path = next((tmp_path / "tensorboard").iterdir())
    whole, real = path.stat().st_size, os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: real(descriptor, content[:5]))
    files.append(one)
    assert path.stat().st_size == whole, "no half records"
    monkeypatch.setattr(os, "write", real)
    files.append(two)
    undisturbed = EventFiles(tmp_path / "other", 1)
    (tmp_path / "other").mkdir()
    undisturbed.rewrite([(1.0, one), (1.0, two)])
    assert path.stat().st_size == next((tmp_path / "other" / "tensorboard").iterdir()).stat().st_size


def test_event_files_are_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "tensorboard").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        EventFiles(tmp_path, 1).rewrite([])
    assert not list((tmp_path / "elsewhere").iterdir())
