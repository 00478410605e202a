"""The command: `trainer` in a pod, `trainer --config job.yaml` anywhere else."""

import os
import signal
import sys
from typing import NoReturn


def main() -> NoReturn:
    """Takes care of signals first: the kernel drops those that PID 1 neither handles nor blocks."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
    from trainer.command_line import run

    code = run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # without the interpreter's teardown, for which a pod's grace is too short to be spent on


if __name__ == "__main__":
    main()
