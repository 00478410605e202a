"""What a person writes under `spec`."""

from trainingjob_api.spec.checkpoint import Checkpoint, CheckpointInterval, CheckpointVolume, ClaimTemplate
from trainingjob_api.spec.lifecycle import Deadlines, Restart
from trainingjob_api.spec.pod import Pod
from trainingjob_api.spec.root import TrainingJobSpec
from trainingjob_api.spec.script import Script
from trainingjob_api.spec.training import Training

__all__ = [
    "Checkpoint",
    "CheckpointInterval",
    "CheckpointVolume",
    "ClaimTemplate",
    "Deadlines",
    "Pod",
    "Restart",
    "Script",
    "Training",
    "TrainingJobSpec",
]
