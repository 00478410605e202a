"""How closely a resumed training follows the one that was not interrupted, and why not more closely."""

import os
import platform
from collections.abc import Iterator, Sequence
from typing import Any, Literal, NamedTuple

import torch

from trainer.checkpoint.folder import differences
from trainer.data.dataset import is_streamed
from trainer.distributed import World
from trainingjob_api.base import Report
from trainingjob_api.spec.training import Training

Exactness = Literal["Bitwise", "StepExact", "Approximate"]
AS_ASKED, IN_FLOAT32 = "in the precision asked for", "in float32"

RULES = 2
"""What a recipe means. 1, of version 0.1: rows are held back without a look at their classes, schedules leave the
momentum alone, and the alpha of a focal loss weighs all classes but the first."""


class Likeness(NamedTuple):
    """The word for status and the reason, if it is not Bitwise."""

    exactness: Exactness
    reason: str | None = None


class Circumstances(Report):
    """What the bits of a result depend on, besides the checkpoint."""

    world_size: int
    device: str
    threads: int
    torch_version: str
    machine: str
    sums: str = "by gloo or NCCL"
    """In which order the ranks' gradients are added."""
    lstms: str = AS_ASKED
    """What they compute in, which the CPU may have a say in."""
    data_digest: str = ""
    rules: int = 1
    """Of the release that the training began with (see RULES), by which it goes on."""
    program: str | None = None
    """Digest of the user's own program, which stands for data and recipe."""
    recipe: dict[str, Any]


def circumstances(
    recipe: Training, data_digest: str, world: World, lstms: str = AS_ASKED, rules: int = RULES
) -> Circumstances:
    """Of the built-in trainer."""
    here = machine(world.device, world.size)
    sums = "by rank" if world.sums and world.size > 2 else here.sums  # two numbers have the same sum in any order
    asked = {"rules": rules, "data_digest": data_digest, "recipe": _what_matters(recipe)}
    return here.model_copy(update={"sums": sums, "lstms": lstms, **asked})


def machine(device: torch.device, world_size: int) -> Circumstances:
    """What does not depend on what is trained."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else torch.backends.cpu.get_cpu_capability()
    return Circumstances(
        world_size=world_size,
        device=f"{device.type} ({name})",
        threads=torch.get_num_threads(),
        torch_version=torch.__version__,
        machine=platform.machine(),
        recipe={},
    )


def _what_matters(recipe: Training) -> dict[str, Any]:
    """The recipe, without what does not change the steps: more epochs are only more, unless the schedule spans them."""
    fields = recipe.to_json_object()
    del fields["data"]  # its content has a digest; its paths may lie elsewhere in every pod
    immaterial = ["tensorboard", "export", "selection"]
    if not _spans_training(recipe):
        immaterial += ["epochs", "budget"]
    if recipe.schedule is None or recipe.schedule.type != "plateau":  # which watches the same metric
        immaterial += ["earlyStopping"]
    for field in immaterial:
        fields.pop(field, None)
    return fields


def _spans_training(recipe: Training) -> bool:
    """Whether more epochs would change the rates of those before."""
    schedule = recipe.schedule
    if schedule is None:
        return False
    if schedule.warmup is not None and recipe.budget is not None:  # which may end before the warm-up does
        return True
    lengths = {"cosine": schedule.t_max, "linear": schedule.total_epochs, "oneCycle": None}
    warms_up_by_share = schedule.warmup is not None and schedule.warmup.epochs == "auto"
    return warms_up_by_share or lengths.get(schedule.type, 1) is None


def use_deterministic_kernels() -> None:
    """An operation that has none raises. Must come before CUDA is first used: cuBLAS reads its setting only then."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would import the compiler


_DEGREES: tuple[Exactness, ...] = ("Bitwise", "StepExact", "Approximate")


def compare(then: Circumstances, now: Circumstances) -> Likeness:
    """How closely a training that was saved then can be followed now; the reason names all that is different."""
    found = list(_differences(then, now))
    if not found and not now.device.startswith("cpu"):
        found = [Likeness("StepExact", "a GPU may sum in another order every time")]
    if not found:
        return Likeness("Bitwise")
    worst = max((each.exactness for each in found), key=_DEGREES.index)
    return Likeness(worst, "; ".join(each.reason or "" for each in found))


def doubted(likeness: Likeness, doubts: Sequence[str]) -> Likeness:
    """The same, where what was saved is known not to be all."""
    reasons = [*([likeness.reason] if likeness.reason else []), *doubts]
    return Likeness("Approximate", "; ".join(reasons)) if doubts else likeness


def _differences(then: Circumstances, now: Circumstances) -> Iterator[Likeness]:
    is_recipe = now.program is None
    if is_streamed(then.data_digest) != is_streamed(now.data_digest):
        kinds = ["a stream" if is_streamed(each.data_digest) else "in memory" for each in (now, then)]
        yield Likeness("Approximate", f"the data is {kinds[0]}, no longer {kinds[1]}")
    elif then.data_digest != now.data_digest:
        yield Likeness("Approximate", "the data has changed")
    if then.program != now.program:
        yield Likeness("Approximate", "the program has changed")
    for field in differences(then.recipe, now.recipe):
        yield Likeness("StepExact", f"{'training' if is_recipe else 'script'}.{field} has changed")
    if then.world_size != now.world_size:
        # Which sample comes when, and what each rank keeps to itself, is the program's affair.
        word: Exactness = "StepExact" if is_recipe else "Approximate"
        yield Likeness(word, f"{now.world_size} ranks instead of {then.world_size}")
    for name in ("device", "machine", "torch_version", "threads", "sums", "lstms"):
        before, after = getattr(then, name), getattr(now, name)
        if before != after:
            yield Likeness("StepExact", f"{name.replace('_', ' ')}: {after} instead of {before}")
