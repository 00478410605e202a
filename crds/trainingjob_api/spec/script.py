"""`spec.script`: a program of the user's own, in place of a recipe."""

from typing import Annotated

from pydantic import Field

from trainingjob_api.base import Model


class Script(Model):
    """A Python program that every rank runs, with torchrun's environment."""

    path: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"\.py$")] = Field(
        description="In a mounted volume or in the image, such as /code/train.py. Its checkpoints belong to this path."
    )
    args: list[Annotated[str, Field(max_length=1024)]] = Field(
        default=[], max_length=256, description="Its command line."
    )
