"""SIGTERM and SIGINT while the operator starts: it ends in good order at any moment, and does not wait for anything."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

from local_cluster.ports import reserved_ports
from support.waiting import PATIENCE


@contextmanager
def operator(**environment: str) -> Iterator[subprocess.Popen[str]]:
    """The operator as a process; what it writes can be read."""
    process = subprocess.Popen(
        [sys.executable, "-m", "training_operator"],
        env={
            **os.environ,
            "TRAININGJOB_OPERATOR_ADDRESS": "127.0.0.1",
            "TRAININGJOB_OPERATOR_PORT": "0",
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def until_it_says(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return
    raise AssertionError(f"it ended without saying {words!r}: {''.join(said)}")


def end_of(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Its exit code and last words."""
    process.send_signal(number)
    said, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def kubeconfig_of(server: str, folder: Path) -> str:
    cluster = {"name": "c", "cluster": {"server": server}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    file = folder / "kubeconfig"
    users = [{"name": "u", "user": {"token": "secret"}}]
    file.write_text(
        yaml.safe_dump({"clusters": [cluster], "contexts": [context], "users": users, "current-context": "c"})
    )
    return str(file)


def test_during_the_imports(tmp_path: Path) -> None:
    # In place of a package that takes its time.
    (tmp_path / "kopf.py").write_text("import time\nprint('importing', flush=True)\nwhile True: time.sleep(60)\n")
    path = os.pathsep.join([str(tmp_path), *sys.path])
    with operator(PYTHONPATH=path) as process:
        until_it_says(process, "importing")
        assert end_of(process) == (0, "")


def test_while_it_waits_for_the_api_server(tmp_path: Path) -> None:
    with (
        reserved_ports(1) as (port,),
        operator(KUBECONFIG=kubeconfig_of(f"http://127.0.0.1:{port}", tmp_path)) as process,
    ):
        until_it_says(process, "waiting for the API server")
        assert end_of(process, signal.SIGINT) == (0, "")


def test_during_the_first_list(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        mute.settimeout(PATIENCE)
        server = f"http://127.0.0.1:{mute.getsockname()[1]}"
        with operator(KUBECONFIG=kubeconfig_of(server, tmp_path)) as process:
            connection, _ = mute.accept()
            with connection:
                assert end_of(process) == (0, "")
