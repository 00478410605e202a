"""The log on a terminal: a line of a table for every epoch, a bar that shows where training is, and its curves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from trainer.reporting.board import Board
from trainer.reporting.history import History
from trainer.reporting.sparkline import sparkline
from trainingjob_api.progress import EpochMetrics, Finishing, State


@dataclass(frozen=True)
class Column:
    """One measure of an epoch; where a line is too short, those of the highest rank are left out first."""

    title: str
    value: Callable[[EpochMetrics], float | None]
    form: str = ".4g"
    rank: int = 0
    least: int = 7

    @property
    def width(self) -> int:
        return max(self.least, len(self.title)) + 2

    def shown(self, value: float | None) -> str:
        return "–" if value is None else format(value, self.form)


class Terminal:
    """Reads the board a few times a second, so steps pay nothing for it."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._console = Console(highlight=False)
        self._columns: list[Column] = []
        self._bar = _BoardBar(board, self._console)
        self._bar.start()

    def event(self, name: str, **fields: object) -> None:
        given = "  ".join(
            f"[dim]{key}[/] {escape(_shown(value))}" for key, value in fields.items() if value is not None
        )
        style = "bold red" if "fail" in name else "bold"
        self._console.print(f"[{style}]{name}[/]  {given}")

    def epoch(self, metrics: EpochMetrics, is_best: bool) -> None:
        if not self._columns:
            self._columns = columns_for(metrics, self._console.width - len(_MARK))
            titles = ("epoch".rjust(_EPOCH_WIDTH), *(column.title.rjust(column.width) for column in self._columns))
            self._console.print(Text("".join(titles), style="dim"))
        number = f"{metrics.epoch}/{self._board.epochs}".rjust(_EPOCH_WIDTH)
        cells = (column.shown(column.value(metrics)).rjust(column.width) for column in self._columns)
        mark = Text(_MARK, style="yellow") if is_best else Text("")
        self._console.print(Text("".join((number, *cells))) + mark)

    def finishing(self, finishing: Finishing) -> None:
        """The bar shows it."""

    def close(self) -> None:
        self._bar.stop()
        self._draw(History(Path(self._board.run.checkpoint_path)).epochs())

    def _draw(self, epochs: Sequence[EpochMetrics]) -> None:
        """The curves of all attempts, if there are any."""
        for column in self._columns:
            values = [value for epoch in epochs if (value := column.value(epoch)) is not None]
            if len(values) < 2 or column.title == "seconds":
                continue
            ends = f"  {column.shown(values[0])} → {column.shown(values[-1])}"
            title = column.title.rjust(_TITLE_WIDTH)
            room = self._console.width - len(title) - 2 - len(ends)
            self._console.print(Text.assemble((title, "dim"), "  ", sparkline(values, room), (ends, "dim")))


def columns_for(metrics: EpochMetrics, width: int) -> list[Column]:
    """Those that a first epoch has values for, as many as fit into a line of so many characters."""
    extra = [Column(name, _extra(name), rank=9) for name in metrics.extra or {}]
    columns = [column for column in (*_COLUMNS, *extra) if column.value(metrics) is not None]
    while columns and _EPOCH_WIDTH + sum(column.width for column in columns) > width:
        highest = max(column.rank for column in columns)
        del columns[max(place for place, column in enumerate(columns) if column.rank == highest)]
    return columns


def _extra(name: str) -> Callable[[EpochMetrics], float | None]:
    return lambda metrics: (metrics.extra or {}).get(name)


_MARK = " ★"
_EPOCH_WIDTH = 9
_TITLE_WIDTH = 10
_COLUMNS = (
    Column("train loss", attrgetter("train_loss")),
    Column("val. loss", attrgetter("validation_loss")),
    Column("train acc.", attrgetter("train_accuracy"), ".1%", rank=1),
    Column("val. acc.", attrgetter("validation_accuracy"), ".1%"),
    Column("F1", attrgetter("validation_f1"), ".1%", rank=3, least=6),
    Column("ROC AUC", attrgetter("validation_roc_auc"), rank=4),
    Column("train MAE", attrgetter("train_mae"), rank=1, least=9),
    Column("val. MAE", attrgetter("validation_mae"), least=9),
    Column("RMSE", attrgetter("validation_rmse"), rank=3, least=9),
    Column("R²", attrgetter("validation_r2"), rank=4),
    Column("rate", attrgetter("learning_rate"), rank=5, least=8),
    Column("seconds", attrgetter("seconds_per_epoch"), rank=2),
)


class _BoardBar(Progress):
    """A bar whose position is looked up at each refresh instead of being pushed."""

    def __init__(self, board: Board, console: Console) -> None:
        self._board = board
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[rest]}"),
            TimeElapsedColumn(),
        )
        super().__init__(*columns, console=console, transient=True, refresh_per_second=4)
        self._task = self.add_task("starting", total=None, rest="")

    def get_renderable(self) -> RenderableType:
        board = self._board
        remaining = board.seconds_remaining
        left = f"about {_duration(remaining)} left" if remaining is not None else ""
        name = board.state.value if board.state is not State.TRAINING else f"epoch {board.epoch + 1}"
        if finishing := board.agenda.shown:
            name = str(finishing)
        for task in self.tasks:
            task.total, task.completed, task.description = board.steps, board.step, name
            task.fields["rest"] = left
        return super().get_renderable()


def _shown(value: object) -> str:
    return format(value, ".4g") if isinstance(value, float) else str(value)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
