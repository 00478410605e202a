"""What a person or a log collector reads: one JSON line for every event; on a terminal a table and a bar instead."""

import json
import sys
from datetime import UTC, datetime
from typing import Protocol

from trainingjob_api.progress import EpochMetrics, Finishing


class Log(Protocol):
    """Where events go."""

    def event(self, name: str, **fields: object) -> None: ...

    def epoch(self, metrics: EpochMetrics, is_best: bool) -> None: ...

    def finishing(self, finishing: Finishing) -> None: ...

    def close(self) -> None: ...


class JsonLog:
    """One JSON object a line on standard output."""

    def event(self, name: str, **fields: object) -> None:
        time = datetime.now(UTC).isoformat(timespec="milliseconds")
        given = {key: value for key, value in fields.items() if value is not None}
        sys.stdout.write(json.dumps({"time": time, "event": name, **given}, default=str) + "\n")
        sys.stdout.flush()

    def epoch(self, metrics: EpochMetrics, is_best: bool) -> None:
        self.event("epoch", **metrics.to_json_object(), best=is_best)

    def finishing(self, finishing: Finishing) -> None:
        self.event("finishing", **finishing.to_json_object())

    def close(self) -> None:
        sys.stdout.flush()


class Silence:
    """Ranks other than 0."""

    def event(self, name: str, **fields: object) -> None:
        pass

    def epoch(self, metrics: EpochMetrics, is_best: bool) -> None:
        pass

    def finishing(self, finishing: Finishing) -> None:
        pass

    def close(self) -> None:
        pass
