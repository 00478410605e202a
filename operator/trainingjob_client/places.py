"""Where what a training leaves behind lies: in which claim, and where in it. Pure."""

from dataclasses import dataclass

from trainingjob_api.contract import CHECKPOINT_PATH, OUTPUT_FOLDER
from trainingjob_client.job import Job


@dataclass(frozen=True)
class Place:
    """A file or a folder."""

    claim: str | None
    """None: it lies in no claim, such as in an emptyDir."""
    path: str
    """From the claim's root; without a claim as the job's pods see it."""

    def below(self, name: str) -> "Place":
        return Place(self.claim, f"{self.path}/{name}")


def folder_of(job: Job) -> Place:
    """The job's own folder: checkpoints, report, history, curves."""
    return _place(job, CHECKPOINT_PATH)


def model_of(job: Job) -> Place:
    """The folder of the finished model; of a program of one's own that in which it has written."""
    training = job.spec.training
    if training is None:
        return folder_of(job).below(OUTPUT_FOLDER)
    asked = training.export.path if training.export else None
    return _place(job, asked) if asked else folder_of(job).below("model")


def _place(job: Job, path: str) -> Place:
    """Of a path in the job's pods: the innermost mount has it."""
    mounts = {CHECKPOINT_PATH: _checkpoints(job), **_mounts(job)}
    around = [mount for mount in mounts if path == mount or path.startswith(f"{mount}/")]
    if not around:
        return Place(None, path)
    innermost = max(around, key=len)
    claim, root = mounts[innermost]
    return Place(claim, f"{root}{path.removeprefix(innermost)}".strip("/")) if claim else Place(None, path)


def _checkpoints(job: Job) -> tuple[str | None, str]:
    return job.model.checkpoint_claim, job.model.checkpoint_folder


def _mounts(job: Job) -> dict[str, tuple[str | None, str]]:
    """Path of each mount -> its claim, if it is one, and the folder of that."""
    claims = {
        volume.name: volume.persistent_volume_claim.claim_name
        for volume in job.spec.pod.volumes or ()
        if volume.persistent_volume_claim
    }
    return {
        mount.mount_path.rstrip("/"): (claims.get(mount.name), mount.sub_path or "")
        for mount in job.spec.pod.volume_mounts or ()
    }
