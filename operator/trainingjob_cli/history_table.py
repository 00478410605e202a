"""A history as a table of epochs, as csv, and several beside each other. Pure."""

import csv
import io
from collections.abc import Sequence

from trainingjob_cli.table import table
from trainingjob_cli.words import count, number
from trainingjob_client.history import JobHistory, value_of

TITLES = {
    "trainLoss": "TRAIN LOSS",
    "validationLoss": "VAL LOSS",
    "trainAccuracy": "TRAIN ACC",
    "validationAccuracy": "VAL ACC",
    "validationF1": "F1",
    "trainMae": "TRAIN MAE",
    "validationMae": "VAL MAE",
    "validationRmse": "RMSE",
    "validationR2": "R2",
    "learningRate": "RATE",
    "secondsPerEpoch": "SECONDS",
}
"""Of the table; `wide`, csv and json have everything."""
_HIGHER_IS_BETTER = ("accuracy", "precision", "recall", "f1", "rocauc", "r2")


def epoch_table(history: JobHistory, *, wide: bool = False, last: int | None = None) -> list[str]:
    """Lines, the titles first; a star stands at the best epoch."""
    measured = _measured(history)
    shown = measured if wide else [name for name in TITLES if name in measured]
    rows = history.rows if last is None else history.rows[len(history.rows) - min(last, len(history.rows)) :]
    titles = ["EPOCH", "ATTEMPT", "STEP", *(TITLES.get(name, name) for name in shown), ""]
    cells = [
        [
            str(row.epoch),
            _known(row.attempt),
            _known(row.step),
            *(number(value_of(row, name)) for name in shown),
            "*" if row.epoch == history.best else "",
        ]
        for row in rows
    ]
    return table(titles, cells, right=titles[:-1])


def remarks(history: JobHistory) -> list[str]:
    """What is to be known of what is not there."""
    said = []
    if history.missing:
        spans = ", ".join(
            f"{span.first}" if span.first == span.last else f"{span.first}-{span.last}" for span in history.missing[:5]
        )
        more = f" and {len(history.missing) - 5} more" if len(history.missing) > 5 else ""
        said.append(f"Nobody could tell of epochs {spans}{more}.")
    if history.thinned:
        said.append(f"Only every {history.kept.every}th epoch is kept, the best, the last, and where attempts began.")
    return said


def epoch_csv(history: JobHistory) -> list[str]:
    """Lines, with the names that status has."""
    rows = history.to_dicts()
    names = dict.fromkeys(["epoch", "attempt", "step", "endedAt", *(name for row in rows for name in row)])
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(names), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().splitlines()


def comparison(histories: Sequence[JobHistory], phases: Sequence[str]) -> list[str]:
    """A line for each job: how far it is, and its best value of everything that is measured."""
    shown = [name for name in TITLES if name not in ("learningRate", "secondsPerEpoch")]
    shown = [name for name in shown if any(name in history.metrics for history in histories)]
    titles = ["NAME", "PHASE", "EPOCHS", "BEST EPOCH", *(f"BEST {TITLES[name]}" for name in shown), "TIME"]
    rows = [
        [
            history.name,
            phase,
            str(history.rows[-1].epoch) if history.rows else "0",
            _known(history.best),
            *(number(best_of(history, name)) for name in shown),
            _time(history),
        ]
        for history, phase in zip(histories, phases, strict=True)
    ]
    return table(titles, rows)


def best_of(history: JobHistory, metric: str) -> float | None:
    """The highest or the lowest value, whichever is better."""
    values = history.series(metric)[1]
    if not values:
        return None
    return max(values) if metric.lower().endswith(_HIGHER_IS_BETTER) else min(values)


def summary(history: JobHistory) -> str:
    """Such as `100 epochs, 2 attempts, best at 42`."""
    last = history.rows[-1].epoch if history.rows else 0
    best = f", best at {history.best}" if history.best else ""
    return f"{count(last, 'epoch')}, {count(len(history.attempts), 'attempt')}{best}"


def _measured(history: JobHistory) -> list[str]:
    extra = dict.fromkeys(name for row in history.rows for name in row.extra)
    return [*history.metrics, *extra]


def _known(value: int | None) -> str:
    return "" if value is None else str(value)


def _time(history: JobHistory) -> str:
    """Of the epochs alone."""
    seconds = sum(row.seconds or 0.0 for row in history.rows)
    return f"{seconds:.1f}s" if seconds < 100 else f"{seconds / 60:.1f}m"
