"""Compares what the trainer reaches with what a plain PyTorch script does: python -m tests.bench.accuracy."""

import argparse
import json
import tempfile
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from tests.bench.accuracy.judging import LEVEL, Verdict
from tests.bench.accuracy.sides import ALL, Example, train, train_plainly
from tests.bench.trainer.report import machine

COLUMNS = (
    "data\nmetric",
    "seeds",
    "trainer",
    "plain\nPyTorch",
    "difference\n95 % from\nto",
    "largest",
    "p Welch\npaired",
)
SIDES = {"trainer": train, "plain": train_plainly}


def main() -> None:
    options = _parser().parse_args()
    chosen = [each for each in ALL if not options.only or each.name in options.only]
    console = Console()
    runs: list[dict[str, Any]] = []
    for example, seed in product(chosen, range(1, options.seeds + 1)):
        with console.status(f"{example.name}, seed {seed} of {options.seeds}"):
            runs.append({"name": example.name, "seed": seed, **_scores(example, seed)})
        results = judge(chosen, runs)
        document = {"machine": machine(), "results": results, "runs": runs}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    console.print(table(results))
    console.print(f"written to {options.json}")


def _scores(example: Example, seed: int) -> dict[str, dict[str, float]]:
    scores = {}
    for name, side in SIDES.items():
        with tempfile.TemporaryDirectory(prefix="accuracy-") as folder:
            scores[name] = side(example, seed, Path(folder))
    return scores


def judge(examples: Sequence[Example], runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One result for each metric of the examples that have been trained twice at least."""
    trained = {each: [run for run in runs if run["name"] == each.name] for each in examples}
    return [_result(each.name, metric, own) for each, own in trained.items() if len(own) > 1 for metric in each.metrics]


def _result(name: str, metric: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    ours, theirs = ([run[side][metric] for run in runs] for side in SIDES)
    verdict = Verdict(ours, theirs)
    return {
        "name": name,
        "metric": metric,
        "seeds": len(runs),
        "trainer": {"mean": mean(ours), "deviation": stdev(ours)},
        "plain": {"mean": mean(theirs), "deviation": stdev(theirs)},
        "difference": mean(verdict.differences),
        "interval": verdict.interval,
        "largest": verdict.largest,
        "welch": verdict.welch,
        "paired": verdict.paired,
        "same": verdict.is_same,
    }


def table(results: Sequence[dict[str, Any]]) -> Table:
    title = "On the test rows: mean ± standard deviation over the seeds"
    shown = Table(title=title, title_justify="left", box=SIMPLE, collapse_padding=True)
    shown.caption = f"the same within noise: neither t-test has a p below {LEVEL}"
    for name in (*COLUMNS, "same"):
        shown.add_column(name, no_wrap=True)
    for result in results:
        low, high = result["interval"]
        shown.add_row(
            f"{result['name']}\n{result['metric']}",
            str(result["seeds"]),
            *(_spread(result[side]) for side in SIDES),
            f"{result['difference']:+.4f}\n{low:+.4f}\n{high:+.4f}",
            f"{result['largest']:+.4f}",
            f"{result['welch']:.3f}\n{result['paired']:.3f}",
            "yes" if result["same"] else "[red]no[/]",
        )
    return shown


def _spread(side: dict[str, float]) -> str:
    return f"{side['mean']:.4f}\n± {side['deviation']:.4f}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.bench.accuracy", description=__doc__)
    names = [each.name for each in ALL]
    parser.add_argument("--only", action="append", choices=names, metavar="NAME", help=f"one of {', '.join(names)}")
    parser.add_argument("--seeds", type=_several, default=5, metavar="N", help="trainings of each side (default: 5)")
    parser.add_argument("--json", type=Path, default=Path("results.json"), metavar="FILE", help="default: results.json")
    return parser


def _several(text: str) -> int:
    if (number := int(text)) < 2:
        raise argparse.ArgumentTypeError("a deviation needs two")
    return number


main()
