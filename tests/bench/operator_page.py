"""What a scrape of the operator's /metrics costs: python -m tests.bench.operator_page.

The page is served as the operator serves it, and fetched by another process as Prometheus does. One TrainingJob in ten
runs, the others have ended a moment ago; every one shows all series that it can have.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from statistics import median

from prometheus_client import CollectorRegistry

from training_operator.metrics.counted import Metrics
from training_operator.metrics.page import Page
from training_operator.records import Record
from training_operator.server import metrics_page, serving
from trainingjob_api.status import TrainingJobStatus

ROUNDS = 9
FETCH = """
import sys, urllib.request
accept = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3"
asked = urllib.request.Request(sys.argv[1], headers={"Accept": accept, "Accept-Encoding": sys.argv[2]})
print(len(urllib.request.urlopen(asked).read()))
"""


def main() -> None:
    print("| TrainingJobs | asked for | bytes | CPU of a scrape | longest hold of the loop | a change |")
    print("|---|---|---|---|---|---|")
    for jobs in (1000, 10_000):
        for encoding in ("gzip", "identity"):
            asyncio.run(measure(jobs, encoding))


async def measure(jobs: int, encoding: str) -> None:
    registry = CollectorRegistry()
    Metrics(registry)
    page = Page(registry, keep_seconds=86_400)
    change = _filled(page, jobs)
    async with serving("127.0.0.1", 0, metrics_page(page)) as port:
        rounds = [await _scrape(f"http://127.0.0.1:{port}/metrics", encoding) for _ in range(ROUNDS)]
    size = rounds[0][0]
    cpu, hold = (median(each[which] for each in rounds[1:]) for which in (1, 2))
    print(f"| {jobs:,} | {encoding} | {size:,} | {cpu * 1000:.0f} ms | {hold * 1000:.0f} ms | {change * 1e6:.0f} µs |")


async def _scrape(url: str, encoding: str) -> tuple[int, float, float]:
    """Bytes, seconds of CPU of this process, and for how long at most its loop did nothing else."""
    beats = asyncio.create_task(_longest_hold())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", FETCH, url, encoding, stdout=asyncio.subprocess.PIPE
    )
    before = time.process_time()
    out, _ = await process.communicate()
    spent = time.process_time() - before
    beats.cancel()
    return int(out), spent, await beats


async def _longest_hold() -> float:
    longest, last = 0.0, time.perf_counter()
    try:
        while True:
            await asyncio.sleep(0.005)
            now = time.perf_counter()
            longest, last = max(longest, now - last - 0.005), now
    except asyncio.CancelledError:
        return longest


def _filled(page: Page, jobs: int) -> float:
    """Seconds that it takes to take in one change."""
    records = [_record(number, is_running=number % 10 == 0) for number in range(jobs)]
    began = time.process_time()
    for record in records:
        page.change(record.key, record)
    return (time.process_time() - began) / jobs


def _record(number: int, is_running: bool) -> Record:
    return Record.of(
        {
            "metadata": {
                "namespace": f"team-{number % 20}",
                "name": f"experiment-{number:05}",
                "uid": f"11111111-2222-3333-4444-{number:012}",
                "resourceVersion": str(number),
            },
            "status": status_of(number, is_running).to_json_object(),
        }
    )


def status_of(number: int, is_running: bool) -> TrainingJobStatus:
    now = datetime.now(UTC)
    quality = {"loss": 0.25 + number * 1e-6, "accuracy": 0.75 + number * 1e-6}
    epoch = {"epoch": number % 100, "trainLoss": 0.125 + number * 1e-6}
    epoch |= {f"validation{name.capitalize()}": value for name, value in quality.items()}
    true = ["Running", "Ready"] if is_running else ["Complete", "Ready"]
    condition = {"status": "True", "observedGeneration": 1, "lastTransitionTime": now, "reason": "Training"}
    return TrainingJobStatus.model_validate(
        {
            "phase": "Running" if is_running else "Succeeded",
            "conditions": [{**condition, "type": type} for type in true],
            "attempt": 1 + number % 3,
            "startTime": now,
            "completionTime": None if is_running else now,
            "progress": {
                "epoch": number % 100,
                "epochs": 100,
                "epochText": "",
                "step": 17 * number,
                "samplesPerSecond": 1234.5 + number,
                "secondsRemaining": number,
                "updateTime": now,
            },
            "metrics": {"latest": epoch, "best": epoch, "test": {**quality, "samples": 100}},
            "checkpoint": {
                "step": 1,
                "epoch": 1,
                "path": "step-1",
                "sizeBytes": 1,
                "saveTime": now,
                "saveSeconds": 0.1,
            },
        }
    )


if __name__ == "__main__":
    main()
