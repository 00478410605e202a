"""The log on a terminal: a line of a table for every epoch, and a bar below that shows where training is."""

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from trainer.board import Board
from trainingjob_api.progress import EpochMetrics, State

_WIDTHS = {"epoch": 9, "train loss": 11, "val. loss": 11, "train": 9, "val.": 9, "rate": 9, "seconds": 8}


class Terminal:
    """Reads the board a few times a second, so steps pay nothing for it."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._console = Console(highlight=False)
        self._has_header = False
        self._bar = _BoardBar(board, self._console)
        self._bar.start()

    def event(self, name: str, **fields: object) -> None:
        given = "  ".join(f"[dim]{key}[/] {value}" for key, value in fields.items() if value is not None)
        style = "bold red" if "fail" in name else "bold"
        self._console.print(f"[{style}]{name}[/]  {given}")

    def epoch(self, metrics: EpochMetrics, is_best: bool) -> None:
        if not self._has_header:
            self._console.print(Text("".join(name.rjust(width) for name, width in _WIDTHS.items()), style="dim"))
            self._has_header = True
        cells = zip(_cells(metrics, self._board.epochs), _WIDTHS.values(), strict=True)
        mark = Text(" ★", style="yellow") if is_best else Text("")
        self._console.print(Text("".join(cell.rjust(width) for cell, width in cells)) + mark)

    def close(self) -> None:
        self._bar.stop()


def _cells(metrics: EpochMetrics, epochs: int) -> list[str]:
    quality = (
        (_ratio(metrics.train_accuracy), _ratio(metrics.validation_accuracy))
        if metrics.train_accuracy is not None
        else (_number(metrics.train_mae), _number(metrics.validation_mae))
    )
    return [
        f"{metrics.epoch}/{epochs}",
        _number(metrics.train_loss),
        _number(metrics.validation_loss),
        *quality,
        _number(metrics.learning_rate),
        _number(metrics.seconds_per_epoch),
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


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
        for task in self.tasks:
            task.total, task.completed, task.description = board.steps, board.step, name
            task.fields["rest"] = left
        return super().get_renderable()


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"
