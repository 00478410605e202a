"""What a trainer tells of its epochs: what it answers at /history, and the tail that its pod leaves behind."""

from pydantic import Field

from trainingjob_api.base import Count, Report
from trainingjob_api.history.columns import Columns

PAGE_ROWS = 1000
PAGE_NUMBERS = 30_000
"""With many metrics of one's own there are fewer rows, so that a page is never long."""


class HistoryPage(Report):
    """The document that rank 0 serves at /history?after=EPOCH: the epochs that follow, as many as fit."""

    uid: str
    attempt: int
    began: Count = Field(description="Whole epochs of the checkpoint from which this attempt went on.")
    done: Count = Field(description="Whole epochs done: what is known of later ones belongs to attempts before.")
    best: Count | None = Field(default=None, description="The best epoch.")
    columns: Columns = Columns()
    more: bool = Field(default=False, description="There are more epochs than these.")

    @property
    def reached(self) -> int:
        """The last epoch of which this page tells whether it is known."""
        return self.columns.epoch[-1] if self.more and self.columns.epoch else self.done
