"""A rank's work from data to result: puts the parts together and runs the loop. Imports torch."""

import torch

from trainer.checkpoint.folder import Folder
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset, require_same_data
from trainer.distributed import World, join
from trainer.export import export_folder, require_writable
from trainer.learning.early_stopping import Standing, criterion
from trainer.learning.epoch_sums import EpochSums
from trainer.learning.exactness import circumstances, use_deterministic_kernels
from trainer.learning.finish import finish
from trainer.learning.learner import Learner
from trainer.learning.loop import train
from trainer.learning.objectives import Objective, objective_for
from trainer.learning.optimizers import build_optimizer
from trainer.learning.plan import plan_for
from trainer.learning.state import TrainState
from trainer.learning.without_compiler import skip_compiler
from trainer.models import Shapes, build_model, effort_of
from trainer.pod.surroundings import Surroundings
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
    data = load_dataset(recipe, config.mounts)
    plan = around.board.plan = plan_for(recipe, len(data.train))
    _tell_size(around, data)
    world = join(config)
    require_same_data(world.gather(data.digest.encode()))
    data = data.to(world.device)
    if world.device.type == "cuda":
        around.board.device_memory = lambda: torch.cuda.memory_allocated(world.device)
    run = Run(around, world)
    objective = objective_for(recipe, data.facts)
    shapes = Shapes(data.facts.shape, objective.outputs)
    learner = _learner(recipe, world, objective, shapes)
    effort = effort_of(learner.model, shapes)
    learner.values_of_a_row = effort.widest
    _use_threads(effort.multiply_adds, -(-min(stage.batch_size for stage in plan.stages) // world.size))
    run.watch(learner.check_finite)
    state = _state(run, recipe, learner, data)
    learner.warm_up(data.train)
    run.restore(state)
    train(run, recipe, plan, learner, state, data)
    return finish(run, recipe, learner, state, data, model_folder)


def _tell_size(around: Surroundings, data: Dataset) -> None:
    around.log.event(
        "data",
        rows=len(data.train),
        validationRows=data.validation and len(data.validation),
        testRows=data.test and len(data.test),
        inputs=list(data.facts.shape),
        classes=len(data.facts.labels) if data.facts.labels else None,
    )


def _use_threads(multiply_adds: int, rows: int) -> None:
    """Threads only for steps that are worth it: for small ones handing out the work takes longer than doing it.

    By the recipe, not by a measurement: sums of several threads round differently.
    """
    worthwhile = multiply_adds * rows // _PRODUCTS_PER_THREAD
    torch.set_num_threads(max(1, min(torch.get_num_threads(), worthwhile)))


def _learner(recipe: Training, world: World, objective: Objective, shapes: Shapes) -> Learner:
    """The same weights on every rank; random numbers of its own for dropout on each."""
    torch.manual_seed(derived_seed(recipe.seed, "weights"))
    model = build_model(recipe.model, shapes).to(world.device)
    torch.manual_seed(derived_seed(recipe.seed, "dropout", world.rank))
    optimizer = build_optimizer(recipe.optimizer, model.parameters())
    return Learner(recipe, world, model, optimizer, objective)


def _state(run: Run, recipe: Training, learner: Learner, data: Dataset) -> TrainState:
    world = run.world
    return TrainState(
        learner=learner,
        sums=EpochSums(learner.objective, world.device),
        identity=Folder(run.config).identity,
        circumstances=circumstances(recipe, data.digest, world),
        features=data.facts.features,
        labels=data.facts.labels,
        standing=Standing.before(criterion(recipe)),
    )
