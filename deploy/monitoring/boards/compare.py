"""Compare: several TrainingJobs over each other, not by the clock but by epoch, step and time since their start."""

from grafana_foundation_sdk.builders.dashboard import CustomVariable
from grafana_foundation_sdk.models.dashboard import Dashboard, VariableOption

from boards.board import board as made
from boards.board import training_variables
from boards.fleet import LABELS, OPEN
from boards.panels import Column, Panels, Query, Text, bars, rows
from boards.queries import (
    MIRROR,
    PODS,
    as_mirrored,
    measured_by_pods,
    mirror,
    of_the_last,
    of_the_last_pods,
    since_the_start,
)
from boards.scatter import scatter

NONE_CHOSEN = "Nothing to show: none of the chosen trainings has finished an epoch in this time range."
MEASURES = {
    "Validation loss": "validation_loss",
    "Train loss": "train_loss",
    "Validation accuracy": "validation_accuracy_ratio",
    "Validation MAE": "validation_mae",
}
TRAINED_WITH = ("model", "optimizer", "schedule", "precision", "script", "world_size")


def board() -> Dashboard:
    """The board."""
    description = (
        "TrainingJobs beside each other: those that there are at the end of the time range, as far as it reaches back."
    )
    variables = [*training_variables(several=True), _measure()]
    rows = {"Curves": _curves(), "Best values": _best()}
    return made("trainingjob-compare", "TrainingJob / Compare", description, variables, rows)


def _measure() -> CustomVariable:
    values = ",".join(f"{name} : {value}" for name, value in MEASURES.items())
    first, value = next(iter(MEASURES.items()))
    chosen = VariableOption(selected=True, text=first, value=value)
    return CustomVariable("measure").label("Measure").values(values).current(chosen)


def _curves() -> Panels:
    steps = of_the_last_pods(f'trainingjob_step_total{{{PODS}, rank="0"}}')
    step = as_mirrored(f"max by (namespace, training_name) ({steps})")
    measure = [Column("Measure", of_the_last("${measure}"))]
    said = "The chosen measure of each training's last epoch, {}."
    by_epoch = Text("By epoch", said.format("over whole epochs done"), "short", NONE_CHOSEN)
    by_step = Text("By step", said.format("over optimizer steps; only what pods have told"), "short", NONE_CHOSEN)
    told = [
        Column(
            "Measure",
            f"max by (training_namespace, training_name) ({as_mirrored(of_the_last_pods(measured_by_pods()))})",
        )
    ]
    by_time = Text(
        "By time since the start", said.format("over seconds since the first attempt began"), "short", NONE_CHOSEN
    )
    return [
        scatter(by_epoch, Column("Epoch", of_the_last("epoch")), measure, several=True, width=8, height=12),
        scatter(by_step, Column("Step", f"max by (training_namespace, training_name) ({step})"), told, True, 8, 12),
        scatter(
            by_time, Column("Seconds since the start", since_the_start()), measure, several=True, width=8, height=12
        ),
    ]


def _best() -> Panels:
    table = Text("Best values", "Of the best epoch and of the test, with what was trained.", "short", NONE_CHOSEN)
    info = as_mirrored(f"last_over_time(trainingjob_info{{{PODS}}}[$__range])")
    info = f"{info} and on (training_uid) trainingjob_operator_job_phase{{{MIRROR}}}"
    labels = ", ".join(("training_namespace", "training_name", *TRAINED_WITH))
    share = {"unit": "percentunit", "decimals": 2}
    columns = [
        Column("Best epoch", mirror("best_epoch")),
        Column("Best validation loss", mirror("best_validation_loss")),
        Column("Best validation accuracy", mirror("best_validation_accuracy_ratio"), share),
        Column("Best validation MAE", mirror("best_validation_mae")),
        Column("Test accuracy", mirror("test_accuracy_ratio"), share),
        Column("Test MAE", mirror("test_mae")),
        Column("Duration", since_the_start(), {"unit": "s"}),
        Column("", f"max by ({labels}) ({info})"),
    ]
    headings = LABELS | {name: name.replace("_", " ").capitalize() for name in TRAINED_WITH}
    losses = Text(
        "Best validation loss", "Lower is better; losses of different kinds cannot be compared.", "short", NONE_CHOSEN
    )
    accuracies = Text("Best validation accuracy", "Higher is better.", "percentunit", "None of them classifies.")
    legend = "{{training_namespace}}/{{training_name}}"
    return [
        rows(table, columns, headings, {"TrainingJob": OPEN}),
        bars(losses, Query(f"sort({mirror('best_validation_loss')})", legend), width=12),
        bars(accuracies, Query(f"sort_desc({mirror('best_validation_accuracy_ratio')})", legend), width=12),
    ]
