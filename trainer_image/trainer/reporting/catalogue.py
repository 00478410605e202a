"""Every metric of a training, by what it is about; each with a query that shows what it is good for."""

from trainingjob_api.metrics import MetricFamily

INFO = MetricFamily(
    "trainingjob_info",
    "info",
    "Always 1; what is trained, and how, is in the labels. A program of one's own has script in place of the recipe's.",
    ("model", "optimizer", "schedule", "precision", "script", "world_size", "training_uid"),
    query="count by (model, optimizer) (trainingjob_info)",
)

# How far it is

EPOCH = MetricFamily(
    "trainingjob_epoch", "gauge", "Whole epochs done.", (), "epochs", "trainingjob_epoch / trainingjob_epochs"
)
EPOCHS = MetricFamily(
    "trainingjob_epochs",
    "gauge",
    "Epochs in all; absent while nobody knows.",
    (),
    "epochs",
    "trainingjob_epochs - trainingjob_epoch",
)
STEPS = MetricFamily(
    "trainingjob_step_total",
    "counter",
    "Optimizer steps, those of earlier attempts included.",
    (),
    "steps",
    "rate(trainingjob_step_total[1m])",
)
SAMPLES = MetricFamily(
    "trainingjob_samples_total",
    "counter",
    "Training samples of this attempt.",
    (),
    "samples",
    "sum(rate(trainingjob_samples_total[1m]))",
)
STEPS_REPLAYED = MetricFamily(
    "trainingjob_steps_replayed_total",
    "counter",
    "Steps of this attempt that an earlier one had done, as far as whole epochs tell.",
    (),
    "steps",
    "trainingjob_steps_replayed_total > 0",
)

# What it measures

LOSS = MetricFamily(
    "trainingjob_loss",
    "gauge",
    "Loss of the last epoch, or of the test.",
    ("split",),
    "of the loss",
    "trainingjob_loss",
)
ACCURACY = MetricFamily(
    "trainingjob_accuracy_ratio",
    "gauge",
    "Share of right answers (classification).",
    ("split",),
    query='topk(5, trainingjob_accuracy_ratio{split="validation"})',
)


def _macro_average(name: str, meaning: str) -> MetricFamily:
    query = f'trainingjob_{name}{{split="validation"}}'
    return MetricFamily(f"trainingjob_{name}", "gauge", meaning, ("split",), "0 to 1", query)


PRECISION = _macro_average("precision", "Precision, the mean over classes (classification).")
RECALL = _macro_average("recall", "Recall, the mean over classes (classification).")
F1 = _macro_average("f1", "F1, the mean over classes (classification).")
ROC_AUC = _macro_average("roc_auc", "Area under the ROC curve, the mean over classes (classification).")


def _error(name: str, meaning: str, unit: str) -> MetricFamily:
    query = f'trainingjob_{name}{{split="validation"}}'
    return MetricFamily(f"trainingjob_{name}", "gauge", meaning, ("split",), unit, query)


MAE = _error("mae", "Mean absolute error (regression).", "of the target")
MSE = _error("mse", "Mean squared error (regression).", "of the target, squared")
RMSE = _error("rmse", "Root of the mean squared error (regression).", "of the target")
R2 = _error("r2", "Coefficient of determination, at most 1 (regression).", "none")

USER_METRIC = MetricFamily(
    "trainingjob_user_metric",
    "gauge",
    "What the program reported for the last epoch; at most 32 names.",
    ("name",),
    "as reported",
    'trainingjob_user_metric{name="bleu"}',
)
LEARNING_RATE = MetricFamily(
    "trainingjob_learning_rate",
    "gauge",
    "Learning rate at the end of the last epoch.",
    (),
    "none",
    "trainingjob_learning_rate",
)
GRADIENT_NORM = MetricFamily(
    "trainingjob_gradient_norm",
    "gauge",
    "Norm of the last gradient that was looked at.",
    (),
    "none",
    "trainingjob_gradient_norm > 100",
)

# How fast it is, and what it waits for

SAMPLES_PER_SECOND = MetricFamily(
    "trainingjob_samples_per_second",
    "gauge",
    "Training samples a second in the last epoch.",
    (),
    "samples per second",
    "trainingjob_samples_per_second",
)
EPOCH_DURATION = MetricFamily(
    "trainingjob_epoch_duration_seconds",
    "gauge",
    "Duration of the last epoch, its evaluation included.",
    query="trainingjob_epoch_duration_seconds * (trainingjob_epochs - trainingjob_epoch)",
)
STEP_DURATION = MetricFamily(
    "trainingjob_step_duration_seconds",
    "histogram",
    "Duration of optimizer steps.",
    query="histogram_quantile(0.95, sum by (le, pod) (rate(trainingjob_step_duration_seconds_bucket[5m])))",
)
DATA_WAIT = MetricFamily(
    "trainingjob_data_wait_seconds_total",
    "counter",
    "Time of this attempt that steps waited for data.",
    query="rate(trainingjob_data_wait_seconds_total[5m]) > 0.5",
)
ACTIVITY = MetricFamily(
    "trainingjob_activity_seconds_total",
    "counter",
    "Time of this attempt by what the rank was doing: starting, restoring, training, evaluating, saving (as far as"
    " training waited for it), stopping, finishing (test, export, pictures), finished; running is a program that"
    " reports nothing.",
    ("activity",),
    query="sum by (pod, activity) (rate(trainingjob_activity_seconds_total[5m]))",
)
LAST_STEP = MetricFamily(
    "trainingjob_last_step_timestamp_seconds",
    "gauge",
    "When the last step ended.",
    query="time() - trainingjob_last_step_timestamp_seconds > 300",
)
RANK = MetricFamily(
    "trainingjob_rank",
    "gauge",
    "The rank that answers: the first one of its pod.",
    (),
    "rank",
    "count(trainingjob_rank)",
)
MEMORY = MetricFamily(
    "trainingjob_memory_bytes",
    "gauge",
    "Main memory that the rank's process has resident.",
    query="trainingjob_memory_bytes",
)
DEVICE_MEMORY = MetricFamily(
    "trainingjob_device_memory_bytes",
    "gauge",
    "Memory that the rank's tensors take on its accelerator; absent without one.",
    query="trainingjob_device_memory_bytes",
)

# What it has saved

CHECKPOINT_DURATION = MetricFamily(
    "trainingjob_checkpoint_duration_seconds",
    "gauge",
    "How long it took to save the last checkpoint.",
    query="trainingjob_checkpoint_duration_seconds > 30",
)
CHECKPOINT_SIZE = MetricFamily(
    "trainingjob_checkpoint_size_bytes",
    "gauge",
    "Size of the last checkpoint.",
    query="sum(trainingjob_checkpoint_size_bytes)",
)
CHECKPOINT_PROBLEM = MetricFamily(
    "trainingjob_checkpoint_problem",
    "gauge",
    "1 while the last save has failed, else 0.",
    (),
    "0 or 1",
    "trainingjob_checkpoint_problem == 1",
)
LAST_CHECKPOINT = MetricFamily(
    "trainingjob_last_checkpoint_timestamp_seconds",
    "gauge",
    "When the last checkpoint was saved.",
    query="time() - trainingjob_last_checkpoint_timestamp_seconds",
)

OF_EVERY_POD = frozenset({RANK, STEP_DURATION, DATA_WAIT, ACTIVITY, LAST_STEP, MEMORY, DEVICE_MEMORY})
"""What the first rank of each pod tells of itself; everything else is about the whole training, and rank 0 tells it."""
