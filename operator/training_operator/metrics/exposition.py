"""The formats of Prometheus: which one is asked for, what a family's head looks like in it, and how it travels."""

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, gzip_accepted

from training_operator.metrics.mirror import FAMILIES, Row
from trainingjob_api.metrics import MetricFamily

_LEVEL = 1
"""Of gzip: families repeat the same labels, so more work makes them little smaller."""


@dataclass(frozen=True)
class Format:
    """What a scraper accepts."""

    accept: str
    accept_encoding: str

    @property
    def content_type(self) -> str:
        return choose_encoder(self.accept)[1]

    @property
    def is_open_metrics(self) -> bool:
        return self.content_type.startswith("application/openmetrics-text")

    @property
    def is_compressed(self) -> bool:
        return gzip_accepted(self.accept_encoding)

    def registry_text(self, registry: CollectorRegistry) -> bytes:
        """The page's end: in OpenMetrics it says that it is one."""
        return choose_encoder(self.accept)[0](registry)

    def body(self, rows: Sequence[Row], end: bytes) -> bytes:
        """The whole page. Takes some CPU, and holds nothing that another thread may change."""
        families = (_family_text(index, family, rows, self) for index, family in enumerate(FAMILIES))
        parts = chain(families, [end])
        return _compressed(parts) if self.is_compressed else b"".join(parts)


def _compressed(parts: Iterable[bytes]) -> bytes:
    """Part by part, so that the long text is never there as a whole."""
    compressor = zlib.compressobj(_LEVEL, wbits=zlib.MAX_WBITS | 16)
    return b"".join([*map(compressor.compress, parts), compressor.flush()])


def _family_text(index: int, family: MetricFamily, rows: Sequence[Row], format: Format) -> bytes:
    name = family.name.encode()
    lines = [row.labels + cell for row in rows if (cell := row.cells[index])]
    return _head(family, format.is_open_metrics) + b"".join((name, name.join(lines))) if lines else b""


def _head(family: MetricFamily, is_open_metrics: bool) -> bytes:
    name = family.family_name if is_open_metrics else family.name
    unit = f"# UNIT {name} {family.base_unit}\n" if is_open_metrics and family.base_unit else ""
    return f"# HELP {name} {family.meaning}\n# TYPE {name} {family.type}\n{unit}".encode()
