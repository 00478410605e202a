"""`trainer compare`: one manifest trained in several variants, then one table and one picture of them all."""

import csv
import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from trainer.checkpoint.files import replace
from trainer.config import Launch
from trainer.errors import UserError
from trainer.kubectl_yaml import documents_in, parse
from trainer.pod.supervisor import supervise
from trainer.reporting.history import History
from trainingjob_api.progress import EpochMetrics, Outcome, TerminationMessage
from trainingjob_api.spec.training import Training

_COLUMNS: dict[str, Callable[["Result"], float | None]] = {
    "train loss": lambda result: result.kept.train_loss,
    "validation loss": lambda result: result.kept.validation_loss,
    "validation accuracy": lambda result: result.kept.validation_accuracy,
    "validation MAE": lambda result: result.kept.validation_mae,
    "test loss": lambda result: result.of_test("loss"),
    "test accuracy": lambda result: result.of_test("accuracy"),
    "test MAE": lambda result: result.of_test("mae"),
    "seconds": lambda result: sum(epoch.seconds_per_epoch or 0.0 for epoch in result.epochs),
}
_THE_MORE_THE_BETTER = ("accuracy",)


@dataclass(frozen=True)
class Variant:
    """A name, and what differs from the manifest's spec.training (as a JSON merge patch)."""

    name: str
    changes: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """Its name, fit for a file system. Two names may become one; what is below tells their recipes apart."""
        return "".join(letter if letter.isalnum() or letter in "-_=.," else "-" for letter in self.name)


@dataclass(frozen=True)
class Result:
    """One variant's training."""

    name: str
    folder: Path
    """Where its report and its model lie."""
    message: TerminationMessage
    epochs: Sequence[EpochMetrics]
    keeps_best: bool = True

    @property
    def kept(self) -> EpochMetrics:
        """The epoch whose weights were kept; an empty one if there is none."""
        progress = self.message.progress
        return (progress and (progress.best if self.keeps_best else progress.latest)) or EpochMetrics(epoch=0)

    def of_test(self, name: str) -> float | None:
        test = self.message.progress.test if self.message.progress else None
        value: float | None = getattr(test, name) if test else None
        return value

    @property
    def has_finished(self) -> bool:
        return self.message.outcome in (Outcome.COMPLETED, Outcome.EARLY_STOPPED, Outcome.ALREADY_COMPLETED)


def variants_varied(texts: Sequence[str]) -> list[Variant]:
    """`model.activation=relu,tanh` -> two variants; several texts -> all combinations."""
    axes = [_axis(text) for text in texts]
    return [
        Variant(", ".join(f"{path.rpartition('.')[2]}={value}" for path, value in combination), _patch(combination))
        for combination in product(*axes)
    ]


def variants_in(path: Path) -> list[Variant]:
    """A YAML file: name -> what differs in spec.training."""
    documents = documents_in(path)
    content = documents[0] if len(documents) == 1 else None
    if not isinstance(content, dict) or not all(isinstance(changes, dict) for changes in content.values()):
        raise UserError(f"{path}: what is needed is `name: {{field of spec.training: value, ...}}` for each variant")
    return [Variant(str(name), changes) for name, changes in content.items()]


def _axis(text: str) -> list[tuple[str, Any]]:
    path, separator, values = text.partition("=")
    if not separator or not path or not values:
        raise UserError(f"--vary {text}: what is needed is FIELD=VALUE,VALUE such as model.activation=relu,tanh")
    try:
        return [(path, value) for value in parse(f"[{values}]")[0]]
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"--vary {text}: the values are not YAML: {error}") from error


