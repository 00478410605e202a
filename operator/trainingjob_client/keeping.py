"""What becomes of the checkpoints when a job is deleted."""

import contextlib

from trainingjob_client.api import Api
from trainingjob_client.errors import NotFoundError, RefusedError
from trainingjob_client.job import Job
from trainingjob_client.resources import CLAIMS


async def decide_claim(api: Api, job: Job, keep: bool | None) -> str | None:
    """The claim to delete after the job, if any; one that is to stay is no longer the job's when this returns."""
    template = job.spec.checkpoint.volume.claim_template
    if keep is None:
        return None
    if template is None:
        if not keep:
            raise RefusedError(f"the checkpoints of {job.name} lie in {_place(job)}, which was not made for it")
        return None
    claim = job.status.volume_claim or f"{job.name}-checkpoints"
    if not keep:
        return claim
    if not template.retain:
        await _disown(api, job, claim)
    return None


async def delete_claim(api: Api, namespace: str, claim: str) -> None:
    with contextlib.suppress(NotFoundError):  # it has gone with the job
        await api.delete(CLAIMS, claim, namespace)


async def _disown(api: Api, job: Job, claim: str) -> None:
    """Nobody deletes a claim that has no owner."""
    with contextlib.suppress(NotFoundError):  # none was made yet
        found = await api.get(CLAIMS, claim, job.namespace)
        owners = [one for one in found["metadata"].get("ownerReferences") or [] if one["uid"] != job.uid]
        change = {
            "metadata": {"resourceVersion": found["metadata"]["resourceVersion"], "ownerReferences": owners or None}
        }
        await api.patch(CLAIMS, claim, change, job.namespace)


def _place(job: Job) -> str:
    name = job.spec.checkpoint.volume.claim_name
    return f"claim {name}" if name else "an emptyDir"
