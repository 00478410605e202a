"""What is served at /metrics: a mirror of every status, what changes tell of the fleet, and the operator's own."""

import gzip
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics_families
from prometheus_client.parser import text_string_to_metric_families

from training_operator.metrics.counted import Metrics
from training_operator.metrics.exposition import Format
from training_operator.metrics.fleet import Fleet, Seen, first_look, lost_steps, pause_seconds
from training_operator.metrics.mirror import label_text, number_text
from training_operator.metrics.page import Page
from training_operator.records import Record
from training_operator.store import Kind
from trainingjob_api.status import Phase, TrainingJobStatus
from unit.operator.factories import NOW, ago, raw_training_job, text

KEY = ("team", "digits")
PLAIN = Format("", "")
Scraped = Mapping[str, float]


def condition(type: str, word: str = "True", reason: str = "Training") -> dict[str, Any]:
    return {
        "type": type,
        "status": word,
        "reason": reason,
        "observedGeneration": 1,
        "lastTransitionTime": text(NOW),
    }


def status(phase: str = "Running", *true: str, **fields: Any) -> TrainingJobStatus:
    """True are the conditions that are; without any, those of the phase."""
    of_phase = {"Running": ["Running", "Ready"], "Succeeded": ["Complete", "Ready"], "Failed": ["Failed"]}
    conditions = [condition(type) for type in true or of_phase.get(phase, [])]
    return TrainingJobStatus.model_validate({"phase": phase, "attempt": 1, "conditions": conditions, **fields})


def progress(step: int = 30, at: datetime = NOW, **fields: Any) -> dict[str, Any]:
    known = {"epoch": 3, "epochs": 12, "epochText": "3/12", "samplesPerSecond": 640.5, "secondsRemaining": 9}
    return {**known, "step": step, "updateTime": text(at), **fields}


MEASURES = ("Loss", "Accuracy", "Precision", "Recall", "F1", "RocAuc", "Mae", "Mse", "Rmse", "R2")
EPOCH = {"epoch": 3, "trainLoss": 0.5, "trainAccuracy": 0.8, **{f"validation{name}": 0.6 for name in MEASURES}}
EVERYTHING = {
    "startTime": text(ago(600)),
    "progress": progress(),
    "metrics": {
        "latest": {**EPOCH, "extra": {"val.bleu": 0.25, "wer": 0.125}},
        "best": {**EPOCH, "epoch": 2, "validationLoss": 0.4},
        "test": {"samples": 9, **{f"{name[0].lower()}{name[1:]}": 0.7 for name in MEASURES}},
    },
    "checkpoint": {
        "step": 30,
        "epoch": 3,
        "path": "step-30",
        "sizeBytes": 9,
        "saveTime": text(NOW),
        "saveSeconds": 0.1,
    },
}


def page_of(*statuses: TrainingJobStatus, clock: Callable[[], float] = NOW.timestamp) -> Page:
    """Of TrainingJobs named digits, digits-1, digits-2, ..."""
    page = Page(CollectorRegistry(), keep_seconds=3600, clock=clock)
    for number, each in enumerate(statuses):
        show(page, each, f"digits-{number}" if number else "digits")
    return page


def show(page: Page, status: TrainingJobStatus, name: str = "digits", uid: str = "uid-1") -> None:
    page.change(("team", name), record(status.to_json_object(), name, uid))


def record(status: dict[str, Any], name: str = "digits", uid: str = "uid-1", **spec: Any) -> Record:
    return Record.of({**raw_training_job(name, uid, **spec), "status": status})


async def scrape(page: Page, format: Format = PLAIN) -> Scraped:
    """Samples as name{label values}, those that all series of a job have left out but for its name."""
    body = await page.render(format)
    plain = gzip.decompress(body) if format.is_compressed else body
    parse = open_metrics_families if format.is_open_metrics else text_string_to_metric_families
    samples = [sample for family in parse(plain.decode()) for sample in family.samples]
    hidden = ("training_namespace", "training_uid")
    named = [
        (sample.name + str([value for label, value in sorted(sample.labels.items()) if label not in hidden]), sample)
        for sample in samples
    ]
    assert len(dict(named)) == len(named), "a series is there twice"
    return {name: sample.value for name, sample in named}


def mirrored(scraped: Scraped) -> dict[str, float]:
    prefix = "trainingjob_operator_job_"
    return {name.removeprefix(prefix): value for name, value in scraped.items() if name.startswith(prefix)}


