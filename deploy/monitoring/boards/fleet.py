"""Fleet: all TrainingJobs of some namespaces, from the operator's mirror."""

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.models.dashboard import Dashboard

from boards.board import board as made
from boards.board import training_variables
from boards.panels import PHASES, Column, Panels, Query, Text, bars, colored, curve, number, rows
from boards.queries import RUNNING, in_phase, increase, mirror, of_the_training, quantile, running

HERE = 'training_namespace=~"$namespace"'
NONE_RUNS = "No training runs in these namespaces."
OPEN = (
    "/d/trainingjob-training?${datasource:queryparam}&${__url_time_range}"
    "&var-namespace=${__data.fields.Namespace}&var-training=${__data.fields.TrainingJob}"
)
RUNBOOKS = "https://github.com/trainingjob/trainingjob/blob/main/docs/alerts.md"
LABELS = {"training_namespace": "Namespace", "training_name": "TrainingJob"}
WAITING = "Pending|Queued|Starting|Pausing|Restarting"
GAUGE = {"unit": "percentunit", "min": 0, "max": 1, "custom.cellOptions": {"type": "gauge", "mode": "basic"}}


def board() -> Dashboard:
    """The board."""
    namespace, _ = training_variables(several=True)
    rows = {
        "Now": _now(),
        "Trainings": _trainings(),
        "Over time": _over_time(),
        "Failures": _failures(),
        "GPUs": _gpus(),
    }
    description = "TrainingJobs of a whole cluster: what runs, what waits and why, and what the time goes into."
    return made("trainingjob-fleet", "TrainingJob / Fleet", description, [namespace], rows)


def _phases() -> str:
    each = f"group by (training_namespace, training_name, phase) (trainingjob_operator_job_phase{{{HERE}}})"
    return f"count by (phase) ({each})"


def _now() -> Panels:
    lost = Text("Lost steps, last day", "Steps that were done again after a crash, of all namespaces.", "short", "none")
    goodput = Text(
        "Goodput, last hour",
        "Of the time that TrainingJobs wanted to run, how much they were Running. Of all namespaces.",
        "percentunit",
        "no TrainingJob wanted to run",
    )
    soon = Text("Running", "TrainingJobs that train, or finish: test and write the model.", "short", "none")
    waiting = Text("Waiting", "TrainingJobs on their way to run: " + WAITING.replace("|", ", ") + ".", "short", "none")
    restarts = Text("Restarts, last day", "Restarts after failures that spent the budget.", "short", "none")
    disruptions = Text("Disruptions, last day", "Drains, preemptions and lost nodes.", "short", "none")
    return [
        number(soon, Query(f"count({in_phase(RUNNING, HERE)})")),
        number(waiting, Query(f"count({in_phase(WAITING, HERE)})")),
        number(goodput, Query("fleet:goodput:ratio_rate1h")),
        number(restarts, Query(increase("restarts_total", "1d", HERE))),
        number(disruptions, Query(increase("disruptions_total", "1d", HERE))),
        number(lost, Query("sum(increase(trainingjob_operator_lost_steps_total[1d]))")),
        _alerts(),
    ]


def _alerts() -> table.Panel:
    text = Text("Alerts", "That are raised now, in all namespaces; docs/alerts.md says what to do.", "short", "None.")
    firing = of_the_training('ALERTS{alertname=~"Training.*", alertstate="firing"}')
    labels = {"severity": "Severity", "alertname": "Alert", **LABELS}
    query = Column("", f"group by ({', '.join(labels)}) ({firing})")
    return rows(text, [query], labels, {"TrainingJob": OPEN, "Alert": RUNBOOKS}, height=5)


def _trainings() -> Panels:
    running_now = Text(
        "Running trainings", "TrainingJobs that run; the name opens the board of one.", "short", NONE_RUNS
    )
    age = f"time() - {mirror('last_checkpoint_timestamp_seconds', HERE)}"
    columns = [
        Column("Progress", running(f"{mirror('epoch', HERE)} / {mirror('epochs', HERE)}", HERE), GAUGE),
        Column("Epoch", running(mirror("epoch", HERE), HERE)),
        Column("Validation loss", running(mirror("validation_loss", HERE), HERE)),
        Column("Samples/s", running(mirror("samples_per_second", HERE), HERE), {"unit": "short"}),
        Column("Time left", running(mirror("remaining_seconds", HERE), HERE), {"unit": "s"}),
        Column("Since checkpoint", running(age, HERE), {"unit": "s"}),
        Column("Restarts", running(mirror("restarts_total", HERE), HERE)),
    ]
    waits = Text(
        "Who does not run, and why",
        "Phase, and the reason of the condition Ready, of those that wait, are paused or have failed.",
        "short",
        "All run, or are done.",
    )
    reason = f'trainingjob_operator_job_phase{{{HERE}, phase=~"{WAITING}|Paused|Failed"}}'
    why = Column("", f"group by (training_namespace, training_name, phase, reason) ({reason})")
    ending = Text("Soonest to finish", "Estimate of the time left, the ten shortest.", "s", NONE_RUNS)
    remaining = f"bottomk(10, {mirror('remaining_seconds', HERE)})"
    return [
        rows(running_now, columns, LABELS, {"TrainingJob": OPEN}),
        rows(waits, [why], {**LABELS, "phase": "Phase", "reason": "Reason"}, {"TrainingJob": OPEN}, width=12),
        bars(ending, Query(remaining, "{{training_namespace}}/{{training_name}}"), width=12, height=9),
    ]


