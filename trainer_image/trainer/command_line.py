"""What the command line means."""

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.config import Launch, launch_from
from trainer.errors import TrainerError
from trainer.manifest import Places, launch_from_manifest
from trainer.pod.outcome import end_of
from trainer.pod.supervisor import refuse, say, supervise
from trainer.reporting.comparison import Variant, compare, variants_in, variants_varied
from trainingjob_api.contract import RUN_ENV, ExitCode
from trainingjob_api.progress import EXIT_CODE_OF

_DESCRIPTION = """\
Trains what a TrainingJob describes.

In a pod the operator sets the environment and no option is needed. Anywhere else:

  trainer --config job.yaml
  trainer --config job.yaml --mount /data=./data --checkpoints ./checkpoints
  trainer compare --config job.yaml --vary model.activation=relu,tanh,gelu

Ctrl-C (or SIGTERM) pauses: the state is saved, and the same command goes on from there. A ConfigMap in the same file
that the job mounts or takes variables from is used as it is. Paths of mounts are replaced in a program's arguments and
in variables as well. Numbers are served at the address that the first line of the log names.
"""
_EPILOG = """\
exit codes: 0 completed, 43 paused, 44 wrong manifest or folder, 45 NaN, 46 hang, 47 lost a peer, 48 paused without
saving, 49 out of memory, 50 wrong data, 51 no checkpoint is whole, 1 anything else
"""
_LEFT_BEHIND = "model", "curves.png", "report.png", "report.json", "output"


def run(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.config is None and (options.command or RUN_ENV not in os.environ):
        parser.print_help()
        return 2
    with tempfile.TemporaryDirectory(prefix="trainer-data-") as scratch:
        try:
            return _compare(options, Path(scratch)) if options.command else _train(options, Path(scratch))
        except TrainerError as error:
            end = end_of(error, 0)
            print(end.message, file=sys.stderr)
            return EXIT_CODE_OF[end.outcome]


def _train(options: argparse.Namespace, scratch: Path) -> int:
    launch = _launch(options, options.checkpoints, scratch) if options.config else _pod()
    for note in launch.notes:
        print(note, file=sys.stderr)
    message = supervise(launch)
    say(message)
    if options.config and message.exit_code == ExitCode.COMPLETED:
        _tell_where(Path(launch.run.checkpoint_path))
    return message.exit_code


def _tell_where(folder: Path) -> None:
    """For whoever sits in front of it."""
    paths = [folder / name for name in _LEFT_BEHIND]
    if found := [path.name for path in paths if path.is_file() or (path.is_dir() and any(path.iterdir()))]:
        print(f"in {folder}: {', '.join(found)}", file=sys.stderr)


def _pod() -> Launch:
    try:
        return launch_from(os.environ)
    except TrainerError as error:
        refuse(os.environ, error)
        raise


def _compare(options: argparse.Namespace, scratch: Path) -> int:
    variants = variants_in(options.variants) if options.variants else variants_varied(options.vary)
    output: Path = options.output

    def launch_of(variant: Variant) -> Launch:
        return _launch(options, output / variant.folder, scratch / variant.folder, variant.changes)

    return compare(variants, launch_of, output)


def _launch(
    options: argparse.Namespace, checkpoints: Path, scratch: Path, changes: Mapping[str, Any] | None = None
) -> Launch:
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the ranks of one machine need not look for a network
    places = Places(checkpoints, dict([*options.mount, *options.mount_of_compare]), scratch)
    return launch_from_manifest(options.config, options.name, places, changes)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trainer", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _add_manifest(parser)
    parser.set_defaults(config=None, name=None, mount_of_compare=[])
    parser.add_argument(
        "--checkpoints",
        type=Path,
        default=Path("checkpoints"),
        metavar="FOLDER",
        help="what the checkpoint volume would be (default: ./checkpoints)",
    )
    _add_compare(parser.add_subparsers(dest="command", metavar="compare"))
    return parser


def _add_compare(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = commands.add_parser(
        "compare",
        help="train several variants of one manifest: one table, one picture",
        description="Trains the variants one after the other. The same command goes on where it was stopped.",
    )
    _add_manifest(parser, mount="mount_of_compare")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument(
        "--vary",
        action="append",
        metavar="FIELD=VALUE,VALUE",
        help="values of one field of spec.training; given several times: all combinations",
    )
    which.add_argument(
        "--variants", type=Path, metavar="FILE", help="YAML: a name for each variant, and what differs in spec.training"
    )
    parser.add_argument(
        "--output", type=Path, default=Path("comparison"), metavar="FOLDER", help="default: ./comparison"
    )


def _add_manifest(parser: argparse.ArgumentParser, mount: str = "mount") -> None:
    """The same before and after `compare`, whose parser replaces what was given before by what it has itself.

    Hence it has no defaults of its own, and mounts are collected under another name.
    """
    absent = argparse.SUPPRESS
    parser.add_argument("--config", type=Path, default=absent, metavar="FILE", help="a manifest with a TrainingJob")
    parser.add_argument("--name", default=absent, help="which TrainingJob, if the file holds several")
    parser.add_argument(
        "--mount",
        dest=mount,
        type=_mount,
        action="append",
        default=[],
        metavar="/POD/PATH=HERE",
        help="where a path of the manifest lies on this machine; may be given several times",
    )


def _mount(text: str) -> tuple[str, str]:
    there, separator, here = text.partition("=")
    if not separator or not there.startswith("/") or not here:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form /pod/path=here")
    return there, here
