"""What becomes of the checkpoints when a job is deleted."""

import contextlib

from trainingjob_client.api import Api
from trainingjob_client.errors import NotFoundError, RefusedError
from trainingjob_client.job import Job
from trainingjob_client.resources import CLAIMS


async def decide_claim(api: Api, job: Job, keep: bool | None) -> str | None:
    """The claim to delete after the job, if any; one that is to stay is no longer the job's when this returns."""
    template, claim = job.spec.checkpoint.volume.claim_template, job.model.checkpoint_claim
    if keep is None:
        return None
    if template is None or claim is None:
        if not keep:
            place = f"claim {claim}" if claim else "an emptyDir"
            raise RefusedError(f"the checkpoints of {job.name} lie in {place}, which was not made for it")
        return None
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


def what_stays(job: Job, keep: bool | None) -> str:
    """Where checkpoints and model are once the job was deleted, in words."""
    template, claim = job.spec.checkpoint.volume.claim_template, job.model.checkpoint_claim
    if claim is None:
        return "Its emptyDir has gone with it."
    if template is None:
        return f"Checkpoints and model stay in claim {claim}."
    if not (template.retain if keep is None else keep):
        return f"Claim {claim} is deleted with it."
    return f"Checkpoints and model stay in claim {claim}, and a job of the same name goes on from them."
