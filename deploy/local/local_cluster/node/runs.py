"""All runs of one container of a pod, each in a folder with a number, and what they say about the container."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from local_cluster.node.instance import Instance
from local_cluster.node.models import Container
from local_cluster.node.status import ContainerFacts, Running


@dataclass(frozen=True)
class ContainerRuns:
    folder: Path
    pod: str
    """UID of the pod."""

    def new(self) -> Instance:
        folder = self.folder / str(1 + max(self._numbers(), default=-1))
        folder.mkdir(parents=True, mode=0o700)
        instance = Instance(folder)
        instance.termination_log.touch()
        return instance

    def all(self) -> list[Instance]:
        """From the first to the last; one that never started, because the node died then, is left out."""
        found = [Instance.adopt(self.folder / str(number)) for number in sorted(self._numbers())]
        return [instance for instance in found if instance]

    def facts(self, container: Container) -> ContainerFacts | None:
        """What the folder tells about the container; None when it was never started."""
        runs = self.all()
        if not runs:
            return None
        newest = runs[-1]
        return ContainerFacts(
            state=Running(newest.started) if newest.is_alive else newest.end(),
            last=runs[-2].end() if len(runs) > 1 else None,
            restarts=len(runs) - 1,
            ready=newest.is_alive and container.readiness is None,
            identity=f"local://{self.pod}/{container.name}/{newest.folder.name}",
        )

    def _numbers(self) -> Iterator[int]:
        with contextlib.suppress(FileNotFoundError):
            yield from (int(path.name) for path in self.folder.iterdir() if path.name.isdecimal())


def all_instances(pod_folder: Path) -> list[Instance]:
    """Every run of every container of a pod, for a pod of which only the folder is known."""
    folders = (pod_folder / "containers").glob("*/")
    return [instance for folder in folders for instance in ContainerRuns(folder, pod_folder.name).all()]
