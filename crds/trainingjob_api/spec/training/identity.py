"""What makes a checkpoint belong to a recipe."""

import json
from collections.abc import Iterator
from hashlib import sha256

from trainingjob_api.spec.training.recipe import Training


def identity(training: Training) -> dict[str, str]:
    """Field path -> digest of its value; a checkpoint with the same can be continued.

    Digests, because whoever starts the trainer may translate the paths in its environment to where they really lie.
    """
    fields = {
        "task": training.task,
        "data": training.data.to_json_object(),
        "model": training.model.to_json_object(),
        "seed": training.seed,
        "loss": training.loss_type,
        "optimizer.type": training.optimizer.type,
    }
    leaves = {path: leaf for name, value in fields.items() for path, leaf in _leaves(name, value)}
    return {path: sha256(json.dumps(leaf).encode()).hexdigest()[:16] for path, leaf in leaves.items()}


def _leaves(path: str, value: object) -> Iterator[tuple[str, object]]:
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        yield from _leaves(f"{path}.{name}", inner)
