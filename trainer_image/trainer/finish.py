"""After the last epoch: test, export, report, curves, and the mark that says it is done."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from trainer.checkpoint.files import replace
from trainer.checkpoint.folder import Folder
from trainer.data.dataset import Dataset
from trainer.early_stopping import criterion, is_spent
from trainer.evaluation import sums_of
from trainer.export import DEFAULT_FOLDER, export
from trainer.history import History
from trainer.learner import Learner
from trainer.programs import write_programs
from trainer.session import Run
from trainer.state import TrainState
from trainingjob_api.progress import Outcome, State, TestMetrics
from trainingjob_api.spec.training import Training


def finish(
    run: Run, recipe: Training, learner: Learner, state: TrainState, data: Dataset, model_folder: Path
) -> tuple[Outcome, str]:
    """Returns how training ended, once everything is on disk. The last state comes first: then nothing can be lost."""
    run.save(state, required=True)
    run.enter(State.FINISHED)
    if criterion(recipe).restore_best:
        state.load_best()
    run.board.test = _test(run, learner, state, data)
    run.enter(State.FINISHED)
    spent = is_spent(state.standing, recipe)
    outcome = Outcome.EARLY_STOPPED if spent else Outcome.COMPLETED
    message = _describe(recipe, state, spent)
    if run.world.is_rank_zero:
        export(model_folder, learner.model, recipe, data.facts)
        _write_results(run, recipe, model_folder, outcome, message)
    run.tell_supervisor()
    run.world.wait_for_all()  # only rank 0 knows that the results are on disk
    return outcome, message


def _test(run: Run, learner: Learner, state: TrainState, data: Dataset) -> TestMetrics | None:
    if data.test is None:
        return None
    sums = run.world.sum_on_all(sums_of(run, learner, state, data.test, data.facts.inputs))
    measures = learner.objective.evaluation_measures(sums, len(data.test))
    return TestMetrics.model_validate({**asdict(measures), "samples": len(data.test)})


def _describe(recipe: Training, state: TrainState, spent: bool) -> str:
    epochs, best = state.position.epoch, state.standing.metrics
    watched = criterion(recipe)
    text = (
        f"{epochs} epochs; the best was {best.epoch if best else epochs} ({watched.metric} {state.standing.value:.4g})"
    )
    return f"stopped early after {text}" if spent else f"completed {text}"


def _write_results(run: Run, recipe: Training, model_folder: Path, outcome: Outcome, message: str) -> None:
    """The done mark comes last: it is what a later attempt believes."""
    from trainer.curves import draw_curves  # matplotlib takes half a second that only the end needs

    folder = Folder(run.config)
    progress = run.board.progress()
    epochs = History(folder.path).epochs()
    draw_curves(epochs, run.config, progress, folder.path / "curves.png")
    replace(folder.path / "report.json", json.dumps(_report(run, outcome, message), indent=1).encode() + b"\n")
    run.enter(State.FINISHED)
    write_programs(model_folder, recipe)  # after everything that cannot go wrong
    folder.write_done(outcome, message, progress)


def _report(run: Run, outcome: Outcome, message: str) -> dict[str, Any]:
    progress, recipe = run.board.progress(), run.config.recipe
    model = recipe.export.path if recipe.export and recipe.export.path else DEFAULT_FOLDER
    return {
        "job": f"{run.config.namespace}/{run.config.name}",
        "uid": run.config.uid,
        "outcome": outcome,
        "message": message,
        "last": progress.latest and progress.latest.to_json_object(),
        "best": progress.best and progress.best.to_json_object(),
        "test": progress.test and progress.test.to_json_object(),
        "recipe": recipe.to_json_object(),
        "model": {
            "folder": model,
            "load": f"from trainer.export import load; predict = load({model!r}); predict([[...], ...])",
        },
    }
