"""Training job: one TrainingJob, from its pods while they run and from the operator's mirror when not."""

from grafana_foundation_sdk.builders.dashboard import AnnotationQuery
from grafana_foundation_sdk.models.dashboard import Dashboard
from grafana_foundation_sdk.models.dashboard import DynamicConfigValue as Property
from grafana_foundation_sdk.models.xychart import XYShowMode

from boards.board import annotation, training_variables
from boards.board import board as made
from boards.panels import (
    ACTIVITIES,
    PHASES,
    Column,
    Panels,
    Query,
    Text,
    colored,
    curve,
    dashed,
    logarithmic,
    number,
    timeline,
)
from boards.queries import (
    MIRROR,
    PODS,
    live_or_mirrored,
    mirror,
    of_the_last,
    quantile,
    rank_0,
    running,
    since_the_start,
)
from boards.scatter import scatter

OTHER_TASK = "Nothing to show: only trainings of the other task report this, or no epoch has ended in this time range."
UNTESTED = "not over, no test rows, or the other task"
ENDED = "Nothing to show: no pod of this training was scraped in this time range."


def board() -> Dashboard:
    """The board."""
    rows = {
        "Summary": _summary(),
        "Quality": _quality(),
        "Speed": _speed(),
        "Optimizer and own metrics": _optimizer(),
        "Memory and checkpoints": _storage(),
        "Accelerators": _accelerators(),
    }
    description = (
        "One TrainingJob: curves, speed, checkpoints and what its time goes into. Finished ones show what status kept."
    )
    variables = training_variables(several=False)
    return made("trainingjob-training", "TrainingJob / Training job", description, variables, rows, _annotations())


def _annotations() -> list[AnnotationQuery]:
    def grew(metric: str) -> str:
        return f"max(increase(trainingjob_operator_job_{metric}{{{MIRROR}}}[1m])) > 0"

    phase = f"trainingjob_operator_job_phase{{{MIRROR}, phase"
    resumed = f'max({phase}=~"Starting|Running"}}) and max(max_over_time({phase}="Paused"}}[1m]))'
    return [
        annotation("Paused", f'max({phase}=~"Pausing|Paused"}})', "blue"),
        annotation("Resumed", resumed, "green"),
        annotation("Restarted", grew("restarts_total"), "red"),
        annotation("Disrupted", grew("disruptions_total"), "orange"),
        annotation("New attempt", f"max(changes(trainingjob_operator_job_attempt{{{MIRROR}}}[1m])) > 0", "purple"),
    ]


def _summary() -> Panels:
    left = Text("Time left", "The operator's estimate.", "s", "does not run")
    since = Text("Duration", "From the first attempt's beginning to the end, or until now.", "s", "not begun")
    best = Text("Best epoch", "By the metric that selects the model.", "short", "none yet")
    progress = Text("Progress", "Whole epochs done, of those asked for.", "percentunit", "nobody knows how many epochs")
    restarts = Text("Restarts", "Restarts after failures that spent the budget.", "short", "no such TrainingJob")
    goodput = Text(
        "Goodput, last hour",
        "Share of the last hour, or since its start, of steps that count.",
        "percentunit",
        "no pod answers",
    )
    lane = Text(
        "Phase",
        "What the TrainingJob was doing, and the reason of its condition Ready.",
        "short",
        "There is no such TrainingJob in this time range.",
    )
    phases = f"max by (phase, reason) (trainingjob_operator_job_phase{{{MIRROR}}})"
    return [
        number(progress, Query(f"{mirror('epoch')} / {mirror('epochs')}")),
        number(left, Query(mirror("remaining_seconds"))),
        number(since, Query(since_the_start())),
        number(best, Query(mirror("best_epoch"))),
        number(restarts, Query(mirror("restarts_total"))),
        number(goodput, Query(f"training:goodput:ratio_rate1h{{{PODS}}}")),
        colored(timeline(lane, Query(phases, "{{phase}}: {{reason}}")), PHASES),
    ]


