"""Every metric of the operator, by what it is about; each with a query that shows what it is good for."""

from trainingjob_api.metrics import MetricFamily

JOB_LABELS = ("training_name", "training_namespace", "training_uid")
"""Sorted; the UID tells two TrainingJobs of one name apart that followed each other."""

# What the operator does

BUILD = MetricFamily(
    "trainingjob_operator_build_info",
    "info",
    "Always 1; the operator's version is a label.",
    ("version",),
    query="count by (version) (trainingjob_operator_build_info)",
)
IS_LEADER = MetricFamily(
    "trainingjob_operator_is_leader",
    "gauge",
    "1 for the replica that acts, 0 for one that stands by.",
    unit="0 or 1",
    query="sum(trainingjob_operator_is_leader) != 1",
)
RECONCILES = MetricFamily(
    "trainingjob_operator_reconciles_total",
    "counter",
    "Passes over a TrainingJob; result is ok or error.",
    ("result",),
    "passes",
    'rate(trainingjob_operator_reconciles_total{result="error"}[5m])',
)
RECONCILE_DURATION = MetricFamily(
    "trainingjob_operator_reconcile_duration_seconds",
    "histogram",
    "Duration of a pass over a TrainingJob.",
    query="histogram_quantile(0.99, sum by (le) (rate(trainingjob_operator_reconcile_duration_seconds_bucket[5m])))",
)
API_REQUESTS = MetricFamily(
    "trainingjob_operator_api_requests_total",
    "counter",
    "Calls of the API server; code 0 means that no answer came.",
    ("verb", "resource", "code"),
    "calls",
    'sum by (verb, resource, code) (rate(trainingjob_operator_api_requests_total{code!~"2.."}[5m]))',
)
API_REQUEST_DURATION = MetricFamily(
    "trainingjob_operator_api_request_duration_seconds",
    "histogram",
    "Duration of a call of the API server.",
    ("verb",),
    query="histogram_quantile(0.99, sum by (le, verb)"
    " (rate(trainingjob_operator_api_request_duration_seconds_bucket[5m])))",
)
QUEUE_DEPTH = MetricFamily(
    "trainingjob_operator_queue_depth",
    "gauge",
    "TrainingJobs that wait for a pass.",
    unit="TrainingJobs",
    query="max_over_time(trainingjob_operator_queue_depth[10m])",
)
QUEUE_AGE = MetricFamily(
    "trainingjob_operator_queue_age_seconds",
    "gauge",
    "How long the first in the queue has waited for its pass.",
    query="trainingjob_operator_queue_age_seconds > 30",
)
WATCH_BEHIND = MetricFamily(
    "trainingjob_operator_watch_behind_seconds",
    "gauge",
    "For how long the watch has failed to show what a LIST has shown.",
    ("resource",),
    query="max by (resource) (trainingjob_operator_watch_behind_seconds) > 60",
)
LIST_AGE = MetricFamily(
    "trainingjob_operator_list_age_seconds",
    "gauge",
    "Time since everything was last listed.",
    query="trainingjob_operator_list_age_seconds > 300",
)

# The fleet

JOBS = MetricFamily(
    "trainingjob_operator_jobs",
    "gauge",
    "TrainingJobs that exist, by phase.",
    ("phase",),
    "TrainingJobs",
    'trainingjob_operator_jobs{phase=~"Pending|Queued"}',
)
PHASE_SECONDS = MetricFamily(
    "trainingjob_operator_phase_seconds_total",
    "counter",
    "Time that all TrainingJobs together have spent in a phase while this operator looked on.",
    ("phase",),
    query='sum(rate(trainingjob_operator_phase_seconds_total{phase="Running"}[1h]))'
    " / sum(rate(trainingjob_operator_phase_seconds_total[1h]))",
)
PHASE_DURATION = MetricFamily(
    "trainingjob_operator_phase_duration_seconds",
    "histogram",
    "How long a TrainingJob stayed in a phase; observed when it leaves one that it was seen to enter.",
    ("phase",),
    query="histogram_quantile(0.9, sum by (le)"
    ' (rate(trainingjob_operator_phase_duration_seconds_bucket{phase="Queued"}[1h])))',
)
PAUSE_DURATION = MetricFamily(
    "trainingjob_operator_pause_duration_seconds",
    "histogram",
    "From the wish to pause until no pod was left.",
    query="histogram_quantile(0.99, sum by (le) (rate(trainingjob_operator_pause_duration_seconds_bucket[1d])))",
)
LOST_STEPS = MetricFamily(
    "trainingjob_operator_lost_steps_total",
    "counter",
    "Steps that had been reported and had to be done again, because an attempt went on from an earlier one.",
    unit="steps",
    query="increase(trainingjob_operator_lost_steps_total[1d])",
)

# A TrainingJob


def _of_job(
    name: str, meaning: str, unit: str = "", query: str = "", *labels: str, counts: bool = False
) -> MetricFamily:
    return MetricFamily(
        f"trainingjob_operator_job_{name}", "counter" if counts else "gauge", meaning, JOB_LABELS + labels, unit, query
    )


