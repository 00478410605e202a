"""/metrics of each pod's first rank, /progress and /history of rank 0: from before torch is imported until it ends."""

import gzip
import os
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate
from typing import TypeVar

from prometheus_client import CollectorRegistry
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.exposition import choose_encoder, gzip_accepted

from trainer.pod.neighbours import PAGE
from trainer.reporting import catalogue, http_pages
from trainer.reporting.board import STEP_BUCKETS, Board
from trainer.reporting.http_pages import Asked, Page
from trainingjob_api.contract import METRICS_PORT
from trainingjob_api.metrics import MetricFamily

_Of = TypeVar("_Of")
_Labelled = TypeVar("_Labelled", GaugeMetricFamily, CounterMetricFamily)


def serve(board: Board, pod_ip: str | None, places: Callable[[], bytes] = lambda: b"{}") -> str:
    """Starts serving in the background; returns the address. Outside of a pod: this machine only, any free port.

    places: where the ranks of this pod are, for the supervisors of others.
    """
    pages: dict[str, Callable[[Asked], Page]] = {"/metrics": _metrics_of(board), "/healthz": _healthy}
    pages[PAGE] = lambda _: Page(places(), {"Content-Type": "application/json"})
    if board.rank == 0:
        pages["/progress"] = lambda _: _progress(board)
        pages["/history"] = lambda asked: _history(board, asked.query.get("after", ""))
    host, port = http_pages.serve((pod_ip, METRICS_PORT) if pod_ip else ("127.0.0.1", 0), pages)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _metrics_of(board: Board) -> Callable[[Asked], Page]:
    registry = CollectorRegistry()
    registry.register(_BoardCollector(board))

    def page(asked: Asked) -> Page:
        make, kind = choose_encoder(asked.headers.get("Accept", ""))
        body, headers = make(registry), {"Content-Type": kind, "Vary": "Accept, Accept-Encoding"}
        if gzip_accepted(asked.headers.get("Accept-Encoding", "")):
            body, headers["Content-Encoding"] = gzip.compress(body, compresslevel=1), "gzip"
        return Page(body, headers)

    return page


def _progress(board: Board) -> Page:
    text = board.progress().model_dump_json(by_alias=True, exclude_none=True)
    return Page(text.encode(), {"Content-Type": "application/json"})


def _history(board: Board, after: str) -> Page:
    """Of the epochs that follow one, as many as fit; of all of them where it is no number."""
    page = board.history.page(int(after) if after.isascii() and after.isdigit() else 0)
    return Page(page.model_dump_json(by_alias=True, exclude_none=True).encode(), {"Content-Type": "application/json"})


def _healthy(_: Asked) -> Page:
    """For probes that something injects: the process answers. Whether it trains is the supervisor's to watch."""
    return Page(b"ok\n", {"Content-Type": "text/plain; charset=utf-8"})


