"""Processes are recognised by more than their pid, and files change whole."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local_cluster import processes, procfs
from local_cluster.node.stopping import Stop, Stopped
from local_cluster.processes import Process, Register
from support.waiting import PATIENCE, wait_for

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_a_process_lives_until_it_is_stopped(tmp_path: Path) -> None:
    process = processes.start("sleep", SLEEP, tmp_path / "log", os.environ)
    assert process.is_alive
    process.stop()
    assert not process.is_alive


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
    )
    process = processes.start("stubborn", [sys.executable, "-c", script], tmp_path / "log", os.environ)
    wait_for(lambda: "up" in (tmp_path / "log").read_text(), "the process to begin")
    process.stop(grace=0.2)
    assert not process.is_alive


def test_another_process_with_the_same_pid_is_not_ours() -> None:
    own_start = procfs.start_time(os.getpid())
    assert own_start
    assert Process("me", os.getpid(), own_start).is_alive
    assert not Process("before me", os.getpid(), own_start - 1).is_alive


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen(["true"]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has reaped it
        assert procfs.start_time(child.pid) is None


def test_descendants_are_found_through_sessions() -> None:
    script = "import subprocess, sys; subprocess.run(['setsid', 'sh', '-c', 'sleep 600 & echo up; wait'])"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as root:
        assert root.stdout is not None
        assert root.stdout.readline() == "up\n"
        found = procfs.descendants(root.pid, procfs.children())
        for pid in [root.pid, *found]:
            os.kill(pid, 9)
    assert len(found) == 2


def test_the_register_forgets_what_has_ended(tmp_path: Path) -> None:
    register = Register(tmp_path / "processes.json")
    lasting = processes.start("lasting", SLEEP, tmp_path / "log", os.environ)
    brief = processes.start("brief", ["/bin/true"], tmp_path / "log", os.environ)
    register.add(lasting)
    register.add(brief)
    brief.wait(PATIENCE)
    assert register.living() == {"lasting": lasting}
    lasting.stop()
    assert register.living() == {}


async def test_a_stop_interrupts_what_is_waited_for() -> None:
    stop = Stop()
    waiting = asyncio.ensure_future(stop.unless(asyncio.sleep(600)))
    await asyncio.sleep(0)
    stop.request(5)
    with pytest.raises(Stopped):
        await waiting
    with pytest.raises(Stopped):
        await stop.unless(asyncio.sleep(0))


async def test_the_time_to_a_stop_can_only_shrink() -> None:
    stop = Stop()
    stop.request(600)
    expiry = asyncio.ensure_future(stop.expired())
    stop.request(900)
    stop.request(0.01)
    await asyncio.wait_for(expiry, 5)
