"""Several trainings in one program, such as folds: each has a name, and a folder of its own below the job's."""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import FrameType

from trainer.checkpoint.folder import Folder
from trainer.distributed import World
from trainer.errors import UserError, is_users
from trainer.pod.run_folder import RUNS, RunFolder
from trainer.pod.surroundings import Surroundings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ADVICE = (
    'give each training of a program a name, such as start(name=f"fold-{fold}", ...), Pausable(name=...) or '
    "pausable(trainer, name=...); docs/scripts.md shows how"
)
_Loop = ast.For | ast.While


def require_name(name: str | None, before: tuple[str, ...] | None) -> None:
    """UserError unless a training may begin under this name.

    before: names of those that the program has begun already, None if that had none.
    """
    if name is not None and not _NAME.fullmatch(name):
        raise UserError(f"start(name={name!r}): a name is 1 to 63 letters, digits, '.', '_' or '-'")
    if before is None or (name is None and before):
        raise UserError(f"start() can be called once without a name: {_ADVICE}")
    if name in before:
        raise UserError(f"start(name={name!r}): this program has had a training of that name")
    if name is None and (place := _loop_around(sys._getframe(1))):
        raise UserError(f"start() is called in a loop, {place}, and could train only once: {_ADVICE}")


def in_its_folder(around: Surroundings, name: str, number: int, world: World) -> Surroundings:
    """The surroundings of a named training, whose folder is then this attempt's.

    Metrics and progress are those of the newest.
    """
    job = around.config.run
    run = job.model_copy(update={"checkpoint_path": str(Path(job.checkpoint_path) / RUNS / name)})
    if world.is_rank_zero:
        Path(run.checkpoint_path).parent.mkdir(exist_ok=True)
        Folder(run).claim()
    RunFolder(around.config.folder).write_place(run.checkpoint_path)
    around.board.begin(run)
    around.board.notices = (f"the numbers are those of {name}, training {number} of the program",)
    around.log.event("training", called=name, number=number)
    return replace(around, config=replace(around.config, run=run))


def epochs_done(around: Surroundings, world: World) -> int:
    """How many a named training was asked for when it ended, which may have been before the last; 0: it has not."""
    record = Folder(around.config.run).done() if world.is_rank_zero else None
    return int(world.from_rank_zero(str(record.progress.epochs if record else 0).encode()))


def _loop_around(frame: FrameType | None) -> str | None:
    """Where a loop begins that is sure to come back to the code that runs now; the user's code only."""
    while frame is not None:
        file, line = frame.f_code.co_filename, frame.f_lineno
        if is_users(file) and (loop := _loop_at(file, line)):
            return f"{Path(file).name}:{loop.lineno}"
        is_program = frame.f_code.co_name == "<module>" and frame.f_globals.get("__name__") == "__main__"
        frame = None if is_program else frame.f_back
    return None


def _loop_at(file: str, line: int) -> _Loop | None:
    try:
        tree = ast.parse(Path(file).read_bytes())
    except (OSError, SyntaxError, ValueError):  # typed in, or in a notebook
        return None
    found = None
    for node in _down_to(tree, line):
        if isinstance(node, _Loop):
            found = node if _holds(node.body[0], node.body[-1], line) else None
        elif not isinstance(node, ast.With | ast.expr | ast.Expr | ast.Assign | ast.AnnAssign | ast.keyword):
            found = None  # a condition, or another function
    return None if found is None or any(isinstance(each, ast.Break | ast.Return) for each in ast.walk(found)) else found


def _down_to(node: ast.AST, line: int) -> Iterator[ast.AST]:
    """What holds a line, the outermost first."""
    for child in ast.iter_child_nodes(node):
        if _holds(child, child, line):
            yield child
            yield from _down_to(child, line)
            return


def _holds(first: ast.AST, last: ast.AST, line: int) -> bool:
    begin, end = getattr(first, "lineno", None), getattr(last, "end_lineno", None)
    return begin is not None and end is not None and begin <= line <= end
