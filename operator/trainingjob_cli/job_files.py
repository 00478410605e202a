"""A job's own folder in its claim: checkpoints, results, model."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from trainingjob_cli.claims import Entry, opened
from trainingjob_cli.table import table
from trainingjob_cli.words import since, size
from trainingjob_client import AsyncTrainingJobs, ClientError, Job

WHAT = {
    "model": ["model"],
    "report": ["report.json", "curves.png", "history.jsonl"],
    "all": [],
}
"""Names below the folder; of `all` everything."""
_CHECKPOINT = re.compile(r"step-(\d+)\.(\d+)")


def claim_of(job: Job) -> str:
    """ClientError when there is none."""
    volume = job.spec.checkpoint.volume
    claim = job.status.volume_claim or volume.claim_name
    if claim:
        return claim
    if volume.claim_template is None:
        raise ClientError(f"{job.name} saves to an emptyDir, which ends with its pod: nothing can be taken out")
    raise ClientError(f"{job.name} has no claim yet ({job.phase})")


async def download(jobs: AsyncTrainingJobs, job: Job, what: str, to: Path, image: str) -> list[Entry]:
    """What there is of it; ClientError when there is nothing."""
    folder = job.model.checkpoint_folder
    async with opened(jobs.api, job.namespace, claim_of(job), image, write=False) as files:
        there = await files.entries(folder)
        wanted = [entry for entry in there if not WHAT[what] or entry.name in WHAT[what]]
        if not wanted:
            raise ClientError(f"{job.name} has no {' or '.join(WHAT[what]) or 'files'} yet ({job.phase})")
        await files.take(folder, [entry.name for entry in wanted], to)
    return wanted


async def checkpoints(jobs: AsyncTrainingJobs, job: Job, image: str) -> list[Entry]:
    async with opened(jobs.api, job.namespace, claim_of(job), image, write=False) as files:
        there = await files.entries(job.model.checkpoint_folder)
    return sorted((entry for entry in there if _CHECKPOINT.fullmatch(entry.name)), key=_step)


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
