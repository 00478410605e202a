"""A job's own folder in its claim: checkpoints, results, model."""

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from trainingjob_cli.claims import Entry, opened
from trainingjob_cli.table import table
from trainingjob_cli.words import since, size
from trainingjob_client import AsyncTrainingJobs, ClientError, Job
from trainingjob_client.places import Place, folder_of, model_of

REPORT = ("report.json", "curves.png", "history.jsonl")
_CHECKPOINT = re.compile(r"step-(\d+)\.(\d+)")


async def download(jobs: AsyncTrainingJobs, job: Job, what: str, to: Path, image: str) -> list[Entry]:
    """What there is of it (model, report, or all of the job's folder); ClientError when there is nothing."""
    model = model_of(job)
    folder, name = os.path.split(model.path)
    place = Place(model.claim, folder) if what == "model" else folder_of(job)
    names = {"model": [name], "report": REPORT}.get(what, ())
    async with opened(jobs.api, job.namespace, _claim_of(job, place), image, write=False) as files:
        there = await files.entries(place.path)
        wanted = [entry for entry in there if not names or entry.name in names]
        if not wanted:
            raise ClientError(f"{job.name} has no {' or '.join(names) or 'files'} yet ({job.phase})")
        await files.take(place.path, [entry.name for entry in wanted], to)
    return wanted


async def checkpoints(jobs: AsyncTrainingJobs, job: Job, image: str) -> list[Entry]:
    place = folder_of(job)
    async with opened(jobs.api, job.namespace, _claim_of(job, place), image, write=False) as files:
        there = await files.entries(place.path)
    return sorted((entry for entry in there if _CHECKPOINT.fullmatch(entry.name)), key=_step)


def _claim_of(job: Job, place: Place) -> str:
    if place.claim:
        return place.claim
    if job.model.checkpoint_claim is None:
        raise ClientError(f"{job.name} saves to an emptyDir, which ends with its pod: nothing can be taken out")
    raise ClientError(f"{place.path} of {job.name}'s pods is in no claim: nothing can be taken out")


def checkpoint_table(found: Sequence[Entry], now: datetime) -> list[str]:
    """Lines, the oldest step first."""
    rows = [
        [entry.name, *map(str, _step(entry)), size(entry.size), since(datetime.fromtimestamp(entry.changed, UTC), now)]
        for entry in found
    ]
    return table(("NAME", "STEP", "ATTEMPT", "SIZE", "AGE"), rows)


def _step(entry: Entry) -> tuple[int, int]:
    found = _CHECKPOINT.fullmatch(entry.name)
    return (int(found[1]), int(found[2])) if found else (0, 0)