def _quality() -> Panels:
    loss = Text("Loss", "Of the last epoch; dashed: the best epoch's validation loss.", "short")
    by_epoch = Text(
        "Loss by epoch",
        "An epoch that was the best so far is marked; the last mark is the model that is kept.",
        "short",
    )
    accuracy = Text("Accuracy", "Share of right answers; dashed: the best epoch's.", "percentunit", OTHER_TASK)
    errors = Text("Errors", "MAE is in the unit of the target, MSE in its square.", "short", OTHER_TASK)
    classes = Text(
        "Precision, recall, F1, ROC AUC", "On validation rows, the mean over classes.", "percentunit", OTHER_TASK
    )
    drawn = [("Train", "train_loss"), ("Validation", "validation_loss")]
    ys = [Column(name, of_the_last(metric)) for name, metric in drawn]
    best = Column("Best epoch", of_the_last("best_epoch")), Column("Best", of_the_last("best_validation_loss"))
    over_epochs = scatter(by_epoch, Column("Epoch", of_the_last("epoch")), ys, several=False, mark=best)
    best_loss = Query(f"max({mirror('best_validation_loss')})", "best")
    return [
        *_reached(),
        dashed(
            curve(loss, *_splits("loss", "train_loss", "validation_loss"), best_loss, width=12, height=10, floor=None),
            "best",
        ),
        over_epochs.override_by_name("Best", _mark()),
        dashed(
            curve(
                accuracy,
                Query(rank_0("accuracy_ratio", 'split="train"', "split"), "{{split}}"),
                Query(live_or_mirrored("accuracy_ratio", "validation", "validation_accuracy_ratio"), "{{split}}"),
                Query(f"max({mirror('best_validation_accuracy_ratio')})", "best"),
                floor=None,
            ),
            "best",
        ),
        logarithmic(
            curve(
                errors,
                Query(live_or_mirrored("mae", "validation", "validation_mae"), "MAE {{split}}"),
                Query(rank_0("mae", 'split="train"', "split"), "MAE {{split}}"),
                Query(rank_0("mse", by="split"), "MSE {{split}}"),
                Query(rank_0("rmse", 'split="validation"', "split"), "RMSE {{split}}"),
                floor=None,
            )
        ),
        curve(
            classes,
            *(
                Query(rank_0(name, 'split="validation"', "split"), name)
                for name in ("precision", "recall", "f1", "roc_auc")
            ),
            floor=None,
        ),
    ]


def _reached() -> Panels:
    """What one looks for first, from the mirror: also of a training that has ended."""
    regression, classification = "no regression, or no epoch yet", "no classification, or no epoch yet"
    told = [
        ("Validation loss", "Of the last epoch.", "short", "validation_loss", "none yet"),
        ("Best validation loss", "Of the best epoch.", "short", "best_validation_loss", "none yet"),
        ("Best accuracy", "On validation rows.", "percentunit", "best_validation_accuracy_ratio", classification),
        ("Best MAE", "On validation rows, in the target's unit.", "short", "best_validation_mae", regression),
        ("Test accuracy", "Of the finished model, on the test rows.", "percentunit", "test_accuracy_ratio", UNTESTED),
        ("Test MAE", "Of the finished model, on the test rows.", "short", "test_mae", UNTESTED),
    ]
    return [
        number(Text(title, said, unit, empty), Query(mirror(metric)), decimals=None)
        for title, said, unit, metric, empty in told
    ]


def _mark() -> list[Property]:
    return [Property("custom.show", XYShowMode.POINTS), Property("custom.pointSize", {"fixed": 12})]


def _splits(metric: str, train: str, validation: str) -> list[Query]:
    return [
        Query(live_or_mirrored(metric, split, mirrored), "{{split}}")
        for split, mirrored in (("train", train), ("validation", validation))
    ]