def _over_time() -> Panels:
    phases = Text(
        "TrainingJobs by phase",
        "Those that ended longer ago than the operator keeps them on its page (a day) are not counted.",
        "short",
        "There is no TrainingJob in these namespaces.",
    )
    epochs = Text(
        "Epochs a minute", "Epochs that all trainings finish in a minute, over the last five.", "short", NONE_RUNS
    )
    samples = Text("Samples a second", "Training samples a second, all trainings together.", "short", NONE_RUNS)
    goodput = Text(
        "Goodput of each training",
        "Share of the last hour, or of the time since its start, that went into steps that count.",
        "percentunit",
        NONE_RUNS,
    )
    queue = Text(
        "Time in queue", "How long TrainingJobs were Queued that left the queue.", "s", "Nothing left a queue."
    )
    slope = f"deriv(trainingjob_operator_job_epoch{{{HERE}}}[5m])"
    each = f"max by (training_namespace, training_name, training_uid) ({slope})"
    queued = "trainingjob_operator_phase_duration_seconds"
    return [
        colored(curve(phases, Query(_phases(), "{{phase}}"), stacked=True), PHASES),
        curve(epochs, Query(f"sum(clamp_min({each}, 0)) * 60", "epochs a minute")),
        curve(samples, Query(f"sum({mirror('samples_per_second', HERE)})", "samples a second")),
        curve(
            goodput,
            Query('training:goodput:ratio_rate1h{namespace=~"$namespace"}', "{{namespace}}/{{training_name}}"),
            Query("fleet:goodput:ratio_rate1h", "fleet, of the time wanted"),
            width=12,
        ),
        curve(
            queue,
            Query(quantile(0.5, queued, 'phase="Queued"', window="1h"), "median"),
            Query(quantile(0.9, queued, 'phase="Queued"', window="1h"), "90th percentile"),
            width=12,
        ),
    ]


def _failures() -> Panels:
    restarts = Text("Restarts and disruptions", "In the hour before.", "short", NONE_RUNS)
    lost = Text(
        "Lost steps", "Steps done again, in the hour before. Of all namespaces.", "short", "No operator answers."
    )
    pauses = Text(
        "Pausing", "From the wish to pause until no pod was left.", "s", "Nothing was paused in the hour before."
    )
    pause = "trainingjob_operator_pause_duration_seconds"
    return [
        curve(
            restarts,
            Query(increase("restarts_total", "1h", HERE), "restarts"),
            Query(increase("disruptions_total", "1h", HERE), "disruptions"),
        ),
        curve(lost, Query("sum(increase(trainingjob_operator_lost_steps_total[1h]))", "lost steps")),
        curve(
            pauses,
            Query(quantile(0.5, pause, window="1h"), "median"),
            Query(quantile(0.99, pause, window="1h"), "99th percentile"),
        ),
    ]


def _gpus() -> Panels:
    pods = 'trainingjob_rank{namespace=~"$namespace"}'
    asked = f'sum(kube_pod_container_resource_requests{{resource=~".+_gpu"}} and on (namespace, pod) {pods})'
    busy = f"sum(DCGM_FI_DEV_GPU_UTIL and on (namespace, pod) {pods}) / 100"
    numbers = Text(
        "GPUs asked for and used",
        "What pods of trainings ask for (kube-state-metrics), and how many of them are busy (NVIDIA's DCGM exporter).",
        "short",
        "No training asks for GPUs, or kube-state-metrics and the DCGM exporter are not scraped.",
    )
    memory = Text(
        "Accelerator memory",
        "What the tensors of all ranks take, as PyTorch counts it.",
        "bytes",
        "No training uses an accelerator.",
    )
    tensors = 'sum by (namespace) (trainingjob_device_memory_bytes{namespace=~"$namespace"})'
    return [
        curve(numbers, Query(asked, "asked for"), Query(busy, "busy"), width=12, height=6),
        curve(memory, Query(tensors, "{{namespace}}"), width=12, height=6),
    ]
