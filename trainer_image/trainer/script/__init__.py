"""For programs of one's own: `start` makes a PyTorch script one that can be paused and goes on exactly."""

from trainer.script.run import ScriptRun
from trainer.script.start import start

__all__ = ["ScriptRun", "start"]
