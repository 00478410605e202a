"""What is decided once about a training's data and stays so in every resume."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Choices:
    """Those of the checkpoint that a training goes on from, or of a new training."""

    by_class: bool = True
    """Whether every class is held back by the same fraction; trainings of version 0.1 did not look at classes."""
    as_meant: bool = True
    """Whether hidden folders, pandas' row numbers and the turn of a camera are taken for what they are, and windows
    look back over the cut of a series; trainings of version 0.1 took things as they lay there."""
    streams: bool | None = None
    """Whether the rows stay in their files, where the recipe leaves that open; None: what the memory allows."""
