"""Writing behind the training's back: never two at once, and no failure is lost."""

import signal
import threading
from collections.abc import Callable

import pytest

from trainer.checkpoint.writing import Writer, finish_writing
from trainer.errors import Superseded


def held(release: threading.Event, then: Callable[[], object]) -> Callable[[], None]:
    """A write that takes until it is released."""

    def write() -> None:
        assert release.wait(30)
        then()

    return write


def test_a_write_goes_on_in_the_background() -> None:
    writer, release, done = Writer(), threading.Event(), []
    writer.begin(held(release, lambda: done.append(True)))
    assert not done
    release.set()
    writer.finish()
    assert done


def test_the_next_write_waits_for_the_one_before() -> None:
    writer, release, order = Writer(), threading.Event(), []
    writer.begin(held(release, lambda: order.append(1)))
    threading.Timer(0.05, release.set).start()
    writer.begin(lambda: order.append(2))
    assert order[0] == 1
    writer.finish()
    assert order == [1, 2]


@pytest.mark.parametrize("error", [Superseded("a newer attempt"), MemoryError()])
@pytest.mark.parametrize("call", [Writer.finish, lambda writer: writer.begin(lambda: None)], ids=["finish", "begin"])
def test_what_is_raised_in_the_background_is_raised_once_by_the_next_call(
    error: Exception, call: Callable[[Writer], None]
) -> None:
    def write() -> None:
        raise error

    writer = Writer()
    writer.begin(write)
    with pytest.raises(type(error)):
        call(writer)
    writer.finish()


def test_a_look_at_a_write_that_goes_on_waits_for_nothing() -> None:
    writer, release = Writer(), threading.Event()
    writer.begin(held(release, lambda: None))
    writer.check()
    release.set()
    writer.finish()


def test_a_wait_that_is_interrupted_is_waited_again() -> None:
    writer, release, done = Writer(), threading.Event(), []
    writer.begin(held(release, lambda: done.append(True)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
    threading.Timer(0.05, lambda: signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            writer.finish()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not done
    threading.Timer(0.05, release.set).start()
    writer.finish()
    assert done


def test_a_process_that_ends_waits_for_what_is_being_written() -> None:
    release, done = threading.Event(), []
    Writer().begin(held(release, lambda: done.append(True)))
    finish_writing(0.01)
    assert not done, "not for longer than it may"
    threading.Timer(0.05, release.set).start()
    finish_writing(30)
    assert done
