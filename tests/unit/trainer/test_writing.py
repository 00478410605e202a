"""Writing behind the training's back: never two at once, and no failure is lost."""

import threading

import pytest

from trainer.checkpoint import writing
from trainer.checkpoint.writing import Writer, finish_writing
from trainer.errors import Superseded

LARGE = 10**12


@pytest.mark.parametrize(("size", "wait"), [(1, False), (LARGE, True)], ids=["small", "large, but waited for"])
def test_a_write_that_is_done_at_once(size: int, wait: bool) -> None:
    assert Writer().run(lambda: None, size, wait) is None
    assert Writer().run(lambda: "disk full", size, wait) == "disk full"


def test_a_large_write_goes_on_in_the_background() -> None:
    writer, release, done = Writer(), threading.Event(), []

    def write() -> None:
        assert release.wait(30)
        done.append(True)

    assert writer.run(write, LARGE, wait=False) is None
    assert not done
    release.set()
    assert writer.finish() is None
    assert done


@pytest.mark.parametrize("failure", ["disk full", OSError("disk full")], ids=["told", "raised"])
def test_a_failure_in_the_background_is_told_once_by_the_next_call(failure: object) -> None:
    def write() -> str:
        if isinstance(failure, OSError):
            raise failure
        return str(failure)

    writer = Writer()
    assert writer.run(write, LARGE, wait=False) is None
    assert "disk full" in str(writer.run(lambda: None, LARGE, wait=False))
    assert writer.finish() is None


def test_the_next_write_waits_for_the_one_before() -> None:
    writer, release, order = Writer(), threading.Event(), []
    writer.run(lambda: (release.wait(30), order.append(1))[1], LARGE, wait=False)
    threading.Timer(0.05, release.set).start()
    writer.run(lambda: order.append(2), LARGE, wait=True)
    assert order == [1, 2]


def test_large_means_more_than_a_small_model() -> None:
    assert 1_000_000 < writing._BACKGROUND_BYTES < LARGE


def test_what_ends_the_training_is_raised_by_the_next_call() -> None:
    def write() -> str:
        raise Superseded("a newer attempt")

    writer = Writer()
    assert writer.run(write, LARGE, wait=False) is None
    with pytest.raises(Superseded):
        writer.finish()
    assert writer.finish() is None


def test_a_process_that_ends_waits_for_what_is_being_written() -> None:
    release, done = threading.Event(), []
    Writer().run(lambda: (release.wait(30), done.append(True))[1], LARGE, wait=False)
    finish_writing(0.01)
    assert not done, "not for longer than it may"
    threading.Timer(0.05, release.set).start()
    finish_writing(30)
    assert done
