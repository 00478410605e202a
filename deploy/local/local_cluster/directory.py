"""The layout of a cluster's directory: everything about a cluster, its processes and volumes included, lies in one."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from local_cluster.controlplane import ControlPlane, Ports
from local_cluster.ports import reserved_ports
from local_cluster.processes import Register, write_atomically
from local_cluster.settings import Settings


@dataclass(frozen=True)
class ClusterDirectory:
    path: Path

    @property
    def exists(self) -> bool:
        """Whether a cluster was ever made here; nothing is deleted from a directory where none was."""
        return self._settings.exists()

    @property
    def volumes(self) -> Path:
        """A directory for each claim, with users' data."""
        return self.path / "volumes"

    @property
    def pods(self) -> Path:
        return self.path / "pods"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def register(self) -> Register:
        return Register(self.path / "processes.json")

    def settings(self) -> Settings:
        return Settings.from_json(self._settings.read_text())

    def write_settings(self, settings: Settings) -> None:
        write_atomically(self._settings, settings.to_json())

    def control_plane(self) -> ControlPlane:
        return ControlPlane(self.path, self._ports(), self.settings().timing)

    @contextmanager
    def ports_chosen(self) -> Iterator[None]:
        """Ports for a cluster that is started in here: those of the last time if they are free.

        Only while nothing of the cluster runs.
        """
        before = asdict(self._ports()).values() if self._ports_file.exists() else ()
        with reserved_ports(4, preferred=list(before)) as ports:
            write_atomically(self._ports_file, json.dumps(asdict(Ports(*ports))))
            yield

    def _ports(self) -> Ports:
        return Ports(**json.loads(self._ports_file.read_text()))

    @property
    def _settings(self) -> Path:
        return self.path / "cluster.json"

    @property
    def _ports_file(self) -> Path:
        return self.path / "ports.json"
