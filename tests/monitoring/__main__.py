"""Plays the scenario, and draws the boards from what its Prometheus has seen: make board-pictures."""

import argparse
import os
import signal
import tempfile
import threading
from pathlib import Path

from monitoring.scenario import NAMESPACE, Scenario, play, started
from pictures.__main__ import draw_all
from pictures.view import Range

ROOT = Path(__file__).parents[2]
SCRAPE_SECONDS = 5
"""More often than is shipped: what takes a night elsewhere is over in minutes here."""
EPOCHS = 1200
"""That each training is asked for; none gets there."""
BEFORE = 15
"""Seconds that are shown of the time before the first training."""
TRAINING, COMPARED = "digits-paused", "digits|digits-(again|crashes|paused|queued|two-pods)"


def main() -> None:
    options = _parser().parse_args()
    os.chdir(ROOT)
    for number in (signal.SIGINT, signal.SIGTERM):  # in the background a shell lets the first be ignored
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as folder, started(Path(folder), options.scrape) as scenario:
        play(scenario, EPOCHS)
        draw(scenario, options.output)
        if options.keep:
            print(f"{scenario.prometheus.address} and {scenario.cluster.kubeconfig} until Ctrl-C")
            print(scenario.moments, scenario.uids, flush=True)
            threading.Event().wait()


def draw(scenario: Scenario, output: Path) -> None:
    period = Range(scenario.moments["submitted"] - BEFORE, scenario.moments["over"], scenario.scrape_seconds)
    choices = {"namespace": NAMESPACE, "training": TRAINING}
    draw_all(scenario.prometheus, period, choices, {"trainingjob-compare": {"training": COMPARED}}, output)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m monitoring", description=__doc__)
    made.add_argument("--output", type=Path, default=Path("docs/images"), help="folder for the pictures")
    made.add_argument("--scrape", type=int, default=SCRAPE_SECONDS, help="seconds between two scrapes")
    made.add_argument("--keep", action="store_true", help="leave everything running until Ctrl-C")
    return made


if __name__ == "__main__":
    main()
