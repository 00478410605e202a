"""What the user has called this, so that what is suggested can be pasted."""

import sys
from pathlib import Path

COMPLETING = "_TRAININGJOB_COMPLETE"
"""The variable by which a shell asks for completions."""
_PLUGIN = "kubectl-trainingjob"


def program() -> str:
    return "kubectl trainingjob" if Path(sys.argv[0]).name == _PLUGIN else "trainingjob"
