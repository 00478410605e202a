"""The command line: `trainer` in a pod, `trainer --config job.yaml` anywhere else."""

import os
import sys
from collections.abc import Sequence

from trainer.config import launch_from
from trainer.supervisor import supervise


def main(arguments: Sequence[str] | None = None) -> int:
    launch = launch_from(os.environ)
    message = supervise(launch)
    print(message.message, file=sys.stderr)
    return message.exit_code


if __name__ == "__main__":
    sys.exit(main())
