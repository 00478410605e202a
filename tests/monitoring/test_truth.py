"""What Prometheus has seen is what was: nothing is missing, mixed, or made up by a pause, a crash or a deletion."""

import math
import re
from pathlib import Path

from monitoring.scenario import GONE_AFTER, NAMESPACE, PASS_SECONDS, Scenario
from pictures.prometheus import Series

FINEST = 1.0
"""Seconds between looks where a moment may matter."""


def over(scenario: Scenario, expr: str, start: str = "submitted", end: str = "over") -> list[Series]:
    return scenario.prometheus.over(expr, scenario.moments[start], scenario.moments[end], FINEST)


def values(found: list[Series]) -> list[float]:
    return [value for series in found for value in series.values]


def test_the_last_epoch_of_a_short_training_is_seen(scenario: Scenario) -> None:
    """In the mirror: its pods are gone before they are scraped twice."""
    status = scenario.job("digits").status
    assert status.progress is not None
    assert status.metrics is not None
    at = scenario.moments["over"]
    selector = f'{{training_namespace="{NAMESPACE}", training_name="digits"}}'
    for name, value in {
        "epoch": status.progress.epoch,
        "epochs": status.progress.epochs,
        "train_loss": status.metrics.latest.train_loss,
        "validation_loss": status.metrics.latest.validation_loss,
        "test_accuracy_ratio": status.metrics.test.accuracy,
    }.items():
        assert scenario.prometheus.value(f"trainingjob_operator_job_{name}{selector}", at) == value, name


def test_no_counter_falls(scenario: Scenario) -> None:
    reference = Path("docs/metrics-reference.md").read_text()
    counters = re.findall(r"^\| `(\w+)` \| counter", reference, re.MULTILINE)
    counts = [f"{name}_count" for name in re.findall(r"^\| `(\w+)` \| histogram", reference, re.MULTILINE)]
    assert counters
    assert counts
    fallen = {name: over(scenario, f"resets({name}[1m]) > 0") for name in (*counters, *counts)}
    assert {name: [series.name for series in found] for name, found in fallen.items() if found} == {}


def test_steps_of_a_training_never_fall_by_a_pause_a_drain_or_a_resume(scenario: Scenario) -> None:
    """One that crashes goes back to its checkpoint, and its counter with it: that is not a fall but another series."""
    steps = 'max by (training_name) (trainingjob_step_total{training_name=~"digits-(paused|two-pods|queued)"})'
    epochs = 'max by (training_name) (trainingjob_operator_job_epoch{training_name=~"digits-(paused|two-pods|queued)"})'
    found = [*over(scenario, steps, end="resumed"), *over(scenario, epochs, end="resumed")]
    assert len(found) == 6
    for series in found:
        assert series.values == sorted(series.values), series.name


def test_a_rate_never_exceeds_what_is_possible(scenario: Scenario) -> None:
    """Were a new attempt's count added to the old one's, thousands of steps would come within a second."""
    slow = 'training_name=~"digits-.*|diabetes"'
    steps = values(over(scenario, f"sum by (training_name) (rate(trainingjob_step_total{{{slow}}}[1m]))"))
    assert steps
    assert 0 < max(steps) <= 1 / PASS_SECONDS
    active = f"sum by (training_name) (rate(trainingjob_activity_seconds_total{{{slow}, rank='0'}}[1m]))"
    # Where one attempt ends and the next begins Prometheus extrapolates both, each by half a scrape.
    assert max(values(over(scenario, active))) < 1 + scenario.scrape_seconds / 60


def test_what_a_crash_and_a_pause_did_is_counted_once(scenario: Scenario) -> None:
    def grown(metric: str, name: str) -> float | None:
        at = scenario.moments["over"]
        return scenario.prometheus.value(f'trainingjob_operator_job_{metric}{{training_name="{name}"}}', at)

    assert (grown("attempt", "digits-paused"), grown("restarts_total", "digits-paused")) == (3, 1)
    assert (grown("attempt", "digits-crashes"), grown("restarts_total", "digits-crashes")) == (2, 1)
    assert (grown("attempt", "digits-two-pods"), grown("disruptions_total", "digits-two-pods")) == (2, 1)


def test_nothing_is_seen_of_a_deleted_training(scenario: Scenario) -> None:
    at = scenario.moments["deleted"] + GONE_AFTER
    left = scenario.prometheus.now('{training_name="digits-again"}', at)
    assert [series.name for series in left] == []


def test_two_attempts_are_never_seen_at_once(scenario: Scenario) -> None:
    attempts = "count by (training_name) (count by (training_name, attempt) (trainingjob_epoch))"
    assert set(values(over(scenario, attempts))) == {1}
    seen = over(scenario, 'group by (attempt) (trainingjob_epoch{training_name="digits-crashes"})')
    assert {series.labels["attempt"] for series in seen} == {"1", "2"}


def test_lost_steps_are_counted(scenario: Scenario) -> None:
    """The one that crashed had saved nothing: it did all its steps once more."""
    lost = scenario.prometheus.value("sum(trainingjob_operator_lost_steps_total)", scenario.moments["over"])
    replayed = 'trainingjob_steps_replayed_total{training_name="digits-crashes", attempt="2"}'
    assert lost
    assert max(values(over(scenario, replayed))) > 0


def test_goodput_is_of_the_time_since_the_start(scenario: Scenario) -> None:
    """Not of an hour, which nothing here has lasted; one that was paused, or did its steps twice, has less."""
    at = scenario.moments["over"]
    found = {
        each.labels["training_name"]: each.last for each in scenario.prometheus.now("training:goodput:ratio_rate1h", at)
    }
    assert 0.3 < found["diabetes"] < 1
    assert found["digits-paused"] < found["diabetes"]
    assert found["digits-crashes"] < found["diabetes"]


def test_two_trainings_of_one_name_are_never_mixed(scenario: Scenario) -> None:
    phases = "count by (training_namespace, training_name) (trainingjob_operator_job_phase)"
    assert set(values(over(scenario, phases))) == {1}
    epochs = over(scenario, 'max by (training_uid) (trainingjob_operator_job_epochs{training_name="digits-again"})')
    first, second = scenario.uids["first"], scenario.uids["second"]
    assert {series.labels["training_uid"]: set(series.values) for series in epochs} == {first: {500}, second: {700}}
    of_pods = over(scenario, 'trainingjob_epochs{training_name="digits-again"}')
    assert [set(series.values) for series in sorted(of_pods, key=lambda each: each.points)] == [{500}, {700}]


def test_a_paused_training_is_seen_as_paused_and_makes_no_steps(scenario: Scenario) -> None:
    paused = 'trainingjob_operator_job_phase{training_name="digits-paused", phase="Paused"}'
    found = over(scenario, paused, "paused", "resumed")
    assert sum(len(series.points) for series in found) >= GONE_AFTER - 2 * scenario.scrape_seconds
    steps = 'trainingjob_step_total{training_name="digits-paused"}'
    for_some_time = f"count_over_time({paused}[{3 * scenario.scrape_seconds}s]) > 2"
    assert over(scenario, for_some_time, "paused", "resumed")
    assert over(scenario, f"{steps} and on (training_name) {for_some_time}", "paused", "resumed") == []


def test_what_was_never_a_number_is_none(scenario: Scenario) -> None:
    losses = values(over(scenario, "trainingjob_loss or trainingjob_operator_job_validation_loss"))
    assert losses
    assert all(map(math.isfinite, losses))
