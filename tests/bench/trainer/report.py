"""What comes out: a table for people, JSON for programs, both with the machine that it was measured on."""

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from rich.table import Table
from tests.bench.trainer.harness import Comparison, Verdict


def machine() -> dict[str, Any]:
    import torch

    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def tables(results: Sequence[dict[str, Any]]) -> list[Table | str]:
    """One for each comparison."""
    return [_table(list(rows)) for _, rows in groupby(results, key=lambda result: result["name"])]


def _table(rows: list[dict[str, Any]]) -> Table | str:
    first = rows[0]
    if "missing" in first:
        return f"{first['name']}: {first['what']}: not measured, {first['missing']}"
    shown = Table(title=f"{first['name']}: {first['what']}", title_justify="left", caption_justify="left")
    shown.caption = f"{first['unit']}; ours {first['ours']:.4g}; load before it {first['load']:.1f}"
    for name in ("against", "theirs", "ours / theirs", "lowest to highest", "aim", "same work"):
        shown.add_column(name, no_wrap=True)
    for row in rows:
        shown.add_row(*_cells(row))
    return shown


def _cells(row: dict[str, Any]) -> list[str]:
    ratios, sign = row["ratios"], "≥" if row["better"] == "more" else "≤"
    return [
        row["against"],
        f"{row['theirs']:.4g}",
        f"[{'green' if row['reached'] else 'red'}]{row['ratio']:.3f}[/]",
        f"{min(ratios):.3f} to {max(ratios):.3f}",
        f"{sign} {row['aim']:g}",
        {None: "", True: "yes", False: f"[red]no: {row['lossDifference']}[/]"}[row["sameWork"]],
    ]


def as_json(comparison: Comparison, verdict: Verdict, load: float) -> dict[str, Any]:
    """load: of the machine over the minute before, processes waiting or running."""
    return {
        "name": comparison.name,
        "what": comparison.what,
        "against": verdict.rival.name,
        "unit": comparison.unit,
        "better": comparison.better,
        "ours": verdict.ours,
        "theirs": verdict.theirs,
        "ratio": verdict.ratio,
        "ratios": verdict.ratios,
        "aim": verdict.rival.aim,
        "reached": verdict.is_reached(comparison),
        "sameWork": None if verdict.loss_difference is None else verdict.is_same_work(comparison),
        "lossDifference": verdict.loss_difference,
        "load": load,
    }
