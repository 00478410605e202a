"""The epochs that a pod can tell: page by page while it runs, and as far as they fit once it is over."""

import json
from pathlib import Path

import pytest

from trainer.pod.run_folder import RunFolder
from trainer.reporting import epoch_log
from trainer.reporting.epoch_log import EpochLog
from trainer.reporting.history import History
from trainingjob_api.contract import HISTORY_LIMIT
from trainingjob_api.history import Row
from trainingjob_api.history.page import PAGE_ROWS
from trainingjob_api.progress import EpochMetrics


def row(epoch: int, attempt: int = 2, names: int = 1) -> Row:
    return Row(epoch, attempt, 10 * epoch, None, {f"m{number}": epoch / 7 for number in range(names)})


def log(began: int = 3, done: int = 5, names: int = 1) -> EpochLog:
    """Of attempt 2."""
    made = EpochLog("u", 2)
    made.begin(began, [row(epoch, attempt=1, names=names) for epoch in range(1, began + 1)])
    for epoch in range(began + 1, done + 1):
        made.append(row(epoch, names=names), best=epoch)
    return made


def test_it_tells_what_follows_an_epoch() -> None:
    page = log().page(2)
    assert [(row.epoch, row.attempt) for row in page.columns.rows()] == [(3, 1), (4, 2), (5, 2)]
    assert (page.uid, page.attempt, page.began, page.done, page.best, page.more) == ("u", 2, 3, 5, 5, False)
    assert log().page(5).columns.epoch == []


def test_an_attempt_that_has_done_nothing_tells_where_it_began() -> None:
    page = log(began=3, done=3).page(3)
    assert (page.began, page.done, page.columns.epoch) == (3, 3, [])


def test_a_long_history_comes_in_pages() -> None:
    long, told = log(began=0, done=2500), [0]
    while (page := long.page(told[-1])).more:
        assert len(page.columns.epoch) == PAGE_ROWS
        told += page.columns.epoch
    assert told + page.columns.epoch == list(range(2501))


def test_a_page_is_never_longer_than_anybody_reads() -> None:
    page = log(began=0, done=2 * PAGE_ROWS, names=60).page(0)
    assert page.more
    assert len(page.columns.epoch) > 100
    assert len(page.model_dump_json(by_alias=True).encode()) < HISTORY_LIMIT / 2


def test_a_program_that_counts_anew_is_told_anew() -> None:
    again = log(began=0, done=5)
    again.append(row(2), best=None)
    assert again.page(0).columns.epoch == [1, 2]
    assert again.page(0).done == 2


def test_of_very_many_epochs_the_newest_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(epoch_log, "ROWS_LIMIT", 10)
    epochs = log(began=15, done=40).page(0).columns.epoch
    assert epochs[-1] == 40
    assert 10 <= len(epochs) <= 20


def test_few_epochs_need_nobody_who_asks_and_many_do() -> None:
    assert log(began=0, done=20).is_told
    many = log(began=0, done=3 * PAGE_ROWS, names=12)
    for after in (0, PAGE_ROWS):
        many.page(after)
        assert not many.is_told
    many.page(2 * PAGE_ROWS)
    assert many.is_told


def test_the_supervisor_reads_the_newest_epochs_of_the_attempt(tmp_path: Path) -> None:
    folder, long = RunFolder(tmp_path), EpochLog("u", 2)
    folder.add_page(long.begin(3, [row(epoch, attempt=1) for epoch in range(1, 4)]))
    for epoch in range(4, 1000):
        folder.add_page(long.append(row(epoch), best=7))
    page = folder.read_page()
    assert page is not None
    assert (page.began, page.done, page.best) == (3, 999, 7)
    assert page.columns.epoch == list(range(page.columns.epoch[0], 1000))
    assert len(page.columns.epoch) > 100
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 150_000


def test_a_line_whose_writer_was_killed_is_left_out(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_page() is None
    folder.add_page(log().append(row(6), best=None))
    with (tmp_path / "epochs.jsonl").open("a") as file:
        file.write('{"uid": "u", "att')
    page = folder.read_page()
    assert page is not None
    assert page.columns.epoch == [6]


def test_the_file_tells_attempt_and_step_and_one_of_an_earlier_release_does_not(tmp_path: Path) -> None:
    history = History(tmp_path)
    history.append(EpochMetrics(epoch=1, train_loss=1 / 3))
    history.append(EpochMetrics(epoch=2, train_loss=0.25), attempt=2, step=20)
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write(json.dumps({"epoch": 3, "attempt": "no", "step": -1, "time": "long ago"}) + "\n")
    first, second, third = history.rows()
    assert (first.attempt, first.step, first.metrics) == (None, None, {"trainLoss": 0.333333})
    assert (second.attempt, second.step, second.metrics) == (2, 20, {"trainLoss": 0.25})
    assert second.ended_at is not None
    assert (third.attempt, third.step, third.ended_at) == (None, None, None)
