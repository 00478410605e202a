"""`kubectl_complete-trainingjob`: what kubectl runs to complete `kubectl trainingjob`; the words come as arguments."""

import contextlib
import os
import sys

from trainingjob_cli.__main__ import main as run
from trainingjob_cli.program import COMPLETING

_NO_FILES = ":4"
"""As cobra has it: there is nothing else, names of files least of all."""
_WITH_FILES = ":0"


def main() -> None:
    """The console script."""
    words = sys.argv[1:]
    line = " ".join(["trainingjob", *words])
    os.environ.update({COMPLETING: "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))})
    with contextlib.suppress(SystemExit):
        run()
    print(_WITH_FILES if words[:1] in (["submit"], ["upload"], ["init"], ["run"]) else _NO_FILES)
