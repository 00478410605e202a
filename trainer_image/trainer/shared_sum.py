"""Sums over the ranks of one pod, through memory that all of them see.

Gloo sends through sockets even within a machine, and its threads must be woken for every message: where every core
computes, a step waits longer for them than for the sum itself. Here the ranks write and add by themselves. They meet
by semaphores of the C library, which also order what the processors have written.
"""

import ctypes
import json
import mmap
import os
import select
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from itertools import cycle

import torch
from torch import Tensor

from trainer.errors import PeerLost

_PIECE = 1024 * 1024
"""Bytes that are added at a time: those of two ranks fit into the cache of a core."""

_LINE = 64
"""Bytes from one semaphore to the next: a line of the cache, and more than any system's sem_t has."""

_AWAKE = 0.0002
"""Seconds that a rank waits without sleeping: to be woken takes longer than most waits."""

_ASLEEP = 0.05
"""Seconds of sleep before it looks whether the other rank still lives."""

_libc = ctypes.CDLL(None)


class SharedSum:
    """One rank's end of it. Every rank calls the same methods in the same order."""

    def __init__(self, rank: int, memory: Tensor, processes: Sequence[int], limit: timedelta) -> None:
        """memory: bytes, as `shared_sum` lays them out; processes: by rank, a descriptor of each; limit: of a wait."""
        self.size = len(processes)
        self._rank, self._memory, self._processes, self._limit = rank, memory, processes, limit
        self._others = [other for other in range(self.size) if other != rank]
        self._turns = cycle(range(2))

    def add_up(self, numbers: Tensor) -> None:
        """Sums over the ranks, in place and in their order: the same on each to the last bit.

        numbers: one dimension, contiguous, on the CPU. PeerLost if a rank ends meanwhile, RuntimeError if one is late.
        """
        for piece in torch.split(numbers, _PIECE // numbers.element_size()):
            turn = next(self._turns)  # who writes over a part has met since then all who have read it
            parts = [self._part(turn, rank, piece) for rank in range(self.size)]
            parts[self._rank].copy_(piece)
            self._meet()
            torch.add(parts[0], parts[1], out=piece)
            for part in parts[2:]:
                piece.add_(part)

    def _part(self, turn: int, rank: int, like: Tensor) -> Tensor:
        begin = self.size**2 * _LINE + (turn * self.size + rank) * _PIECE
        return self._memory[begin : begin + like.nbytes].view(like.dtype)

    def _meet(self) -> None:
        """Returns once every rank has come here; what they have written before can then be read."""
        for other in self._others:
            _libc.sem_post(self._semaphore(self._rank, other))
        for other in self._others:
            self._wait_for(other)

    def _wait_for(self, other: int) -> None:
        semaphore, begin = self._semaphore(other, self._rank), time.monotonic()
        while _libc.sem_trywait(semaphore) != 0:
            if time.monotonic() < begin + _AWAKE:
                os.sched_yield()
            elif _libc.sem_timedwait(semaphore, ctypes.byref(_in(_ASLEEP))) == 0:
                return
            elif _has_ended(self._processes[other]):
                raise PeerLost(f"rank {other} ended while this one waited for its gradients")
            elif time.monotonic() > begin + self._limit.total_seconds():
                raise RuntimeError(f"timed out after {self._limit} of waiting for the gradients of rank {other}")

    def _semaphore(self, sender: int, receiver: int) -> ctypes.c_void_p:
        return _semaphore(self._memory, sender * self.size + receiver)


def shared_sum(rank: int, size: int, gather: Callable[[bytes], list[bytes]], limit: timedelta) -> SharedSum | None:
    """For ranks that run in one pod; None where they cannot see each other, as in some sandboxes. Collective."""
    length = size**2 * _LINE + 2 * size * _PIECE
    made = _make(length, size**2) if rank == 0 else None
    addresses = [json.loads(row) for row in gather(json.dumps([os.getpid(), made]).encode())]
    try:
        memory = _open(addresses[0], length)
        processes = [os.pidfd_open(pid) for pid, _ in addresses]
    except OSError:
        own = None
    else:
        own = SharedSum(rank, memory, processes, limit)
    return own if all(map(int, gather(b"1" if own else b"0"))) else None


def _make(length: int, semaphores: int) -> int | None:
    """The descriptor of new memory: it has no name that could remain."""
    with suppress(OSError):
        file = os.memfd_create("gradients")
        os.ftruncate(file, length)
        memory = _map(file, length)
        for number in range(semaphores):
            _libc.sem_init(_semaphore(memory, number), 1, 0)
        return file
    return None


def _open(address: Sequence[int], length: int) -> Tensor:
    pid, file = address
    with open(f"/proc/{pid}/fd/{file}", "r+b") as memory:
        return _map(memory.fileno(), length)


def _map(file: int, length: int) -> Tensor:
    return torch.frombuffer(mmap.mmap(file, length), dtype=torch.uint8)


def _semaphore(memory: Tensor, number: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(memory.data_ptr() + number * _LINE)


def _has_ended(process: int) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(0))


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


def _in(seconds: float) -> _Time:
    """What the clock will show after so many seconds."""
    return _Time(*divmod(time.time_ns() + int(seconds * 1e9), 10**9))
