"""The newest epochs in the termination message, as many as fit: nobody can ask a pod that is over."""

from bisect import bisect_left

from trainingjob_api.contract import TERMINATION_MESSAGE_LIMIT
from trainingjob_api.history.columns import Columns
from trainingjob_api.history.packing import pack, unpack
from trainingjob_api.history.page import HistoryPage
from trainingjob_api.progress import TerminationMessage

_FIELD = len(',"history":""')
_UNPACKED_LIMIT = 1024**2  # bytes


def with_tail(message: TerminationMessage, page: HistoryPage) -> TerminationMessage:
    """With the last epochs of a page, where the message itself leaves room."""
    fitted = message.fitted()
    room = TERMINATION_MESSAGE_LIMIT - len(fitted.to_text().encode()) - _FIELD
    rows = page.columns.rows()

    def tail(length: int) -> str:
        columns = Columns.of(rows[len(rows) - length :])
        return packed(page.model_copy(update={"columns": columns}))

    # Where even one epoch does not fit, how far it came may.
    length = bisect_left(range(len(rows)), True, key=lambda length: len(tail(length + 1)) > room)
    history = tail(length)
    return fitted.model_copy(update={"history": history}) if len(history) <= room else fitted


def packed(page: HistoryPage) -> str:
    return pack(page.model_dump_json(by_alias=True, exclude_none=True))


def tail_of(message: TerminationMessage) -> HistoryPage | None:
    """What a pod has left; None: nothing, or nothing that can be read."""
    if message.history is None:
        return None
    try:
        page = HistoryPage.model_validate_json(unpack(message.history, _UNPACKED_LIMIT))
    except ValueError:
        return None
    return page if (page.uid, page.attempt) == (message.uid, message.attempt) else None
