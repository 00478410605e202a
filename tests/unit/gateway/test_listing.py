"""Which jobs a list shows, in which order, page by page."""

import pytest

from training_gateway.listing import Filter, page_of
from training_gateway.refusal import Refusal
from training_gateway.views import View
from unit.gateway.jobs import at_epoch, over, view

JOBS = [
    view("a", created="2026-01-01T00:00:00Z", status=over()),
    view("b", created="2026-01-02T00:00:00Z", status=at_epoch(3), annotations={"trainingjob.dev/title": "Große Reise"}),
    view("c", created="2026-01-02T00:00:00Z", status=at_epoch(0, "Paused"), namespace="other"),
]
FILTERS = {
    "everything": (("", "", ""), ["a", "b", "c"]),
    "one state": (("completed", "", ""), ["a"]),
    "two states": (("running, paused", "", ""), ["b", "c"]),
    "a namespace": (("", "", "other"), ["c"]),
    "a part of the title, in any case": (("", "GROSSE", ""), ["b"]),
    "a part of the id": (("", "team.", ""), ["a", "b"]),
    "nothing": (("failed", "", ""), []),
}


@pytest.mark.parametrize(("given", "names"), FILTERS.values(), ids=FILTERS)
def test_a_filter_lets_through_what_was_asked_for(given: tuple[str, str, str], names: list[str]) -> None:
    wanted = Filter.of(*given)
    assert [job.job.name for job in JOBS if wanted.wants(job)] == names


def test_a_state_that_there_is_not_is_refused() -> None:
    with pytest.raises(Refusal, match="state: done: must be some of pending, queued"):
        Filter.of("done", "", "")


def test_pages_hold_every_job_once_newest_first() -> None:
    seen: list[View] = []
    token: str | None = ""
    while token is not None:
        page, token = page_of(JOBS, 1, token)
        seen += page
    assert [job.job.name for job in seen] == ["b", "c", "a"]


def test_a_page_goes_on_where_the_last_ended_whatever_came_meanwhile() -> None:
    first, token = page_of(JOBS, 2, "")
    newer = view("d", created="2026-01-03T00:00:00Z")
    second, end = page_of([*JOBS, newer], 2, token or "")
    assert [job.job.name for job in (*first, *second)] == ["b", "c", "a"]
    assert end is None


@pytest.mark.parametrize("token", ["?", "YQ", "a/b/c", "\u2028"])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(Refusal, match="page: must be `next` of an earlier answer"):
        page_of(JOBS, 2, token)
