"""What makes a checkpoint one that a job can continue, whatever it runs."""

from hashlib import sha256

from trainingjob_api.spec.script import Script
from trainingjob_api.spec.training import Training, identity


def identity_of(training: Training | None, script: Script | None) -> dict[str, str]:
    """Field path -> digest of its value. Of a script the path alone: what it is told may change while it is paused."""
    if script is not None:
        return {"script.path": sha256(script.path.encode()).hexdigest()[:16]}
    assert training is not None
    return identity(training)