def _patch(combination: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for path, value in combination:
        nested: Any = value
        for name in reversed(path.split(".")):
            nested = {name: nested}
        patch = _joined(patch, nested)
    return patch


def _joined(patch: Any, more: Mapping[str, Any]) -> dict[str, Any]:
    """Two patches as one. Unlike in a patch's target, null stays: it has yet to remove a field of the manifest."""
    result = dict(patch) if isinstance(patch, Mapping) else {}
    for key, value in more.items():
        result[key] = _joined(result.get(key), value) if isinstance(value, Mapping) else value
    return result


def compare(variants: Sequence[Variant], launch_of: Callable[[Variant], Launch], output: Path) -> int:
    """Trains one after the other and writes the comparison; returns an exit code.

    Every variant has a folder of its own: whoever stops and starts again goes on, and what is done is not done again.
    One whose recipe was changed since has another folder, and begins there.
    """
    console = Console(width=None if sys.stdout.isatty() else 140)
    launches = {variant.name: launch_of(variant) for variant in variants}  # all are valid, or none
    if len(launches) < max(2, len(variants)):
        raise UserError("at least two variants are needed, each with a name of its own")
    results = []
    for number, (name, launch) in enumerate(launches.items(), start=1):
        console.rule(f"{number}/{len(launches)}  {escape(name)}", align="left")
        message = supervise(launch)
        if message.outcome in (Outcome.STOPPED, Outcome.NOT_SAVED):
            console.print(f"paused in {name}; the same command goes on from there", markup=False)
            return message.exit_code
        console.print(f"{message.outcome}: {message.message}", highlight=False, markup=False)
        folder = Path(launch.run.checkpoint_path)
        results.append(Result(name, folder, message, History(folder).epochs(), launch.run.recipe.keeps_best))
    _write(results, next(iter(launches.values())).run.recipe, output)
    console.print(results_table(results))
    console.print(
        f"{output}/comparison.png, comparison.csv and comparison.json; the csv names each variant's folder",
        markup=False,
    )
    return 0 if all(result.has_finished for result in results) else 1


def _write(results: Sequence[Result], recipe: Training, output: Path) -> None:
    from trainer.reporting.comparison_plot import (
        draw_comparison,  # matplotlib takes half a second that only the end needs
    )

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["variant", "outcome", "epochs", "best epoch", *_shown(results), "folder"])
    for result in results:
        cells = [*(get(result) for get in _shown(results).values()), result.folder]
        writer.writerow([result.name, result.message.outcome, len(result.epochs), result.kept.epoch, *cells])
    replace(output / "comparison.csv", text.getvalue().encode())
    document = {result.name: json.loads(result.message.to_text()) for result in results}
    replace(output / "comparison.json", json.dumps(document, indent=1).encode() + b"\n")
    draw_comparison({result.name: result.epochs for result in results}, recipe.task, output / "comparison.png")


def _shown(results: Sequence[Result]) -> dict[str, Callable[[Result], float | None]]:
    """The columns in which there is something to see."""
    return {name: get for name, get in _COLUMNS.items() if any(get(result) is not None for result in results)}


def results_table(results: Sequence[Result]) -> Table:
    """One row for each variant; the best of every column stands out."""
    table = Table(box=None, padding=(0, 2), header_style="dim")
    table.add_column("variant", vertical="bottom")
    columns = _shown(results)
    for name in ("epochs", "best", *columns):
        table.add_column(name.replace(" ", "\n"), justify="right", no_wrap=True, vertical="bottom")
    best = {name: _best(name, [get(result) for result in results]) for name, get in columns.items()}
    for result in results:
        cells = [_cell(name, get(result), best[name]) for name, get in columns.items()]
        outcome = "" if result.has_finished else f" [red]{result.message.outcome}[/]"
        table.add_row(escape(result.name) + outcome, str(len(result.epochs)), str(result.kept.epoch), *cells)
    return table


def _best(name: str, values: Sequence[float | None]) -> float | None:
    given = [value for value in values if value is not None]
    return max(given) if name.endswith(_THE_MORE_THE_BETTER) else min(given)


def _cell(name: str, value: float | None, best: float | None) -> str:
    if value is None:
        return "–"
    text = f"{value:.2%}" if name.endswith("accuracy") else f"{value:.1f}" if name == "seconds" else f"{value:.4g}"
    return f"[bold green]{text}[/]" if value == best else text
