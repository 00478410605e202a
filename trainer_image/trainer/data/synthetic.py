"""Points drawn by the seed."""

from math import prod

import numpy as np
import pyarrow as pa

from trainer.data.samples import Samples
from trainer.errors import DataError
from trainer.seeds import derived_seed
from trainingjob_api.spec.training import Data
from trainingjob_api.spec.training.data import Synthetic

_NAME = "synthetic data"
_FEATURES = 16


def make_samples(data: Data, task: str, seed: int) -> Samples:
    """Classes are clouds around centres of their own; numbers are a linear function of the inputs; both with noise."""
    spec = data.synthetic or Synthetic()
    features = prod(data.shape) if data.shape else spec.features or _FEATURES
    if spec.features not in (None, features):
        raise DataError(f"data.shape asks for {features} values, data.synthetic.features for {spec.features}")
    source = np.random.default_rng(derived_seed(seed, "synthetic"))
    if task == "classification":
        targets = np.arange(spec.samples) % spec.classes
        centres = source.normal(size=(spec.classes, features))
        inputs = centres[targets] + spec.noise * source.normal(size=(spec.samples, features))
    else:
        inputs = source.normal(size=(spec.samples, features))
        exact = inputs @ source.normal(size=features) / np.sqrt(features)
        targets = exact + spec.noise * source.normal(size=spec.samples)
    return Samples(
        _NAME,
        tuple(f"x{number}" for number in range(1, features + 1)),
        tuple(data.shape or [features]),
        inputs,
        data.target or "y",
        pa.chunked_array([pa.array(targets)]),
        lambda row: f"{_NAME}, row {row + 1}",
    )