class _BoardCollector:
    """Makes the metrics from the board at each scrape; between scrapes nothing is spent on them."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        board = self._board
        yield from _gauges(board)
        yield from _counters(board)
        yield _activity(board)
        yield _step_durations(board)
        if board.rank != 0:  # what is about the whole training is told once, so that sums over pods are right
            return
        yield from _per_split(board)
        yield from _of_ones_own(board)
        yield InfoMetricFamily(catalogue.INFO.family_name, catalogue.INFO.meaning, value=_info(board))


Value = float | None

_GAUGES: dict[MetricFamily, Callable[[Board], Value]] = {
    catalogue.EPOCH: lambda board: board.epoch if board.has_begun else None,
    catalogue.EPOCHS: lambda board: board.epochs or None,
    catalogue.LEARNING_RATE: lambda board: board.latest.learning_rate if board.latest else None,
    catalogue.GRADIENT_NORM: lambda board: board.gradient_norm,
    catalogue.EPOCH_DURATION: lambda board: board.latest.seconds_per_epoch if board.latest else None,
    catalogue.SAMPLES_PER_SECOND: lambda board: board.latest.samples_per_second if board.latest else None,
    catalogue.RANK: lambda board: board.rank,
    catalogue.MEMORY: lambda board: _resident_memory(),
    catalogue.DEVICE_MEMORY: lambda board: float(board.device_memory()) if board.device_memory else None,
    catalogue.LAST_STEP: lambda board: board.last_step_time,
    catalogue.LAST_CHECKPOINT: lambda board: board.checkpoint.save_time.timestamp() if board.checkpoint else None,
    catalogue.CHECKPOINT_DURATION: lambda board: board.checkpoint.save_seconds if board.checkpoint else None,
    catalogue.CHECKPOINT_SIZE: lambda board: board.checkpoint.size_bytes if board.checkpoint else None,
    catalogue.CHECKPOINT_PROBLEM: lambda board: board.checkpoint_problem is not None,
}


def _gauges(board: Board) -> Iterable[Metric]:
    for family, value_of in _told_by(board, _GAUGES):
        if (value := value_of(board)) is not None:
            yield GaugeMetricFamily(family.family_name, family.meaning, value=value, unit=family.base_unit)


_SPLITS = ("train", "validation", "test")
_MEASURES = {
    "loss": catalogue.LOSS,
    "accuracy": catalogue.ACCURACY,
    "precision": catalogue.PRECISION,
    "recall": catalogue.RECALL,
    "f1": catalogue.F1,
    "roc_auc": catalogue.ROC_AUC,
    "mae": catalogue.MAE,
    "mse": catalogue.MSE,
    "rmse": catalogue.RMSE,
    "r2": catalogue.R2,
}


def _per_split(board: Board) -> Iterable[Metric]:
    """Of the last epoch, and of the test once it is done."""
    for field, described in _MEASURES.items():
        family = _labelled(GaugeMetricFamily, described)
        for split in _SPLITS:
            source, key = (board.test, field) if split == "test" else (board.latest, f"{split}_{field}")
            value: Value = getattr(source, key, None)
            if value is not None:
                family.add_metric([split], value)
        if family.samples:
            yield family


def _of_ones_own(board: Board) -> Iterable[Metric]:
    extra = board.latest.extra if board.latest else None
    if extra:
        family = _labelled(GaugeMetricFamily, catalogue.USER_METRIC)
        for name, value in extra.items():
            family.add_metric([name], value)
        yield family


_COUNTERS: dict[MetricFamily, Callable[[Board], Value]] = {
    catalogue.STEPS: lambda board: board.step if board.has_begun else None,
    catalogue.SAMPLES: lambda board: board.samples,
    catalogue.STEPS_REPLAYED: lambda board: board.steps_replayed,
    catalogue.DATA_WAIT: lambda board: board.data_wait,
}


def _counters(board: Board) -> Iterable[Metric]:
    for family, value_of in _told_by(board, _COUNTERS):
        if (value := value_of(board)) is not None:
            yield CounterMetricFamily(family.family_name, family.meaning, value=value, unit=family.base_unit)


def _told_by(board: Board, values: Mapping[MetricFamily, _Of]) -> Iterable[tuple[MetricFamily, _Of]]:
    return ((each, of) for each, of in values.items() if board.rank == 0 or each in catalogue.OF_EVERY_POD)


def _activity(board: Board) -> Metric:
    activity = _labelled(CounterMetricFamily, catalogue.ACTIVITY)
    for state, seconds in board.activity().items():
        activity.add_metric([state.value], seconds)
    return activity


def _labelled(kind: type[_Labelled], family: MetricFamily) -> _Labelled:
    return kind(family.family_name, family.meaning, labels=family.labels, unit=family.base_unit)


def _resident_memory() -> float:
    with open("/proc/self/statm", "rb") as file:
        return float(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _step_durations(board: Board) -> Metric:
    counts = list(accumulate(board.step_times.counts))
    bounds = [*map(str, STEP_BUCKETS), "+Inf"]
    return HistogramMetricFamily(
        catalogue.STEP_DURATION.family_name,
        catalogue.STEP_DURATION.meaning,
        buckets=list(zip(bounds, map(float, counts), strict=True)),
        sum_value=board.step_times.total,
        unit=catalogue.STEP_DURATION.base_unit,
    )


def _info(board: Board) -> dict[str, str]:
    recipe, script = board.run.training, board.run.script
    known = {"training_uid": board.run.uid, "world_size": str(board.world_size)}
    if recipe is None:
        return {**known, "script": script.path if script else ""}
    return {
        **known,
        "model": recipe.model.type,
        "optimizer": recipe.optimizer.type,
        "schedule": recipe.schedule.type if recipe.schedule else "constant",
        "precision": recipe.precision,
    }