class TestMirror:
    async def test_numbers_are_those_of_status(self) -> None:
        found = mirrored(await scrape(page_of(status(restarts=1, disruptions=2, **EVERYTHING))))
        assert found == {
            "phase['Running', 'Training', 'digits']": 1,
            "attempt['digits']": 1,
            "restarts_total['digits']": 1,
            "disruptions_total['digits']": 2,
            "start_timestamp_seconds['digits']": ago(600).timestamp(),
            "epoch['digits']": 3,
            "epochs['digits']": 12,
            "samples_per_second['digits']": 640.5,
            "remaining_seconds['digits']": 9,
            "last_checkpoint_timestamp_seconds['digits']": NOW.timestamp(),
            "train_loss['digits']": 0.5,
            "validation_loss['digits']": 0.6,
            "validation_accuracy_ratio['digits']": 0.6,
            "best_epoch['digits']": 2,
            "best_validation_loss['digits']": 0.4,
            "best_validation_accuracy_ratio['digits']": 0.6,
            "user_metric['val.bleu', 'digits']": 0.25,
            "user_metric['wer', 'digits']": 0.125,
        }

    async def test_the_test_is_shown_at_the_end(self) -> None:
        found = mirrored(await scrape(page_of(status("Succeeded", **EVERYTHING, completionTime=text(NOW)))))
        assert found["test_accuracy_ratio['digits']"] == 0.7
        assert found["completion_timestamp_seconds['digits']"] == NOW.timestamp()

    @pytest.mark.parametrize("phase", [phase.value for phase in Phase])
    async def test_a_job_has_at_most_16_series_and_those_of_its_own_program(self, phase: str) -> None:
        ended = {"completionTime": text(NOW)} if phase in ("Succeeded", "Failed") else {}
        found = mirrored(await scrape(page_of(status(phase, **EVERYTHING, **ended))))
        assert 10 < len([name for name in found if "user_metric" not in name]) <= 16

    async def test_a_regression_shows_its_error(self) -> None:
        metrics = {"latest": {"epoch": 1, "validationMae": 2.5}, "best": {"epoch": 1, "validationMae": 2.5}}
        found = mirrored(await scrape(page_of(status(metrics=metrics))))
        assert found["validation_mae['digits']"] == found["best_validation_mae['digits']"] == 2.5

    @pytest.mark.parametrize("phase", [phase.value for phase in Phase if phase is not Phase.RUNNING])
    async def test_what_does_not_run_has_no_rate_and_no_time_left(self, phase: str) -> None:
        found = mirrored(await scrape(page_of(status(phase, **EVERYTHING))))
        assert found["epoch['digits']"] == 3
        assert not [name for name in found if name.startswith(("samples_per_second", "remaining_seconds"))]

    async def test_failed_and_complete_differ(self) -> None:
        found = mirrored(await scrape(page_of(status("Failed"), status("Succeeded"))))
        assert found["phase['Failed', '', 'digits']"] == 1
        assert found["phase['Succeeded', 'Training', 'digits-1']"] == 1

    def test_labels_are_escaped(self) -> None:
        assert label_text({"a": 'say "hi"\\\n', "b": "c"}) == 'a="say \\"hi\\"\\\\\\n",b="c"'

    @pytest.mark.parametrize(
        ("number", "written"),
        [(3, "3.0"), (0.25, "0.25"), (1e-9, "1e-09"), (float("inf"), "+Inf"), (float("-inf"), "-Inf")],
    )
    def test_numbers_are_written_as_prometheus_reads_them(self, number: float, written: str) -> None:
        assert number_text(number) == written
        assert number_text(float("nan")) == "NaN"


