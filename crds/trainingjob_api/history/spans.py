"""Sets of epochs as spans, in order and apart: there may be billions of epochs, and few gaps."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """Epochs from first to last, both included."""

    first: int
    last: int

    @property
    def epochs(self) -> int:
        return self.last - self.first + 1


Spans = tuple[Span, ...]


def union(*spans: Iterable[Span]) -> Spans:
    """What is in any of them."""
    joined: list[Span] = []
    for span in sorted(span for each in spans for span in each):
        if joined and span.first <= joined[-1].last + 1:
            joined[-1] = Span(joined[-1].first, max(joined[-1].last, span.last))
        else:
            joined.append(span)
    return tuple(joined)


def runs(epochs: Iterable[int]) -> Spans:
    """The spans of single epochs."""
    return union(Span(epoch, epoch) for epoch in epochs)


def until(spans: Spans, last: int) -> Spans:
    """Without what is beyond an epoch."""
    return tuple(Span(span.first, min(span.last, last)) for span in spans if span.first <= last)


def gaps(spans: Spans, last: int) -> Spans:
    """What is missing from 1 to an epoch."""
    return tuple(_gaps(until(spans, last), last))


def _gaps(spans: Spans, last: int) -> Iterator[Span]:
    expected = 1
    for span in spans:
        if span.first > expected:
            yield Span(expected, span.first - 1)
        expected = span.last + 1
    if expected <= last:
        yield Span(expected, last)
