"""The training loop."""

from trainer.data.batches import batches
from trainer.data.dataset import Dataset
from trainer.learning.augmentation import augmentation_for
from trainer.learning.clock import EpochClock
from trainer.learning.early_stopping import is_spent, measured
from trainer.learning.evaluation import measure_epoch
from trainer.learning.learner import Learner
from trainer.learning.paces import Paces
from trainer.learning.schedules import warmup_epochs
from trainer.learning.state import TrainState
from trainer.session import Run
from trainingjob_api.progress import State
from trainingjob_api.spec.training import Training


def train(run: Run, recipe: Training, paces: Paces, learner: Learner, state: TrainState, data: Dataset) -> None:
    """Trains to the last epoch or to where early stopping ends it. A stop on request raises Stopped from `run.save`."""
    plan = paces.plan
    augment = augmentation_for(recipe, data.facts, run.world.device)
    while state.epoch < plan.epochs and not is_spent(state.standing, recipe):
        run.enter(State.TRAINING)
        clock, epoch = EpochClock(state), state.epoch
        stage, consumed = plan.stage_at(epoch), state.consumed
        drawn = batches(data.train, stage, recipe.seed, epoch, consumed, run.world, augment)
        steps = zip(run.board.awaited(drawn), paces.of_epoch(epoch, consumed, state.plateau), strict=True)
        for batch, pace in steps:
            outputs, loss_sum = learner.step(batch, pace)
            state.sums.add(outputs, batch.targets, loss_sum, batch.size)
            state.advance(batch.size)
            run.count_step(batch.size)
            is_last = state.consumed == plan.rows  # what is due then comes after the evaluation
            if not is_last and (run.should_stop() or run.save_is_due()):
                clock.note(state)
                run.save(state)
        clock.note(state)
        if run.should_stop(now=True):
            run.save(state)

        # Not what the optimizer has: after a stop between the last step and here it has taken no step in this process.
        rate = paces.last_of(epoch, state.plateau).rate
        metrics = measure_epoch(run, learner, state, data, rate, clock)
        if recipe.schedule and recipe.schedule.type == "plateau" and epoch >= warmup_epochs(recipe, plan):
            value = measured(metrics, recipe.watched, "earlyStopping")
            state.plateau = state.plateau.after(value, recipe.watched.direction, recipe.schedule)
        state.finish_epoch(state.standing.after(metrics, recipe))
        run.report(metrics, state.standing.metrics)
        if run.save_is_due(epoch_done=True):
            run.save(state)
