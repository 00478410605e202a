"""What pages make of a history, and what an object keeps of it."""

import base64
import gzip
import json
from datetime import UTC, datetime
from random import Random

import pytest

from trainingjob_api.history import Columns, History, HistoryPage, Row, TrainingHistory, row_of, tail_of, with_tail
from trainingjob_api.history.columns import NAMES_LIMIT
from trainingjob_api.history.history import LIST_LIMIT
from trainingjob_api.history.spans import Span, gaps, runs, union, until
from trainingjob_api.progress import EpochMetrics, Outcome, TerminationMessage, parse_termination_message
from trainingjob_api.resource import Metadata

METADATA = Metadata(name="iris", namespace="default")
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def rows(epochs: range, attempt: int | None = 1, loss: float = 0.5) -> tuple[Row, ...]:
    return tuple(Row(epoch, attempt, 10 * epoch, NOW, {"trainLoss": loss}) for epoch in epochs)


def page(
    epochs: range,
    attempt: int = 1,
    began: int = 0,
    done: int | None = None,
    more: bool = False,
    best: int | None = None,
) -> HistoryPage:
    columns = Columns.of(rows(epochs, attempt))
    last = (epochs[-1] if epochs else began) if done is None else done
    return HistoryPage(uid="u", attempt=attempt, began=began, done=last, best=best, columns=columns, more=more)


def after(*pages: HistoryPage) -> History:
    history = History("u")
    for each in pages:
        history = history.with_page(each)
    return history


def told(history: History) -> tuple[list[tuple[int, int | None]], list[tuple[int, int]], int]:
    """Epoch and attempt of the rows; what is missing; the last epoch done."""
    return [(row.epoch, row.attempt) for row in history.rows], [tuple(span) for span in history.missing], history.epochs


def by(attempt: int, epochs: range) -> list[tuple[int, int | None]]:
    return [(epoch, attempt) for epoch in epochs]


@pytest.mark.parametrize(
    ("pages", "expected"),
    [
        pytest.param([page(range(1, 4)), page(range(4, 6))], (by(1, range(1, 6)), [], 5), id="pages follow each other"),
        pytest.param([page(range(1, 4)), page(range(2, 6))], (by(1, range(1, 6)), [], 5), id="pages overlap"),
        pytest.param(
            [page(range(1, 4)), page(range(8, 11))],
            (by(1, range(1, 4)) + by(1, range(8, 11)), [(4, 7)], 10),
            id="what lies between the last look and the tail is missing",
        ),
        pytest.param(
            [page(range(1, 4)), page(range(8, 11)), page(range(1, 9), attempt=2, began=8)],
            (by(2, range(1, 9)), [], 8),
            id="the next attempt fills the gap, and does again what came after its checkpoint",
        ),
        pytest.param(
            [page(range(1, 11)), page(range(5, 7), attempt=2, began=4)],
            (by(1, range(1, 5)) + by(2, range(5, 7)), [], 6),
            id="epochs that are trained again replace those of before, which are forgotten beyond",
        ),
        pytest.param(
            [page(range(1, 11)), page(range(0), attempt=2, began=4)],
            (by(1, range(1, 5)), [], 4),
            id="an attempt that has done nothing yet has forgotten what came after its checkpoint",
        ),
        pytest.param(
            [page(range(1, 4), attempt=2), page(range(4, 6), attempt=1)],
            (by(2, range(1, 4)), [], 3),
            id="the word of an attempt that is over comes too late",
        ),
        pytest.param(
            [page(range(1, 11)), page(range(0), done=4)],
            (by(1, range(1, 5)), [], 4),
            id="a program that has begun anew",
        ),
        pytest.param(
            [page(range(1, 4), done=9, more=True)],
            (by(1, range(1, 4)), [], 3),
            id="what comes with the next page is not missing",
        ),
        pytest.param(
            [page(range(1, 4), done=9)],
            (by(1, range(1, 4)), [(4, 9)], 9),
            id="what was done and is not told is missing",
        ),
        pytest.param([page(range(0), done=9)], ([], [(1, 9)], 9), id="nothing but how far it came"),
        pytest.param(
            [page(range(2**62, 2**62 + 1))],
            ([(2**62, 1)], [(1, 2**62 - 1)], 2**62),
            id="a number of epochs that nobody can have done",
        ),
    ],
)
def test_pages_make_a_history(pages: list[HistoryPage], expected: object) -> None:
    assert told(after(*pages)) == expected


def test_attempts_are_marked_where_they_began() -> None:
    history = after(page(range(1, 11)), page(range(5, 7), attempt=2, began=4), page(range(7, 9), attempt=3, began=6))
    assert [tuple(start) for start in history.attempts] == [(1, 1), (2, 5), (3, 7)]


