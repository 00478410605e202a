"""Draw the boards from a Prometheus: python -m pictures --prometheus http://localhost:9090 --output pictures."""

import argparse
import time
from collections.abc import Mapping
from pathlib import Path

from pictures.board import boards, windows
from pictures.picture import draw
from pictures.prometheus import Prometheus
from pictures.view import Range, View

EVERY = {
    "datasource": "prometheus",
    "namespace": ".*",
    "training": ".*",
    "operator_namespace": ".*",
    "replica": ".*",
    "measure": "validation_loss",
}
"""A value for every variable."""


def main() -> None:
    options = _parser().parse_args()
    end = time.time()
    period = Range(end - options.minutes * 60, end, options.scrape)
    choices = {"namespace": options.namespace, "training": options.training}
    draw_all(Prometheus(options.prometheus), period, choices, {}, options.output)


def draw_all(
    prometheus: Prometheus,
    period: Range,
    choices: Mapping[str, str],
    by_board: Mapping[str, Mapping[str, str]],
    output: Path,
) -> None:
    """A picture of each board in the folder; choices are values of variables (regular expressions)."""
    for board in boards():
        mine = {**EVERY, **windows(period.step, period.end - period.start), **choices, **by_board.get(board.uid, {})}
        path = output / f"{board.uid}.png"
        draw(board, View(prometheus, period, mine), path)
        print(path)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m pictures", description=__doc__)
    made.add_argument("--prometheus", default="http://localhost:9090", help="its address")
    made.add_argument("--output", type=Path, default=Path("pictures"), help="folder for the pictures")
    made.add_argument("--namespace", default=".*", help="of the trainings (a regular expression)")
    made.add_argument("--training", default=".*", help="their names (a regular expression)")
    made.add_argument("--minutes", type=float, default=60, help="how far back")
    made.add_argument("--scrape", type=float, default=15, help="seconds between two scrapes")
    return made


if __name__ == "__main__":
    main()
