"""Every epoch of a training since the first: how it is passed on, kept in an object, and read."""

from trainingjob_api.history.columns import Columns
from trainingjob_api.history.history import AttemptStart, History
from trainingjob_api.history.page import HistoryPage
from trainingjob_api.history.resource import TrainingHistory
from trainingjob_api.history.row import Row, row_of
from trainingjob_api.history.spans import Span
from trainingjob_api.history.tail import tail_of, with_tail

__all__ = [
    "AttemptStart",
    "Columns",
    "History",
    "HistoryPage",
    "Row",
    "Span",
    "TrainingHistory",
    "row_of",
    "tail_of",
    "with_tail",
]