class TestPage:
    @pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
    @pytest.mark.parametrize("encoding", ["", "gzip, deflate"])
    async def test_every_format_says_the_same(self, accept: str, encoding: str) -> None:
        page = page_of(status(**EVERYTHING), status("Paused"))
        found, plain = await scrape(page, Format(accept, encoding)), await scrape(page)
        assert mirrored(found) == mirrored(plain)
        assert found.keys() == plain.keys()

    async def test_what_takes_long_is_done_beside_the_loop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        threads, body = list[int](), Format.body

        def noted(format: Format, *args: Any) -> bytes:
            threads.append(threading.get_ident())
            return body(format, *args)

        monkeypatch.setattr(Format, "body", noted)
        await page_of(status(**EVERYTHING)).render(PLAIN)
        assert threads
        assert threading.get_ident() not in threads

    async def test_units_are_told_where_the_format_can(self) -> None:
        body = (await page_of(status(**EVERYTHING)).render(Format("application/openmetrics-text", ""))).decode()
        assert "# UNIT trainingjob_operator_job_remaining_seconds seconds\n" in body
        assert "# TYPE trainingjob_operator_job_restarts counter\n" in body

    async def test_what_changes_is_shown_as_it_is_now(self) -> None:
        page = page_of(status(progress=progress(epoch=1)))
        show(page, status(progress=progress(epoch=2)))
        assert mirrored(await scrape(page))["epoch['digits']"] == 2

    async def test_a_deleted_jobs_series_go_at_once(self) -> None:
        page = page_of(status(**EVERYTHING))
        page.change(KEY, None)
        scraped = await scrape(page)
        assert mirrored(scraped) == {}
        assert scraped["trainingjob_operator_jobs['Running']"] == 0

    async def test_the_next_job_of_its_name_has_series_of_its_own(self) -> None:
        page = page_of(status(**EVERYTHING))
        show(page, status("Starting"), uid="uid-2")
        body = (await page.render(PLAIN)).decode()
        assert 'training_name="digits",training_namespace="team",training_uid="uid-2"' in body
        assert "uid-1" not in body

    async def test_what_ended_long_ago_leaves_and_is_still_counted(self) -> None:
        now = NOW.timestamp()
        page = page_of(status("Succeeded", completionTime=text(NOW)), status("Paused"), clock=lambda: now)
        assert "attempt['digits']" in mirrored(await scrape(page))
        now += 3601
        scraped = await scrape(page)
        assert {name.rpartition("'digits")[2] for name in mirrored(scraped)} == {"-1']"}
        assert scraped["trainingjob_operator_jobs['Succeeded']"] == 1

    async def test_what_ended_long_before_it_was_first_seen_is_only_counted(self) -> None:
        page = page_of(status("Failed", completionTime=text(ago(3601))))
        scraped = await scrape(page)
        assert mirrored(scraped) == {}
        assert scraped["trainingjob_operator_jobs['Failed']"] == 1

    async def test_an_end_without_its_time_is_dated_by_its_condition(self) -> None:
        assert mirrored(await scrape(page_of(status("Failed"), clock=lambda: NOW.timestamp() + 3601))) == {}

    async def test_a_job_with_an_unreadable_spec_is_shown_as_far_as_it_can_be_read(self) -> None:
        page = page_of()
        page.change(KEY, record({"phase": "Paused"}, a_field_of_tomorrow=1))
        assert "phase['Paused', '', 'digits']" in mirrored(await scrape(page))
        page.change(KEY, record({"phase": "Paused", "attempt": "many"}))
        assert mirrored(await scrape(page)) == {}

    async def test_a_replica_that_does_not_lead_shows_and_counts_no_jobs_but_knows_them(self) -> None:
        leads = False
        page = Page(CollectorRegistry(), keep_seconds=3600, is_leading=lambda: leads, clock=NOW.timestamp)
        for phase in ("Paused", "Queued", "Starting"):
            show(page, status(phase))
        scraped = await scrape(page)
        assert not [name for name, value in scraped.items() if "digits" in name or value]
        assert not [name for name in scraped if name.startswith("trainingjob_operator_jobs")]
        leads = True
        show(page, status(**EVERYTHING))
        scraped = await scrape(page)
        assert mirrored(scraped)["epoch['digits']"] == 3
        assert scraped["trainingjob_operator_jobs['Running']"] == 1
        stays = {name for name, value in scraped.items() if "phase_duration_seconds_count" in name and value}
        assert stays == {"trainingjob_operator_phase_duration_seconds_count['Starting']"}


