"""A rank's work from data to result: puts the parts together and runs the loop. Imports torch."""

import torch
from torch import Tensor, nn

from trainer.checkpoint.folder import Folder
from trainer.data.choices import Choices
from trainer.data.dataset import Dataset, is_streamed
from trainer.data.loading import load_dataset, require_same_data
from trainer.devices import moved, require_precision
from trainer.distributed import World, join
from trainer.export import export_folder, require_writable
from trainer.export_process import Exporter
from trainer.learning.early_stopping import Standing
from trainer.learning.epoch_sums import EpochSums
from trainer.learning.exactness import (
    AS_ASKED,
    IN_FLOAT32,
    RULES,
    Circumstances,
    circumstances,
    use_deterministic_kernels,
)
from trainer.learning.finish import agenda_of, finish
from trainer.learning.learner import Learner
from trainer.learning.loop import train
from trainer.learning.objectives import Objective, objective_for
from trainer.learning.optimizers import build_optimizer
from trainer.learning.paces import Paces
from trainer.learning.plan import notices_of, plan_for
from trainer.learning.state import TrainState, read_facts
from trainer.learning.without_compiler import skip_compiler
from trainer.models import Shapes, build_model, effort_of
from trainer.models.lstms import can_train_lstms, has_lstms, keep_lstms_in_float32
from trainer.pod.surroundings import Surroundings
from trainer.resumable import FACTS
from trainer.seeds import derived_seed
from trainer.session import Run
from trainingjob_api.progress import Outcome
from trainingjob_api.spec.training import Training

_PRODUCTS_PER_THREAD = 5_000_000  # a few milliseconds of one core


def work(around: Surroundings) -> tuple[Outcome, str]:
    """Trains; returns how it ended. Every other end is an exception."""
    config, recipe = around.config, around.config.run.recipe
    if not recipe.compile:
        skip_compiler()
    if recipe.deterministic:
        use_deterministic_kernels()
    model_folder = export_folder(recipe, Folder(config.run).path, config.mounts)
    if config.rank == 0:
        require_writable(model_folder, recipe)
    world = join(config)
    require_precision(recipe.precision, world.device)
    run = Run(around, world)
    before = _circumstances_before(run)
    data = load_dataset(recipe, config.mounts, _choices(before))
    plan = around.board.plan = plan_for(recipe, len(data.train))
    around.board.agenda = agenda_of(recipe, data)
    around.board.notices = (*data.notices, *notices_of(recipe, plan))
    _tell_size(around, data)
    require_same_data(world.gather(data.digest.encode()))
    data = moved(data, world.device)
    if world.device.type == "cuda":
        torch.backends.cudnn.benchmark = not recipe.deterministic  # batches have the same shape again and again
        around.board.device_memory = lambda: torch.cuda.memory_allocated(world.device)
    rules = before.rules if before else RULES
    objective = objective_for(recipe, data.facts, rules)
    paces = Paces(recipe, plan, rules)
    shapes = Shapes(data.facts.shape, objective.outputs)
    some = data.train.take(torch.arange(3) % len(data.train))[0].cpu()
    model = _network(recipe, world, shapes, some[:2])
    lstms = _fit_lstms(around, recipe, world, model)
    learner = _learner(recipe, world, objective, model, paces.first.momentum)
    effort = effort_of(learner.model, some[:1])
    learner.values_of_a_row = effort.widest
    _use_threads(effort.multiply_adds, -(-min(stage.batch_size for stage in plan.stages) // world.size))
    run.watch(learner.check_finite)
    here = circumstances(recipe, data.digest, world, lstms, rules)
    state = _state(run, recipe, learner, data, here)
    learner.warm_up(data.train)
    run.restore(state)
    exporter = Exporter(recipe, config.local_world_size)
    run.after_epochs(lambda: exporter.prepare(around.board, state.standing.waited))
    train(run, recipe, paces, learner, state, data)
    return finish(run, recipe, learner, state, data, model_folder, some, exporter)


def _circumstances_before(run: Run) -> Circumstances | None:
    """Those of the checkpoint that this training goes on from."""
    content = run.facts_before()
    return read_facts({FACTS: content}).circumstances if content is not None else None


def _choices(before: Circumstances | None) -> Choices:
    """What has once been decided about the data."""
    if before is None:
        return Choices()
    return Choices(by_class=before.rules > 1, as_meant=before.rules > 1, streams=is_streamed(before.data_digest))


def _tell_size(around: Surroundings, data: Dataset) -> None:
    for notice in around.board.notices:
        around.log.event("notice", message=notice)
    around.log.event(
        "data",
        rows=len(data.train),
        validationRows=data.validation and len(data.validation),
        testRows=data.test and len(data.test),
        loading="stream" if is_streamed(data.digest) else "memory",
        inputs=list(data.facts.shape),
        classes=len(data.facts.labels) if data.facts.labels else None,
    )


def _use_threads(multiply_adds: int, rows: int) -> None:
    """Threads only for steps that are worth it: for small ones handing out the work takes longer than doing it.

    By the recipe, not by a measurement: sums of several threads round differently.
    """
    worthwhile = multiply_adds * rows // _PRODUCTS_PER_THREAD
    torch.set_num_threads(max(1, min(torch.get_num_threads(), worthwhile)))


def _network(recipe: Training, world: World, shapes: Shapes, rows: Tensor) -> nn.Module:
    """The same weights on every rank."""
    torch.manual_seed(derived_seed(recipe.seed, "weights"))
    model = build_model(recipe.model, shapes, rows).to(world.device)
    if world.device.type == "cuda" and recipe.model.type == "cnn":  # as the images are: see layers.Convolution
        model = model.to(memory_format=torch.channels_last)
    return model


def _fit_lstms(around: Surroundings, recipe: Training, world: World, model: nn.Module) -> str:
    """Lets LSTMs compute in what every rank's CPU can do; says which of two ways it is, for the next attempt."""
    if world.device.type != "cpu" or recipe.precision == "float32" or not has_lstms(model):
        return AS_ASKED
    if not world.maximum([not can_train_lstms(getattr(torch, recipe.precision))])[0]:
        return AS_ASKED
    keep_lstms_in_float32(model)
    reason = f"they cannot be trained in {recipe.precision} on the CPUs that are here"
    around.log.event("precision", lstms="float32", reason=reason)
    return AS_ASKED if recipe.precision == "float16" else IN_FLOAT32  # in float16 it has never been otherwise


def _learner(recipe: Training, world: World, objective: Objective, model: nn.Module, momentum: float | None) -> Learner:
    """Random numbers of its own for dropout on each rank."""
    torch.manual_seed(derived_seed(recipe.seed, "dropout", world.rank))
    optimizer = build_optimizer(recipe.optimizer, model.parameters(), momentum)
    return Learner(recipe, world, model, optimizer, objective)


def _state(run: Run, recipe: Training, learner: Learner, data: Dataset, here: Circumstances) -> TrainState:
    return TrainState(
        learner=learner,
        sums=EpochSums(learner.objective, run.world.device),
        identity=Folder(run.config).identity,
        circumstances=here,
        features=data.facts.features,
        labels=data.facts.labels,
        standing=Standing.before(recipe),
        keeps_best=recipe.keeps_best,
    )
