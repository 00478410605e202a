"""Where a user's program becomes a run: in a pod, below `trainer --config`, or by itself."""

import atexit
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import torch
import torch.distributed as dist

from trainer.checkpoint.folder import Folder, next_attempt
from trainer.checkpoint.occupancy import LOCAL_UID
from trainer.config import Mounts, RankConfig
from trainer.distributed import World, join_on
from trainer.learning.exactness import Circumstances, machine
from trainer.pod import program
from trainer.pod.program import Program
from trainer.pod.stopping import StopRequest, handle
from trainer.pod.surroundings import Surroundings, prepare
from trainer.script.named import epochs_done, in_its_folder, require_name
from trainer.script.objects import Objects
from trainer.script.order import spare_workers
from trainer.script.run import ScriptRun
from trainer.script.state import ScriptState, device_of, with_generators
from trainer.session import Run
from trainingjob_api.progress import RunConfig
from trainingjob_api.spec.lifecycle import Deadlines
from trainingjob_api.spec.script import Script

_FOLDER = Path("checkpoints")


def start(*, name: str | None = None, own: Mapping[str, object] | None = None, **objects: object) -> ScriptRun:
    """Makes the program's objects those of its newest checkpoint, if there is one, and returns the run.

    objects: all that the rest of the training depends on, such as model, optimizer, scheduler, scaler: whatever has
    state_dict() and load_state_dict(), a torch.Generator, the module `random`, or a dict. Random generators of torch,
    Python and numpy need not be given. DDP, DataParallel and compiled modules stand for the module inside.
    own: the same for what differs between ranks.
    name: of this training, where a program has several one after the other; each has its own checkpoints.
    """
    shared, mine = Objects(objects), with_generators(own or {})
    mine.pack(), shared.pack()  # what cannot be saved is told now, not after the first epoch
    device = device_of(shared)
    spare_workers()
    running = program.running
    names = running.names if running else ()
    require_name(name, names)
    if running is not None and running.finish is not None:
        running.finish()
    around, world = _in_pod(running, device) if running else _alone(device)
    names = None if name is None else (*(names or ()), name)
    its = in_its_folder(around, name, len(names or ()), world) if name is not None else around
    run = Run(its, world)
    state = ScriptState(shared, mine, _circumstances(around, world), _seed(world))
    run.restore(state)
    is_alone = running is None or running.is_alone
    script_run = ScriptRun(run, state, is_alone, epochs_done(its, world) if name is not None else 0)
    program.running = Program(around, script_run.finish, names, is_alone, lambda: script_run.is_without_batches)
    gc.freeze()  # torch's objects stay anyway; looking through them again and again took a tenth of a DataLoader's time
    atexit.register(gc.unfreeze)  # else packages take what is still there at the end for leaks, and say so
    return script_run


def _in_pod(running: Program, device: torch.device) -> tuple[Surroundings, World]:
    config = running.around.config
    return running.around, join_on(device, config.world_size, config.run.deadlines)


def _alone(device: torch.device) -> tuple[Surroundings, World]:
    """`python train.py` or `torchrun train.py`: checkpoints go to ./checkpoints/<program>; Ctrl-C and SIGTERM pause."""
    path = Path(sys.argv[0] or "program.py")
    size = dist.get_world_size() if dist.is_initialized() else int(os.environ.get("WORLD_SIZE") or 1)
    world = join_on(device, size, Deadlines())
    script = Script(path=f"{path.stem}.py", args=sys.argv[1:])
    folder = _FOLDER / path.stem
    attempt = int(world.from_rank_zero(str(next_attempt(folder)).encode() if world.is_rank_zero else None))
    run = RunConfig(
        namespace="local", name=path.stem, uid=LOCAL_UID, attempt=attempt, script=script, checkpoint_path=str(folder)
    )
    until_exit = ExitStack()
    atexit.register(until_exit.close)
    if world.is_rank_zero:
        until_exit.enter_context(Folder(run).occupied())
        Folder(run).claim()
    temporary = Path(until_exit.enter_context(tempfile.TemporaryDirectory(prefix="trainer-")))
    config = RankConfig(run, world.rank, world.size, 1, world.rank, temporary, Mounts(), pod_ip=None)
    return prepare(config, _listen(world.size), has_terminal=False), world


def _listen(size: int) -> StopRequest:
    stop = StopRequest()

    def ask(number: int, frame: object) -> None:
        if stop.is_set and number == signal.SIGINT and size == 1:
            raise KeyboardInterrupt  # twice: somebody does not want to wait
        stop.set()

    handle({signal.SIGINT: ask, signal.SIGTERM: ask})
    return stop


def _circumstances(around: Surroundings, world: World) -> Circumstances:
    script = around.config.run.script
    assert script is not None
    path = Path(sys.argv[0])
    here = machine(world.device, world.size)
    return here.model_copy(update={"program": program.digest(path), "recipe": {"args": script.args}})


def _seed(world: World) -> int:
    """Rank 0's word; a checkpoint's counts more."""
    return int(world.from_rank_zero(str(torch.initial_seed() >> 1).encode() if world.is_rank_zero else None))