class TestFleet:
    def fleet(self) -> tuple[CollectorRegistry, Fleet]:
        self.now = 100.0
        registry = CollectorRegistry()
        return registry, Fleet(registry, clock=lambda: self.now)

    def test_phases_are_counted(self) -> None:
        _, fleet = self.fleet()
        for name, phase in (("a", "Running"), ("b", "Running"), ("c", "Queued"), ("a", "Paused")):
            fleet.show(("team", name), name, status(phase))
        fleet.forget(("team", "c"))
        assert {phase: jobs for phase, jobs in fleet.by_phase().items() if jobs} == {"Running": 1, "Paused": 1}
        assert set(fleet.by_phase()) == {phase.value for phase in Phase}

    def test_time_in_phases_adds_up_over_all_jobs(self) -> None:
        registry, fleet = self.fleet()
        fleet.show(("team", "a"), "a", status("Running"))
        fleet.show(("team", "b"), "b", status("Running"))
        self.now += 10
        fleet.show(("team", "b"), "b", status("Succeeded"))
        self.now += 5
        fleet.advance()
        found = {
            phase: registry.get_sample_value("trainingjob_operator_phase_seconds_total", {"phase": phase})
            for phase in ("Running", "Succeeded")
        }
        assert found == {"Running": 25, "Succeeded": None}

    def test_a_stay_is_observed_once_it_was_seen_from_its_beginning(self) -> None:
        registry, fleet = self.fleet()
        for phase in ("Paused", "Queued", "Queued", "Starting"):
            fleet.show(KEY, "uid", status(phase))
            self.now += 10
        found = {
            phase: registry.get_sample_value("trainingjob_operator_phase_duration_seconds_sum", {"phase": phase})
            for phase in ("Paused", "Queued", "Starting")
        }
        assert found == {"Paused": 0, "Queued": 20, "Starting": 0}

    def test_pauses_and_losses_are_counted_once(self) -> None:
        registry, fleet = self.fleet()
        open_pause = {"requestTime": text(ago(9)), "resourcesReleased": False}
        over = {**open_pause, "resourcesReleased": True, "completedTime": text(ago(2))}
        resumed = {"fromStep": 25, "fromAttempt": 1, "exactness": "Bitwise"}
        fleet.show(KEY, "uid", status(progress=progress(20, ago(20))))
        fleet.show(KEY, "uid", status("Pausing", progress=progress(30, ago(9)), pause=open_pause))
        for _ in range(2):
            fleet.show(KEY, "uid", status("Paused", progress=progress(30, ago(9)), pause=over))
        fleet.show(KEY, "uid", status("Starting", attempt=2, progress=progress(30, ago(9)), pause=over))
        for _ in range(2):
            fleet.show(KEY, "uid", status(attempt=2, progress=progress(27), pause=over, resume=resumed))
        assert registry.get_sample_value("trainingjob_operator_pause_duration_seconds_count") == 1
        assert registry.get_sample_value("trainingjob_operator_pause_duration_seconds_sum") == 7
        assert registry.get_sample_value("trainingjob_operator_lost_steps_total") == 5

    def test_a_new_job_of_the_same_name_is_no_change_of_the_old_one(self) -> None:
        registry, fleet = self.fleet()
        fleet.show(KEY, "old", status(progress=progress(30, ago(9))))
        fleet.show(KEY, "new", status(attempt=2, progress=progress(1)))
        assert registry.get_sample_value("trainingjob_operator_lost_steps_total") == 0


RESUME = {"fromStep": 25, "fromAttempt": 1, "exactness": "Bitwise"}


@pytest.mark.parametrize(
    ("after", "lost"),
    [
        pytest.param(status(attempt=2, progress=progress(26), resume=RESUME), 5, id="it went on from a checkpoint"),
        pytest.param(status(attempt=2, progress=progress(1)), 30, id="it began anew"),
        pytest.param(status(attempt=2, progress=progress(30, ago(9))), 0, id="the new attempt has told nothing yet"),
        pytest.param(status(attempt=1, progress=progress(40)), 0, id="the same attempt went on"),
        pytest.param(status(attempt=2), 0, id="nothing is known of its progress"),
        pytest.param(
            status(attempt=2, progress=progress(36), resume={**RESUME, "fromStep": 35}),
            0,
            id="more was saved than told",
        ),
    ],
)
def test_steps_that_are_lost(after: TrainingJobStatus, lost: int) -> None:
    before: Seen = first_look("uid", status(progress=progress(30, ago(9))))
    assert lost_steps(before, after) == lost


def test_a_pause_that_was_over_when_it_was_first_seen_says_nothing() -> None:
    over = {"requestTime": text(ago(9)), "resourcesReleased": True, "completedTime": text(ago(2))}
    assert pause_seconds(first_look("uid", status("Paused", pause=over)), status("Paused", pause=over)) is None


def test_the_operators_own() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.count_call("create", "jobs", 201, 0.1)
    metrics.watch_queue(lambda: 3, lambda: 1.5)
    metrics.watch_lag(lambda kind: 2.0 if kind is Kind.POD else 0.0, lambda: 9.0)
    labels = {"verb": "create", "resource": "jobs", "code": "201"}
    assert registry.get_sample_value("trainingjob_operator_api_requests_total", labels) == 1
    assert registry.get_sample_value("trainingjob_operator_queue_depth") == 3
    assert registry.get_sample_value("trainingjob_operator_watch_behind_seconds", {"resource": "pods"}) == 2
    assert registry.get_sample_value("trainingjob_operator_list_age_seconds") == 9
    assert not [family.name for family in registry.collect() for sample in family.samples if "_created" in sample.name]