def _speed() -> Panels:
    histogram = "trainingjob_step_duration_seconds"
    rate = Text("Samples a second", "In training: over the last epoch, and now.", "short")
    steps = Text("Step time", "Quantiles over all ranks, and the mean of the slowest rank.", "s", ENDED)
    epoch = Text("Epoch duration", "Of the last epoch, its evaluation included.", "s", ENDED)
    still = Text(
        "Since the last step",
        "By pod, when it was scraped: the first one to stand still is the one to look at.",
        "s",
        ENDED,
    )
    waits = Text("Waiting for data", "Share of the time, by pod.", "percentunit", ENDED)
    activity = Text("Time by activity", "What rank 0 was doing, and how long it was not there.", "percentunit")
    last_step = f"trainingjob_last_step_timestamp_seconds{{{PODS}}}"
    activities = f'sum by (activity) (rate(trainingjob_activity_seconds_total{{{PODS}, rank="0"}}[$__rate_interval]))'
    stood = f'max by (phase) (trainingjob_operator_job_phase{{{MIRROR}, phase=~"Paused|Queued|Pending|Restarting"}})'
    return [
        curve(
            rate,
            Query(f"{rank_0('samples_per_second', by='rank')}", "last epoch"),
            Query(f'sum(rate(trainingjob_samples_total{{{PODS}, rank="0"}}[$__rate_interval]))', "now"),
        ),
        curve(
            steps,
            *(Query(quantile(share, histogram, PODS), f"{share:.0%}") for share in (0.5, 0.95, 0.99)),
            Query(f"training:step_duration_seconds:mean5m{{{PODS}}}", "mean"),
        ),
        curve(epoch, Query(rank_0("epoch_duration_seconds", by="rank"), "epoch")),
        curve(still, Query(f"clamp_min(timestamp({last_step}) - {last_step}, 0)", "{{pod}}")),
        curve(
            waits,
            Query(f"rate(trainingjob_data_wait_seconds_total{{{PODS}}}[$__rate_interval])", "{{pod}}"),
        ),
        colored(
            curve(activity, Query(activities, "{{activity}}"), Query(stood, "{{phase}}"), stacked=True).max(1),
            ACTIVITIES | PHASES,
        ),
    ]


def _optimizer() -> Panels:
    learning = Text("Learning rate", "At the end of the last epoch.", "sci", ENDED)
    norm = Text("Gradient norm", "Of the last gradient that was looked at.", "short", ENDED)
    own = Text(
        "Metrics of a program",
        "What a program of one's own reports, by its name.",
        "short",
        "It reports no metrics of its own.",
    )
    live = rank_0("user_metric", by="name")
    kept = f"max by (name) (trainingjob_operator_job_user_metric{{{MIRROR}}})"
    return [
        curve(learning, Query(rank_0("learning_rate", by="rank"), "learning rate")),
        curve(norm, Query(rank_0("gradient_norm", by="rank"), "gradient norm")),
        curve(own, Query(f"{live} or {kept}", "{{name}}"), floor=None),
    ]


def _storage() -> Panels:
    memory = Text("Memory", "Of each pod's first rank: what its process has resident.", "bytes", ENDED)
    age = Text(
        "Age of the last checkpoint",
        "What a crash would cost now, while it runs.",
        "s",
        "It does not run, or has no checkpoint yet.",
    )
    size = Text("Checkpoint size", "Of the last checkpoint.", "bytes", ENDED)
    duration = Text("Saving", "How long the last save took; 1 in *failed* while the last one failed.", "s", ENDED)
    saved = f'trainingjob_last_checkpoint_timestamp_seconds{{{PODS}, rank="0"}}'
    mirrored = running(f"time() - {mirror('last_checkpoint_timestamp_seconds')}")
    return [
        curve(
            memory,
            Query(f"trainingjob_memory_bytes{{{PODS}}}", "{{pod}}"),
            width=6,
        ),
        curve(age, Query(f"max(timestamp({saved}) - {saved}) or max({mirrored})", "age"), width=6),
        curve(size, Query(rank_0("checkpoint_size_bytes", by="rank"), "size"), width=6),
        curve(
            duration,
            Query(rank_0("checkpoint_duration_seconds", by="rank"), "took"),
            Query(rank_0("checkpoint_problem", by="rank"), "failed"),
            width=6,
        ),
    ]


def _accelerators() -> Panels:
    busy = Text("GPU use", "How busy each GPU is (NVIDIA's DCGM exporter).", "percent", "No GPU, or no DCGM exporter.")
    memory = Text(
        "Accelerator memory", "What tensors of each pod's first rank take.", "bytes", "It uses no accelerator."
    )
    mine = f"and on (namespace, pod) trainingjob_rank{{{PODS}}}"
    return [
        curve(busy, Query(f"DCGM_FI_DEV_GPU_UTIL {mine}", "{{pod}} {{gpu}}"), width=12, height=6),
        curve(memory, Query(f"trainingjob_device_memory_bytes{{{PODS}}}", "{{pod}}"), width=12, height=6),
    ]
