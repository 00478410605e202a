"""Both sides of the comparison: the trainer with an example's manifest, and a plain script with the same rows."""

import base64
import gzip
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from tests.bench.trainer.harness import one_thread

from trainer.data.choices import Choices
from trainer.data.classes import as_read_at_once
from trainer.data.resident import parts_of
from trainer.data.split import Part
from trainingjob_api.resource import TrainingJob

EXAMPLES = Path(__file__).parents[3] / "deploy/examples"
PLAIN = Path(__file__).with_name("plain.py")
SECONDS = 900.0
Scores = dict[str, float]
"""Measured on the test rows; `epochs` were trained, and the weights are those of `bestEpoch`."""


@dataclass(frozen=True)
class Example:
    """A manifest that brings its data along."""

    name: str
    metrics: tuple[str, ...]

    def documents(self, seed: int) -> list[dict[str, Any]]:
        """The ConfigMap and the TrainingJob, in which nothing but the seed is changed."""
        config_map, job = yaml.safe_load_all((EXAMPLES / f"{self.name}.yaml").read_text())
        job["spec"]["training"]["seed"] = seed
        return [config_map, job]


CLASSES, NUMBERS = ("accuracy", "loss"), ("mae", "rmse")
ALL = (
    Example("digits", CLASSES),
    Example("diabetes", NUMBERS),
    Example("digits-cnn", CLASSES),
    Example("el-nino", NUMBERS),
)


def train(example: Example, seed: int, folder: Path) -> Scores:
    """By `trainer --config`."""
    manifest = folder / "job.yaml"
    manifest.write_text(yaml.safe_dump_all(example.documents(seed)))
    _finished(["-m", "trainer", "--config", str(manifest), "--checkpoints", str(folder / "run")], folder)
    report = json.loads((folder / "run/default" / example.name / "report.json").read_text())
    return {**report["test"], "epochs": report["epochs"], "bestEpoch": report["best"]["epoch"]}


def train_plainly(example: Example, seed: int, folder: Path) -> Scores:
    """By plain.py, on the same rows."""
    config_map, job = example.documents(seed)
    write_rows(config_map["binaryData"], TrainingJob.model_validate(job), folder)
    recipe = json.dumps(job["spec"]["training"])
    scores: Scores = json.loads(_finished([str(PLAIN), recipe, str(folder), str(seed)], folder).splitlines()[-1])
    return scores


def write_rows(files: dict[str, str], job: TrainingJob, folder: Path) -> None:
    """train.csv, validation.csv and test.csv, with the rows held back that the trainer holds back."""
    unpacked = {name: gzip.decompress(base64.b64decode(text)).decode() for name, text in files.items()}
    header, *lines = unpacked["train.csv.gz"].splitlines()
    recipe = job.spec.training
    assert recipe is not None
    place = header.split(",").index(recipe.data.target or "")
    targets = as_read_at_once(pa.array([line.split(",")[place] for line in lines])).to_numpy(zero_copy_only=False)
    classes = (
        np.unique(targets, return_inverse=True)[1] if recipe.task == "classification" else np.zeros(len(lines), int)
    )
    parts = parts_of(recipe.data, classes, recipe.seed, Choices(), "train.csv")
    for name, wanted in (("train", Part.TRAINING), ("validation", Part.VALIDATION)):
        chosen = [line for line, part in zip(lines, parts, strict=True) if part == wanted]
        if recipe.data.sequence and wanted != Part.TRAINING:  # the first windows look back over the cut
            reach = recipe.data.sequence.length + recipe.data.sequence.horizon - 1
            chosen = lines[-len(chosen) - reach :]
        (folder / f"{name}.csv").write_text("\n".join([header, *chosen, ""]))
    (folder / "test.csv").write_text(unpacked["test.csv.gz"])


def _finished(arguments: list[str], folder: Path) -> str:
    """What a Python program said, once it has ended well."""
    environment = {**os.environ, **one_thread(), "TMPDIR": str(folder)}
    ended = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, cwd=folder, timeout=SECONDS
    )
    if ended.returncode:
        raise RuntimeError(f"{arguments[:2]} ended with {ended.returncode}: {(ended.stdout + ended.stderr)[-2000:]}")
    return ended.stdout