def test_an_attempt_that_nobody_asked_is_marked_by_what_the_next_one_tells_of_it() -> None:
    columns = Columns.of([*rows(range(1, 4)), *rows(range(4, 6), attempt=2), *rows(range(6, 7), attempt=4)])
    history = History("u").with_page(HistoryPage(uid="u", attempt=4, began=5, done=6, columns=columns))
    assert [tuple(start) for start in history.attempts] == [(1, 1), (2, 4), (4, 6)]


def test_what_is_done_and_not_told_is_missing_until_it_is_told() -> None:
    history = after(page(range(1, 4))).done_until(6)
    assert history.missing == (Span(4, 6),)
    assert history.with_page(page(range(4, 7))).missing == ()


def test_thinning_keeps_best_last_and_where_attempts_began() -> None:
    history = after(page(range(1, 101), best=33), page(range(72, 1000), attempt=2, began=71))
    thin = history.thinned_to(rows=140)
    assert (thin.every, thin.thinned) == (8, True)
    assert {row.epoch for row in thin.rows} == {1, 33, 72, 999, *range(8, 1000, 8)}
    assert thin.missing == ()


def test_a_thinned_history_goes_on_as_thin() -> None:
    thin = after(page(range(1, 101))).thinned_to(rows=60)
    longer = thin.with_page(page(range(101, 106))).thinned_to(rows=60)
    assert [row.epoch for row in longer.rows] == [1, *range(2, 105, 2), 105]


def test_thinning_makes_it_fit() -> None:
    history = after(page(range(1, 5000)))
    size = 4000
    thin = history.thinned_to(size)
    assert 8 < len(thin.rows) < 5000
    assert len(Columns.of(thin.rows).packed()) <= size
    assert len(history.thinned_to(0).rows) == 1


def test_gaps_without_end_are_not_listed() -> None:
    history = after(*(page(range(epoch, epoch + 1)) for epoch in range(2, 3 * LIST_LIMIT, 2)))
    assert len(history.missing) == LIST_LIMIT
    assert history.missing[0] == Span(1, history.rows[0].epoch - 1)


def test_an_object_holds_a_history_and_gives_it_back() -> None:
    history = after(page(range(1, 101), best=33), page(range(90, 96), attempt=2, began=71)).thinned_to(rows=60)
    kept = TrainingHistory.model_validate(
        json.loads(json.dumps(TrainingHistory.of(history, METADATA, NOW).to_json_object()))
    )
    assert kept.history() == history
    assert (kept.epochs, kept.attempt, kept.missing_epochs, kept.thinned, kept.every) == (95, 2, 18, True, 2)


def test_what_an_object_holds_can_be_read_with_gunzip() -> None:
    data = TrainingHistory.of(after(page(range(1, 3))), METADATA, NOW).data
    assert json.loads(gzip.decompress(base64.b64decode(data))) == {
        "epoch": [1, 2],
        "attempt": [1, 1],
        "step": [10, 20],
        "endedAt": [1769860800, 1769860800],
        "metrics": {"trainLoss": [0.5, 0.5]},
        "extra": {},
    }


def test_a_row_has_the_names_of_status_and_six_digits() -> None:
    metrics = EpochMetrics(
        epoch=3, train_loss=1 / 3, learning_rate=1e-3, seconds_per_epoch=1.5, extra={"perplexity": 1e300 / 3}
    )
    row = row_of(metrics, attempt=2, step=30, ended_at=NOW.timestamp() + 0.7)
    assert row.metrics == {"trainLoss": 0.333333, "learningRate": 0.001, "secondsPerEpoch": 1.5}
    assert (row.learning_rate, row.seconds, row.ended_at) == (0.001, 1.5, NOW)
    assert row.extra == {"perplexity": 3.33333e299}


def test_a_metric_that_is_not_always_measured_has_holes() -> None:
    several = (Row(1, metrics={"a": 1.0}), Row(2, extra={"b": 2.0}), Row(4, metrics={"a": 3.0}))
    assert Columns.unpacked(Columns.of(several).packed()).rows() == several


def test_of_names_without_end_the_most_frequent_stay() -> None:
    several = [Row(epoch, extra={"often": 1.0, f"once{epoch}": 1.0}) for epoch in range(1, 200)]
    columns = Columns.of(several)
    assert len(columns.extra) == NAMES_LIMIT
    assert None not in columns.extra["often"]


