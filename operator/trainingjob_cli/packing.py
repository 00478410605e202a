"""A program of one's own, packed: its files in a ConfigMap, and a TrainingJob that runs it."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trainingjob_api.contract import API_VERSION, KIND
from trainingjob_cli.words import size
from trainingjob_client.errors import ManifestError
from trainingjob_client.manifest import own_volume

Raw = dict[str, Any]

LIMIT = 900_000
"""Bytes of all files together: a ConfigMap holds 1 MiB, and what is no text takes a third more in it."""
MOUNT = "/program"
_STARTS = ("train.py", "main.py", "__main__.py")
_LEFT_OUT = {"__pycache__", "node_modules", "venv"}
_INSTALLER = "with_requirements.py"
_REQUIREMENTS = "requirements.txt"


@dataclass(frozen=True)
class Program:
    """Files by their path below the program's folder, and the one that is run."""

    name: str
    main: str
    files: dict[str, bytes]

    def with_requirements(self, file: Path) -> "Program":
        """What is to be installed first, by a small program in front of the other."""
        installer = Path(__file__).with_name("with_requirements.txt").read_bytes()
        added = {_REQUIREMENTS: _read(file), _INSTALLER: installer}
        return _checked(Program(self.name, self.main, {**self.files, **added}))

    @property
    def installs(self) -> bool:
        return _INSTALLER in self.files


@dataclass(frozen=True)
class Wanted:
    """What the program's pods are to be like."""

    args: Sequence[str] = ()
    nodes: int = 1
    gpus: int = 0
    image: str | None = None
    claim: str | None = None
    """For checkpoints; None: one of the job's own."""
    storage: str = "1Gi"
    """Of a claim of its own."""
    mounts: Sequence[tuple[str, str]] = field(default=())
    """Claims and the paths at which the program finds them."""


def pack(path: Path) -> Program:
    """Of a file, or of a folder with train.py, main.py or __main__.py in it. ManifestError names what is wrong."""
    if path.is_dir():
        files = {str(file.relative_to(path)): _read(file) for file in sorted(path.rglob("*")) if _belongs(file, path)}
        main = next((start for start in _STARTS if start in files), None)
        if main is None:
            raise ManifestError(f"none of {', '.join(_STARTS)} is in {path}: name the file, or call it so")
        return _checked(Program(slug(path.resolve().name), main, files))
    if path.suffix != ".py":
        raise ManifestError(f"{path} is no Python program: give a file that ends in .py, or a folder")
    return _checked(Program(slug(path.stem), path.name, {path.name: _read(path)}))


def manifests(program: Program, name: str, wanted: Wanted) -> tuple[Raw, Raw]:
    """ConfigMap and TrainingJob."""
    config_map = f"{name}-program"
    keys = {path: _key(path) for path in program.files}
    return _config_map(program, config_map, keys), _job(program, name, config_map, keys, wanted)


def _config_map(program: Program, name: str, keys: dict[str, str]) -> Raw:
    texts: dict[str, str] = {}
    others: dict[str, str] = {}
    for path, content in program.files.items():
        try:
            texts[keys[path]] = content.decode()
        except UnicodeDecodeError:
            others[keys[path]] = base64.b64encode(content).decode()
    data = {"data": texts, **({"binaryData": others} if others else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **data}


def _job(program: Program, name: str, config_map: str, keys: dict[str, str], wanted: Wanted) -> Raw:
    start = [_INSTALLER, program.main] if program.installs else [program.main]
    items = [{"key": key, "path": path} for path, key in keys.items()]
    volume = {"claimName": wanted.claim} if wanted.claim else own_volume(wanted.storage, wanted.nodes)
    script = {"path": f"{MOUNT}/{start[0]}", "args": [*start[1:], *wanted.args]}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name},
        "spec": {
            "nodes": wanted.nodes,
            **({"processesPerNode": "auto"} if wanted.gpus else {}),
            "script": {key: value for key, value in script.items() if value},
            "checkpoint": {"volume": volume},
            "pod": {
                **({"image": wanted.image} if wanted.image else {}),
                **({"resources": {"limits": {"nvidia.com/gpu": str(wanted.gpus)}}} if wanted.gpus else {}),
                "volumes": [
                    {"name": "program", "configMap": {"name": config_map, "items": items}},
                    *(
                        {"name": f"claim-{place}", "persistentVolumeClaim": {"claimName": claim}}
                        for place, (claim, _) in enumerate(wanted.mounts)
                    ),
                ],
                "volumeMounts": [
                    {"name": "program", "mountPath": MOUNT, "readOnly": True},
                    *({"name": f"claim-{n}", "mountPath": path} for n, (_, path) in enumerate(wanted.mounts)),
                ],
            },
        },
    }


def _belongs(file: Path, root: Path) -> bool:
    parts = file.relative_to(root).parts
    hidden = any(part.startswith(".") or part in _LEFT_OUT for part in parts)
    return file.is_file() and not hidden and file.suffix != ".pyc"


def _checked(program: Program) -> Program:
    total = sum(len(content) for content in program.files.values())
    if total > LIMIT:
        largest = max(program.files, key=lambda path: len(program.files[path]))
        raise ManifestError(
            f"the program has {size(total)} in {len(program.files)} files, and {size(LIMIT)} fit into a ConfigMap"
            f" (largest: {largest}): put data into a claim and mount it (--mount CLAIM=/path), or build an image"
        )
    return program


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ManifestError(f"{file} cannot be read: {error.strerror}") from error


def slug(text: str) -> str:
    """A name that a TrainingJob may have."""
    slug = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return (slug if slug[:1].isalpha() else f"job-{slug}".strip("-"))[:40].rstrip("-")


def _key(path: str) -> str:
    """Of a ConfigMap: letters, digits, '-', '_' and '.'; another path is another key."""
    return re.sub(r"[^A-Za-z0-9._-]", lambda found: f"_{ord(found[0]):x}_", path)
