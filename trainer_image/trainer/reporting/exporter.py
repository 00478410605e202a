"""/metrics and /progress of rank 0, from before torch is imported until the process ends."""

import os
import socket
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from trainer.reporting.board import STEP_BUCKETS, Board
from trainingjob_api.contract import METRICS_PORT


def serve(board: Board, pod_ip: str | None) -> str:
    """Starts serving in the background; returns the address. Outside of a pod: this machine only, any free port."""
    address = (pod_ip, METRICS_PORT) if pod_ip else ("127.0.0.1", 0)
    server = _server_class(address[0])(address, _handler_for(board))
    threading.Thread(target=server.serve_forever, name="exporter", daemon=True).start()
    host, port = server.server_address[:2]
    name = host.decode() if isinstance(host, bytes) else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _server_class(host: str) -> type[ThreadingHTTPServer]:
    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        daemon_threads = True
        allow_reuse_address = True

    return Server


def _handler_for(board: Board) -> type[BaseHTTPRequestHandler]:
    registry = CollectorRegistry()
    registry.register(_BoardCollector(board))

    class Handler(BaseHTTPRequestHandler):
        timeout = 10  # a client that sends nothing does not keep a thread

        def do_GET(self) -> None:
            if self.path == "/metrics":
                self._answer("text/plain; version=0.0.4; charset=utf-8", generate_latest(registry))
            elif self.path == "/progress":
                text = board.progress().model_dump_json(by_alias=True, exclude_none=True)
                self._answer("application/json", text.encode())
            else:
                self.send_error(404)

        def _answer(self, kind: str, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Scrapes are not events."""

    return Handler


class _BoardCollector:
    """Makes the metrics from the board at each scrape; between scrapes nothing is spent on them."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def collect(self) -> Iterable[Metric]:
        board = self._board
        yield from _gauges(board)
        yield from _per_split(board)
        yield from _of_ones_own(board)
        yield from _counters(board)
        yield _step_durations(board)
        yield InfoMetricFamily("trainingjob", "What is trained, and how.", value=_info(board))


def _gauges(board: Board) -> Iterable[Metric]:
    latest, checkpoint = board.latest, board.checkpoint
    values = {
        "epoch": (board.epoch, "Whole epochs done."),
        "epochs": (board.epochs or None, "Epochs asked for."),
        "learning_rate": (latest.learning_rate if latest else None, "Learning rate at the end of the last epoch."),
        "gradient_norm": (board.gradient_norm, "Norm of the last gradient that was looked at."),
        "epoch_duration_seconds": (latest.seconds_per_epoch if latest else None, "Duration of the last epoch."),
        "samples_per_second": (
            latest.samples_per_second if latest else None,
            "Training samples a second in the last epoch.",
        ),
        "memory_bytes": (_resident_memory(), "Main memory that rank 0's process has resident."),
        "device_memory_bytes": (
            float(board.device_memory()) if board.device_memory else None,
            "Memory that rank 0's tensors take on its accelerator.",
        ),
        "last_step_timestamp_seconds": (board.last_step_time, "When the last step ended."),
        "last_checkpoint_timestamp_seconds": (
            checkpoint.save_time.timestamp() if checkpoint else None,
            "When the last checkpoint was saved.",
        ),
        "checkpoint_duration_seconds": (checkpoint.save_seconds if checkpoint else None, "How long saving it took."),
        "checkpoint_size_bytes": (checkpoint.size_bytes if checkpoint else None, "Its size."),
        "checkpoint_problem": (float(board.checkpoint_problem is not None), "1 while the last save has failed."),
    }
    for name, (value, text) in values.items():
        if value is not None:
            yield GaugeMetricFamily(f"trainingjob_{name}", text, value=value)


_SPLITS = ("train", "validation", "test")
_MEASURES = {
    "loss": ("loss", "Loss."),
    "accuracy": ("accuracy_ratio", "Share of right answers, 0 to 1."),
    "precision": ("precision", "Macro average over classes, 0 to 1."),
    "recall": ("recall", "Macro average over classes, 0 to 1."),
    "f1": ("f1", "Macro average over classes, 0 to 1."),
    "roc_auc": ("roc_auc", "Area under the ROC curve, 0 to 1; one against rest, macro average over classes."),
    "mae": ("mae", "Mean absolute error, in units of the target."),
    "mse": ("mse", "Mean squared error, in squared units of the target."),
    "rmse": ("rmse", "Root of the mean squared error, in units of the target."),
    "r2": ("r2", "Coefficient of determination, at most 1."),
}
"""Field -> name and text."""


def _per_split(board: Board) -> Iterable[Metric]:
    """Of the last epoch, and of the test once it is done."""
    for field, (name, text) in _MEASURES.items():
        family = GaugeMetricFamily(f"trainingjob_{name}", text, labels=["split"])
        for split in _SPLITS:
            source, key = (board.test, field) if split == "test" else (board.latest, f"{split}_{field}")
            value: float | None = getattr(source, key, None)
            if value is not None:
                family.add_metric([split], value)
        if family.samples:
            yield family


def _of_ones_own(board: Board) -> Iterable[Metric]:
    extra = board.latest.extra if board.latest else None
    if extra:
        family = GaugeMetricFamily("trainingjob_user_metric", "What the program reports.", labels=["name"])
        for name, value in extra.items():
            family.add_metric([name], value)
        yield family


def _counters(board: Board) -> Iterable[Metric]:
    yield CounterMetricFamily("trainingjob_step", "Optimizer steps, earlier attempts included.", value=board.step)
    yield CounterMetricFamily("trainingjob_samples", "Training samples of this attempt.", value=board.samples)
    yield CounterMetricFamily(
        "trainingjob_steps_replayed", "Steps of this attempt that an earlier one had done.", value=board.steps_replayed
    )
    yield CounterMetricFamily(
        "trainingjob_data_wait_seconds", "Time of this attempt that steps waited for data.", value=board.data_wait
    )


def _resident_memory() -> float:
    with open("/proc/self/statm", "rb") as file:
        return float(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _step_durations(board: Board) -> Metric:
    counts = list(accumulate(board.step_times.counts))
    bounds = [*map(str, STEP_BUCKETS), "+Inf"]
    return HistogramMetricFamily(
        "trainingjob_step_duration_seconds",
        "Duration of optimizer steps.",
        buckets=list(zip(bounds, map(float, counts), strict=True)),
        sum_value=board.step_times.total,
    )


def _info(board: Board) -> dict[str, str]:
    recipe, script = board.run.training, board.run.script
    if recipe is None:
        return {"script": script.path if script else "", "world_size": str(board.world_size)}
    return {
        "model": recipe.model.type,
        "optimizer": recipe.optimizer.type,
        "schedule": recipe.schedule.type if recipe.schedule else "constant",
        "precision": recipe.precision,
        "world_size": str(board.world_size),
    }
