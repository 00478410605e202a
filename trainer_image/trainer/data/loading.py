"""From a recipe to its data: read once, or streamed."""

from collections.abc import Sequence
from dataclasses import replace

from trainer.config import Mounts
from trainer.data.choices import Choices
from trainer.data.dataset import Dataset, is_streamed
from trainer.data.memory import memory_of_a_rank
from trainer.data.reading import Source, source_of
from trainer.data.resident import load_resident
from trainer.data.streaming import load_streamed, resident_bytes
from trainer.errors import DataError, UserError
from trainingjob_api.spec.training import Training


def load_dataset(recipe: Training, mounts: Mounts, choices: Choices = Choices()) -> Dataset:  # noqa: B008  (frozen)
    """Reads, splits and scales. DataError names file, row and column of what is wrong."""
    source = source_of(recipe, mounts, choices)
    load = load_streamed if _streams(source, choices) else load_resident
    return replace(load(recipe, source, choices), notices=source.notices.texts)


def require_same_data(digests: Sequence[bytes]) -> None:
    """Of the ranks' data, by rank. What differs would not fail, it would only be wrong."""
    other = next((rank for rank, digest in enumerate(digests) if digest != digests[0]), None)
    if other is None:
        return
    if len({is_streamed(digest.decode()) for digest in digests}) > 1:
        raise UserError("data.loading: auto streams on some nodes only, because others have more memory: choose one")
    raise DataError(f"data.path: rank {other} has read other data than rank 0; every pod must see the same files")


def _streams(source: Source, choices: Choices) -> bool:
    """Whether the rows stay in their files: because the recipe says so, or because they would not fit at first."""
    is_table = source.table_format is not None
    if source.data.loading == "stream":
        if not is_table:
            raise UserError(f"data.loading: csv and parquet can be streamed, {source.format} cannot")
        return True
    if source.data.loading == "memory" or source.data.sequence is not None or not is_table:
        return False
    if choices.streams:
        return True
    needed, memory = resident_bytes(source), memory_of_a_rank()
    # What was read at once before still is, whatever memory there is now, as long as it can fit at all.
    return needed is not None and needed > (memory // 2 if choices.streams is None else memory)
