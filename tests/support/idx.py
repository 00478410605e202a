"""Images and labels in the files that MNIST comes in."""

import gzip
import struct
from pathlib import Path

import numpy as np


def idx(values: np.ndarray, kind: int = 8) -> bytes:
    return bytes([0, 0, kind, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


def write_idx(folder: Path, prefix: str, images: np.ndarray, labels: np.ndarray, zipped: bool = True) -> None:
    """images (rows, height, width), labels (rows,): both as bytes. prefix: train or t10k."""
    folder.mkdir(exist_ok=True)
    for name, values in (("images-idx3", images), ("labels-idx1", labels)):
        content = idx(values.astype(np.uint8))
        path = folder / f"{prefix}-{name}-ubyte{'.gz' if zipped else ''}"
        path.write_bytes(gzip.compress(content) if zipped else content)
