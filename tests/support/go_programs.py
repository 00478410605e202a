"""Programs that only some tests need: built from their pinned Go modules, once, into the cache of the user."""

import os
import subprocess
from hashlib import sha256
from pathlib import Path

from local_cluster.build import find_go
from local_cluster.settings import cache_directory


def built(name: str, module: Path, package: str = ".") -> Path:
    """The program of a package of a module; what it is made of is part of its name in the cache."""
    sources = sorted(path for path in module.iterdir() if path.suffix in (".go", ".mod", ".sum"))
    digest = sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    program = cache_directory() / f"{name}-{digest}"
    if not program.exists():
        _build(program, module, package)
    return program


def sources_of(module: Path, dependency: str) -> Path:
    """The folder in which Go keeps what a module needs: manifests lie there, too."""
    command = [find_go(), "list", "-m", "-f", "{{.Dir}}", dependency]
    found = subprocess.run(command, cwd=module, capture_output=True, text=True, check=True)
    return Path(found.stdout.strip())


def _build(program: Path, module: Path, package: str) -> None:
    print(f"building {program.name} from its Go module: once, some minutes", flush=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    part = program.with_name(f".{program.name}.{os.getpid()}")
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    options = ["-trimpath", "-ldflags", "-s -w", "-o", str(part)]
    subprocess.run([find_go(), "build", *options, package], cwd=module, env=environment, check=True)
    part.replace(program)