def packed(content: str) -> str:
    return base64.b64encode(gzip.compress(content.encode())).decode()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("no base64!", id="no base64"),
        pytest.param(base64.b64encode(b"no gzip").decode(), id="no gzip"),
        pytest.param(packed("[]"), id="no object"),
        pytest.param(
            packed('{"epoch": [1, 2], "attempt": [1, 1], "step": [1], "endedAt": [1, 1]}'), id="not equally long"
        ),
        pytest.param(
            packed('{"epoch": [1], "attempt": [1], "step": [1], "endedAt": [1e30]}'), id="after all calendars"
        ),
        pytest.param(
            packed('{"epoch": [1], "attempt": [1], "step": [1], "endedAt": [1], "metrics": {"a": [NaN]}}'), id="NaN"
        ),
        pytest.param(
            packed('{"epoch": [1], "attempt": [1], "step": [1], "endedAt": [1], "metrics": {"a": [1e999]}}'),
            id="infinite",
        ),
        pytest.param(
            packed('{"epoch": [2, 1], "attempt": [1, 1], "step": [1, 1], "endedAt": [1, 1]}'), id="in no order"
        ),
        pytest.param(packed('{"epoch": [0], "attempt": [1], "step": [1], "endedAt": [1]}'), id="an epoch 0"),
        pytest.param(
            packed('{"epoch": [1], "attempt": [1], "step": [1], "endedAt": [1], "extra": {"<b>": [1]}}'),
            id="a bad name",
        ),
        pytest.param(packed('{"epoch": ' + "[" * 100_000), id="too deep"),
        pytest.param(packed('{"x": "' + "0" * 40 * 1024**2 + '"}'), id="a bomb"),
        pytest.param(base64.b64encode(gzip.compress(b"{}")[:-4]).decode(), id="cut off"),
    ],
)
def test_what_is_no_history_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Columns.unpacked(text)


def test_sets_of_epochs() -> None:
    assert union((Span(1, 3), Span(7, 9)), (Span(4, 5),), (Span(8, 20),)) == (Span(1, 5), Span(7, 20))
    assert runs([5, 1, 2, 9, 3]) == (Span(1, 3), Span(5, 5), Span(9, 9))
    assert until((Span(1, 3), Span(5, 9)), 6) == (Span(1, 3), Span(5, 6))
    assert gaps((Span(2, 3), Span(5, 9)), 12) == (Span(1, 1), Span(4, 4), Span(10, 12))
    assert gaps((), 0) == ()


def said(words: str = "") -> TerminationMessage:
    return TerminationMessage(
        uid="u", attempt=1, node_rank=0, outcome=Outcome.CRASH, exit_code=1, message=words, time=NOW
    )


def left(message: TerminationMessage) -> tuple[HistoryPage | None, str]:
    """What the kubelet would show of it."""
    text = message.to_text()
    assert len(text.encode()) <= 4096
    read = parse_termination_message(text, "u", 1)
    assert read is not None
    return tail_of(read), read.message


def test_a_pod_leaves_its_newest_epochs() -> None:
    tail, _ = left(with_tail(said("no"), page(range(1, 6), best=3)))
    assert tail == page(range(1, 6), best=3)


@pytest.mark.parametrize("words", ["no", "x" * 1000], ids=["a short message", "a long message"])
def test_of_many_epochs_it_leaves_as_many_of_the_newest_as_fit(words: str) -> None:
    many = HistoryPage(uid="u", attempt=1, began=0, done=999, columns=Columns.of(unlike_each_other(range(1, 1000))))
    tail, message = left(with_tail(said(words), many))
    assert tail is not None
    epochs = tail.columns.epoch
    assert epochs == list(range(epochs[0], 1000))
    assert len(epochs) > 20
    assert message == words
    assert after(tail).missing == (Span(1, epochs[0] - 1),)


def unlike_each_other(epochs: range) -> list[Row]:
    luck = Random(1)
    return [Row(e, 1, 10 * e, NOW, {name: round(luck.random(), 6) for name in "abcdefgh"}) for e in epochs]


def test_where_no_epoch_fits_it_leaves_how_many_there_were() -> None:
    luck = Random(1)
    several = {f"metric-{number}": luck.random() for number in range(64)}
    columns = Columns.of([Row(9, 1, 90, NOW, several, several)])
    tail, _ = left(with_tail(said("\n" * 1500), HistoryPage(uid="u", attempt=1, began=0, done=9, columns=columns)))
    assert tail is not None
    assert (tail.done, tail.columns.epoch) == (9, [])


def test_where_nothing_fits_the_message_stays_whole() -> None:
    words = "\n" * 1950
    assert left(with_tail(said(words), page(range(1, 6)))) == (None, words)


@pytest.mark.parametrize(
    "history",
    ["", "no", packed("{}"), packed('{"uid": "other", "attempt": 1, "began": 0, "done": 2}')],
    ids=["empty", "no text of ours", "no page", "of another job"],
)
def test_a_tail_that_is_none_tells_nothing(history: str) -> None:
    assert tail_of(said().model_copy(update={"history": history})) is None
