"""After the last epoch: test, export, report, curves, and the mark that says it is done."""

from dataclasses import asdict
from pathlib import Path

from torch import Tensor

from trainer.checkpoint.files import replace
from trainer.checkpoint.folder import Folder
from trainer.data.dataset import Dataset
from trainer.errors import NonFinite
from trainer.export import export
from trainer.export_formats import DOING, SECONDS, formats_of, write_program
from trainer.export_process import Exporter
from trainer.learning.early_stopping import is_spent
from trainer.learning.evaluation import look_at
from trainer.learning.learner import Learner
from trainer.learning.objectives import Classification
from trainer.learning.state import TrainState
from trainer.reporting.agenda import Agenda, Task
from trainer.reporting.history import History
from trainer.reporting.report import ClassReport, Evaluation, as_text, report
from trainer.session import Run
from trainingjob_api.progress import EpochMetrics, Outcome, Progress, State, TestMetrics
from trainingjob_api.spec.training import Training

EVALUATING, EXPORTING, DRAWING = "evaluating the finished model", "exporting the model", "drawing its curves"


def agenda_of(recipe: Training, data: Dataset) -> Agenda:
    """What this training will do after its last epoch."""
    looked_at = data.test if data.test is not None else data.validation
    evaluating = Task(EVALUATING, rows=len(looked_at) if looked_at is not None else 0)
    programs = [Task(DOING[kind], SECONDS[kind]) for kind in formats_of(recipe)]
    return Agenda([evaluating, Task(EXPORTING, 0.1), Task(DRAWING, 1.0), *programs])


def finish(
    run: Run,
    recipe: Training,
    learner: Learner,
    state: TrainState,
    data: Dataset,
    model_folder: Path,
    some: Tensor,
    exporter: Exporter,
) -> tuple[Outcome, str]:
    """Returns how training ended, once everything is on disk. The last state comes first: then nothing can be lost.

    some: a few training rows, to try the exported programs with.
    """
    run.save(state, required=True)
    with run.doing(EVALUATING):
        state.load_best()
        evaluation = _evaluate(run, learner, state, data)
        run.board.test = _test_metrics(evaluation)
    spent = is_spent(state.standing, recipe) and state.epoch < run.board.epochs
    outcome = Outcome.EARLY_STOPPED if spent else Outcome.COMPLETED
    message = _describe(recipe, state, spent)
    if run.world.is_rank_zero:
        if run.board.test is not None:
            run.log.event("test", **run.board.test.to_json_object())
        with run.doing(EXPORTING):
            export(model_folder, learner.model, recipe, data.facts)
            exporter.begin(model_folder, some)
        _write_results(run, state, model_folder, evaluation, (outcome, message), some, exporter)
    run.enter(State.FINISHED)
    run.tell_supervisor()
    run.world.wait_for_all()  # only rank 0 knows that the results are on disk
    return outcome, message


def _evaluate(run: Run, learner: Learner, state: TrainState, data: Dataset) -> Evaluation | None:
    rows = data.test if data.test is not None else data.validation
    if rows is None:
        return None
    objective = learner.objective
    seen = look_at(run, learner, state, rows, State.FINISHING)
    measures = objective.evaluation_measures(seen)
    classes = None
    if isinstance(objective, Classification) and data.facts.labels is not None:
        classes = ClassReport.of(objective.counts(seen), data.facts.labels)
    return Evaluation("validation" if data.test is None else "test", len(rows), measures, classes)


def _test_metrics(evaluation: Evaluation | None) -> TestMetrics | None:
    if evaluation is None or evaluation.split != "test":
        return None
    try:
        return TestMetrics.model_validate({**asdict(evaluation.measures), "samples": evaluation.samples})
    except ValueError as error:
        raise NonFinite(f"the finished model has a loss of {evaluation.measures.loss} on the test rows") from error


def _describe(recipe: Training, state: TrainState, spent: bool) -> str:
    epochs, best = state.epoch, state.standing.metrics
    text = "1 epoch" if epochs == 1 else f"{epochs} epochs"
    if best is not None and recipe.best_by is not None:
        kept = "" if recipe.keeps_best else ", the last one is kept"
        text += f"; the best was {best.epoch} ({recipe.best_by.metric} {state.standing.value:.4g}){kept}"
    return f"stopped early after {text}" if spent else f"completed {text}"


def _write_results(
    run: Run,
    state: TrainState,
    model_folder: Path,
    evaluation: Evaluation | None,
    end: tuple[Outcome, str],
    some: Tensor,
    exporter: Exporter,
) -> None:
    """The done mark comes last: it is what a later attempt believes."""
    folder, progress = Folder(run.config), run.board.progress()
    epochs = History(folder.path).epochs()
    with run.doing(DRAWING):
        _draw(run, progress, epochs, evaluation)
    document = report(run.config, progress, epochs, state.circumstances, evaluation, *end)
    replace(folder.path / "report.json", as_text(document).encode())
    for kind in formats_of(run.config.recipe):  # after everything that cannot go wrong
        with run.doing(DOING[kind]):
            if not exporter.has_written(kind):
                write_program(kind, model_folder, some)
    run.board.enter(State.FINISHED)
    folder.write_done(*end, run.board.progress())


def _draw(run: Run, progress: Progress, epochs: list[EpochMetrics], evaluation: Evaluation | None) -> None:
    from trainer.reporting.curves import draw_curves  # matplotlib takes half a second that only the end needs
    from trainer.reporting.report_picture import draw_report

    folder = Folder(run.config).path
    draw_curves(epochs, run.config, progress, folder / "curves.png")
    if evaluation and evaluation.classes and evaluation.classes.confusion:
        title = f"{run.config.name}: {evaluation.samples} {evaluation.split} rows"
        draw_report(evaluation.classes, title, folder / "report.png")
