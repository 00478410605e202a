"""Compares the trainer with what people would use instead: python -m tests.bench.trainer, or make bench ARGS=..."""

import argparse
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.bench.trainer.harness import Comparison, judge, take_turns
from tests.bench.trainer.report import as_json, machine, tables
from tests.bench.trainer.rows import COMPARISONS


def main() -> None:
    options = _parser().parse_args()
    chosen = [each for each in COMPARISONS if not options.only or any(name in each.name for name in options.only)]
    console = Console(width=None if sys.stdout.isatty() else 110)
    if options.list:
        for each in chosen:
            console.print(f"[bold]{each.name}[/]: {each.what}")
        return
    results: list[dict[str, Any]] = []
    for comparison in chosen:
        results += _measure(comparison, options.repeats, console)
        document = {"machine": machine(), "repeats": options.repeats, "results": results}
        options.json.write_text(json.dumps(document, indent=1) + "\n")
    for shown in tables(results):
        console.print(shown)
    for each in chosen:
        if each.advice:
            console.print(f"[bold]{each.name}[/]: {each.advice}")
    console.print(f"written to {options.json}")


def _measure(comparison: Comparison, repeats: int, console: Console) -> list[dict[str, Any]]:
    if reason := comparison.missing():
        return [{"name": comparison.name, "what": comparison.what, "missing": reason}]
    load = os.getloadavg()[0]
    scratch = Path(tempfile.mkdtemp(prefix="bench-"))
    try:
        with console.status(comparison.name) as status:
            runs = take_turns(comparison, repeats, scratch, status.update)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return [as_json(comparison, verdict, load) for verdict in judge(comparison, runs)]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tests.bench.trainer", description=__doc__)
    parser.add_argument("--only", action="append", metavar="NAME", help="comparisons with this in their name")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="rounds that count (default: 5)")
    parser.add_argument("--list", action="store_true", help="show what there is")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), metavar="FILE", help="default: bench.json")
    return parser


main()
