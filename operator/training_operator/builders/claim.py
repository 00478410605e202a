"""The claim for checkpoints that `checkpoint.volume.claimTemplate` asks for."""

from training_operator.builders.metadata import Manifest, metadata
from trainingjob_api.contract import own_claim_name
from trainingjob_api.resource import TrainingJob
from trainingjob_api.spec import ClaimTemplate


def build_claim(job: TrainingJob, template: ClaimTemplate) -> Manifest:
    """With the TrainingJob as its owner only if it shall go with it."""
    storage_class = {"storageClassName": template.storage_class_name} if template.storage_class_name else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": metadata(job, own_claim_name(job.metadata.name), owned=not template.retain),
        "spec": {
            "accessModes": list(template.access_modes),
            "resources": {"requests": {"storage": template.size}},
            **storage_class,
        },
    }
