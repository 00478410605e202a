"""What the command line means."""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from trainer.config import Launch, launch_from
from trainer.errors import TrainerError
from trainer.manifest import Places, launch_from_manifest
from trainer.outcome import end_of
from trainer.supervisor import say, supervise
from trainingjob_api.contract import RUN_ENV
from trainingjob_api.progress import EXIT_CODE_OF

_DESCRIPTION = """\
Trains what a TrainingJob describes.

In a pod the operator sets the environment and no option is needed. Anywhere else:

  trainer --config job.yaml
  trainer --config job.yaml --mount /data=./data --checkpoints ./checkpoints

Ctrl-C (or SIGTERM) pauses: the state is saved, and the same command goes on from there. A ConfigMap in the same file
that the job mounts is used as it is. Numbers are served at the address that the first line of the log names.
"""
_EPILOG = """\
exit codes: 0 completed, 43 paused, 44 wrong manifest or folder, 45 NaN, 46 hang, 47 lost a peer, 48 paused without
saving, 49 out of device memory, 50 wrong data, 51 no checkpoint is whole, 1 anything else
"""


def run(arguments: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    options = _parser().parse_args(arguments)
    if options.config is None and RUN_ENV not in os.environ:
        _parser().print_help()
        return 2
    with tempfile.TemporaryDirectory(prefix="trainer-data-") as scratch:
        try:
            launch = _launch(options, Path(scratch))
        except TrainerError as error:
            end = end_of(error, 0)
            print(end.message, file=sys.stderr)
            return EXIT_CODE_OF[end.outcome]
        message = supervise(launch)
    say(message)
    return message.exit_code


def _launch(options: argparse.Namespace, scratch: Path) -> Launch:
    if options.config is None:
        return launch_from(os.environ)
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the ranks of one machine need not look for a network
    places = Places(options.checkpoints, dict(options.mount), scratch)
    return launch_from_manifest(options.config, options.name, places)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="trainer", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="a manifest with a TrainingJob")
    parser.add_argument("--name", help="which TrainingJob, if the file holds several")
    parser.add_argument(
        "--mount",
        type=_mount,
        action="append",
        default=[],
        metavar="/POD/PATH=HERE",
        help="where a path of the manifest lies on this machine; may be given several times",
    )
    parser.add_argument(
        "--checkpoints",
        type=Path,
        default=Path("checkpoints"),
        metavar="FOLDER",
        help="what the checkpoint volume would be (default: ./checkpoints)",
    )
    return parser


def _mount(text: str) -> tuple[str, str]:
    there, separator, here = text.partition("=")
    if not separator or not there.startswith("/") or not here:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form /pod/path=here")
    return there, here