PHASE = _of_job(
    "phase",
    "Always 1; the phase is a label, and the reason of the condition Ready.",
    "",
    "count by (phase, reason) (trainingjob_operator_job_phase)",
    "phase",
    "reason",
)
ATTEMPT = _of_job("attempt", "Attempts so far.", "attempts", "changes(trainingjob_operator_job_attempt[1h]) > 0")
RESTARTS = _of_job(
    "restarts_total",
    "Restarts after failures that spent the budget.",
    "restarts",
    "increase(trainingjob_operator_job_restarts_total[1h]) > 2",
    counts=True,
)
DISRUPTIONS = _of_job(
    "disruptions_total",
    "Drains, preemptions and lost nodes; they spend no budget.",
    "disruptions",
    "sum(increase(trainingjob_operator_job_disruptions_total[1d]))",
    counts=True,
)
START_TIMESTAMP = _of_job(
    "start_timestamp_seconds",
    "When the first attempt began.",
    query="time() - trainingjob_operator_job_start_timestamp_seconds",
)
COMPLETION_TIMESTAMP = _of_job(
    "completion_timestamp_seconds",
    "When it was complete or had failed for good.",
    query="trainingjob_operator_job_completion_timestamp_seconds - trainingjob_operator_job_start_timestamp_seconds",
)
EPOCH = _of_job(
    "epoch", "Whole epochs done.", "epochs", "trainingjob_operator_job_epoch / trainingjob_operator_job_epochs"
)
EPOCHS = _of_job(
    "epochs",
    "Epochs in all; absent while nobody knows.",
    "epochs",
    "trainingjob_operator_job_epochs - trainingjob_operator_job_epoch",
)
SAMPLES_PER_SECOND = _of_job(
    "samples_per_second",
    "Training samples a second in the last epoch; only while it runs.",
    "samples per second",
    "sum by (training_namespace) (trainingjob_operator_job_samples_per_second)",
)
REMAINING = _of_job(
    "remaining_seconds",
    "Estimate of the time left; only while it runs.",
    query="bottomk(5, trainingjob_operator_job_remaining_seconds)",
)
LAST_CHECKPOINT = _of_job(
    "last_checkpoint_timestamp_seconds",
    "When the newest checkpoint was saved.",
    query="time() - trainingjob_operator_job_last_checkpoint_timestamp_seconds"
    ' and on (training_uid) trainingjob_operator_job_phase{phase="Running"}',
)
TRAIN_LOSS = _of_job(
    "train_loss", "Training loss of the last epoch.", "of the loss", "trainingjob_operator_job_train_loss"
)
VALIDATION_LOSS = _of_job(
    "validation_loss",
    "Validation loss of the last epoch.",
    "of the loss",
    "trainingjob_operator_job_validation_loss - trainingjob_operator_job_train_loss",
)
VALIDATION_ACCURACY = _of_job(
    "validation_accuracy_ratio",
    "Validation accuracy of the last epoch (classification).",
    query="topk(10, trainingjob_operator_job_validation_accuracy_ratio)",
)
VALIDATION_MAE = _of_job(
    "validation_mae",
    "Mean absolute validation error of the last epoch (regression).",
    "of the target",
    "trainingjob_operator_job_validation_mae",
)
BEST_EPOCH = _of_job(
    "best_epoch",
    "The best epoch so far.",
    "epochs",
    "trainingjob_operator_job_epoch - trainingjob_operator_job_best_epoch > 10",
)
BEST_VALIDATION_LOSS = _of_job(
    "best_validation_loss",
    "Validation loss of the best epoch.",
    "of the loss",
    "bottomk(10, trainingjob_operator_job_best_validation_loss)",
)
BEST_VALIDATION_ACCURACY = _of_job(
    "best_validation_accuracy_ratio",
    "Validation accuracy of the best epoch (classification).",
    query="topk(10, trainingjob_operator_job_best_validation_accuracy_ratio)",
)
BEST_VALIDATION_MAE = _of_job(
    "best_validation_mae",
    "Mean absolute validation error of the best epoch (regression).",
    "of the target",
    "bottomk(10, trainingjob_operator_job_best_validation_mae)",
)
TEST_ACCURACY = _of_job(
    "test_accuracy_ratio",
    "Accuracy of the finished model on the test rows (classification).",
    query="topk(10, trainingjob_operator_job_test_accuracy_ratio)",
)
TEST_MAE = _of_job(
    "test_mae",
    "Mean absolute error of the finished model on the test rows (regression).",
    "of the target",
    "bottomk(10, trainingjob_operator_job_test_mae)",
)
USER_METRIC = _of_job(
    "user_metric",
    "What the job's own program reported for the last epoch; at most 32 names a job.",
    "as reported",
    'trainingjob_operator_job_user_metric{name="bleu"}',
    "name",
)
