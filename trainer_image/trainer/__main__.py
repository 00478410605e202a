"""The command: `trainer` in a pod, `trainer --config job.yaml` anywhere else."""

import signal
import sys


def main() -> int:
    """Takes care of signals first: the kernel drops those that PID 1 neither handles nor blocks."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD})
    from trainer.command_line import run

    return run()


if __name__ == "__main__":
    sys.exit(main())
