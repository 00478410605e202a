"""What stays of a job that is deleted, in words. Pure."""

from trainingjob_client.job import Job


def what_stays(job: Job, keep: bool | None) -> str:
    """Where checkpoints and model are afterwards."""
    volume = job.spec.checkpoint.volume
    if volume.claim_name:
        return f"Checkpoints and model stay in claim {volume.claim_name}."
    if volume.claim_template is None:
        return "Its emptyDir has gone with it."
    claim = job.status.volume_claim or f"{job.name}-checkpoints"
    if keep is False or (keep is None and not volume.claim_template.retain):
        return f"Claim {claim} is deleted with it."
    return f"Checkpoints and model stay in claim {claim}, and a job of the same name goes on from them."
