"""What `submit` does once its command line is read."""

import asyncio
import sys
from pathlib import Path
from typing import Any

from trainingjob_cli.exits import ExitCode
from trainingjob_cli.packing import Program, Wanted, manifests
from trainingjob_cli.program import program as this_program
from trainingjob_client import AsyncTrainingJobs, Job
from trainingjob_client.manifest import Given
from trainingjob_client.resources import CONFIG_MAPS

Raw = dict[str, Any]


async def submit_file(jobs: AsyncTrainingJobs, file: str, *, dry_run: bool) -> Job:
    """`-` is standard input."""
    given: Given = sys.stdin.read() + "\n" if file == "-" else Path(file)
    return _told(await jobs.submit(given, dry_run=dry_run), dry_run)


async def submit_program(jobs: AsyncTrainingJobs, packed: Program, name: str, wanted: Wanted, *, dry_run: bool) -> Job:
    """The program's files are deleted with the job."""
    config_map, manifest = manifests(packed, name, wanted)
    await jobs.submit(manifest, dry_run=True)
    await jobs.api.apply(CONFIG_MAPS, config_map, jobs.namespace, dry_run=dry_run)
    job = await jobs.submit(manifest, dry_run=dry_run)
    if not dry_run:
        await _own(jobs, job, config_map["metadata"]["name"])
    return _told(job, dry_run)


async def _own(jobs: AsyncTrainingJobs, job: Job, config_map: str) -> None:
    owner = {"apiVersion": job.raw["apiVersion"], "kind": job.raw["kind"], "name": job.name, "uid": job.uid}
    change = {"metadata": {"ownerReferences": [owner]}}
    await jobs.api.patch(CONFIG_MAPS, config_map, change, job.namespace)


def _told(job: Job, dry_run: bool) -> Job:
    print(f"{job.name} is {'in order (nothing was made)' if dry_run else 'made'}", file=sys.stderr)
    return job


async def follow_log(jobs: AsyncTrainingJobs, name: str) -> int:
    """The log of rank 0 to the end of the training, and how it ended."""
    try:
        async for line in jobs.logs(name, follow=True):
            print(line, flush=True)
        job = await jobs.wait(name, until="ended")
    except asyncio.CancelledError:
        print(f"\n{name} goes on; follow it again: {this_program()} logs {name} -f", file=sys.stderr)
        raise
    print(f"{name} {job.phase}. {job.message}", file=sys.stderr)
    return ExitCode.DONE if job.has_succeeded else ExitCode.JOB_FAILED
