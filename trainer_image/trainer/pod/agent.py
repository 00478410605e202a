"""torchrun, plus one thing: it tells the supervisor the exit codes of ranks that could not say how they ended."""

import logging
import os
import signal
import sys
from pathlib import Path

from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import parse_args, run

from trainer.config import RUN_FOLDER_ENV
from trainer.pod.processes import die_with_parent
from trainer.pod.run_folder import RunFolder


def main() -> None:
    """Takes torchrun's arguments."""
    die_with_parent()
    # A failed rank has said why, and the supervisor repeats it: torchrun's own account is noise.
    logging.disable(logging.CRITICAL)
    folder = RunFolder(Path(os.environ[RUN_FOLDER_ENV]))
    try:
        run(parse_args(sys.argv[1:]))  # type: ignore[no-untyped-call]
    except ChildFailedError as error:
        folder.write_exit_codes({rank: failure.exitcode for rank, failure in error.failures.items()})
        os._exit(1)
    except Exception as error:
        folder.write_agent_error(f"{type(error).__name__}: {error}")
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    main()
