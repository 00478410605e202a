"""From a container of a pod to what is really started: image looked up, environment resolved, paths and names made
true on this machine."""

from dataclasses import dataclass
from pathlib import Path

from local_cluster.node import environment
from local_cluster.node.context import Context
from local_cluster.node.devices import GPU
from local_cluster.node.expansion import expand
from local_cluster.node.fields import Fields
from local_cluster.node.images import Image, UnknownImageError
from local_cluster.node.instance import Instance, Launch
from local_cluster.node.models import Container
from local_cluster.node.quantities import in_units
from local_cluster.node.sources import NotReadyError, Sources
from local_cluster.node.translation import Translation
from local_cluster.node.volumes import mount_paths


@dataclass(frozen=True)
class Surroundings:
    """What the containers of one pod share: its fields, what it refers to, its volumes' real paths."""

    fields: Fields
    sources: Sources
    volumes: dict[str, Path]
    scratch: Path
    """Holds a home for each container: there is no image that would bring one."""


def find_image(container: Container, context: Context) -> Image:
    try:
        return context.images.find(container.image)
    except UnknownImageError as unknown:
        if container.pull_policy == "Never":
            raise NotReadyError("ErrImageNeverPull", str(unknown)) from unknown
        raise NotReadyError("ErrImagePull", str(unknown), later="ImagePullBackOff") from unknown


async def resolve(container: Container, surroundings: Surroundings, context: Context) -> dict[str, str]:
    """The pod's variables on top of what every container has, still in the pod's own paths and names."""
    pod = surroundings.fields.pod
    home = surroundings.scratch / container.name
    given = environment.base(pod.hostname, home, context.server)
    given |= context.gpus.environment(f"{pod.uid}/{container.name}", in_units(container.limits.get(GPU, "0")))
    return given | await environment.variables(container, surroundings.fields, surroundings.sources, given)


def launch(
    container: Container,
    image: Image,
    variables: dict[str, str],
    surroundings: Surroundings,
    context: Context,
    instance: Instance,
) -> Launch:
    """Only what the pod's author wrote is translated; the image's own command and the base are true already."""
    pod = surroundings.fields.pod
    home = surroundings.scratch / container.name
    home.mkdir(parents=True, exist_ok=True)
    mounts = mount_paths(container, surroundings.volumes, variables)
    paths = {**mounts, container.termination_path: str(instance.termination_log)}
    translate = Translation(paths, pod.dns_name, context.addresses)
    base = environment.base(pod.hostname, home, context.server)
    real = {name: value if base.get(name) == value else translate(value) for name, value in variables.items()}
    if "PATH" in real and real["PATH"] != base["PATH"]:
        real["PATH"] = environment.search_path(real["PATH"])
    if "/tmp" in mounts:  # noqa: S108
        real.setdefault("TMPDIR", mounts["/tmp"])  # noqa: S108
    given = [translate(expand(text, variables)) for text in (*container.command, *container.args)]
    return Launch(
        command=_command(container, image, given),
        environment=real,
        directory=_directory(container.working_directory, translate, home),
        logs_are_fallback=container.logs_are_fallback,
        paths=mounts,
    )


def _command(container: Container, image: Image, given: list[str]) -> list[str]:
    """A pod's `command` takes the place of entrypoint and cmd, its `args` that of cmd alone."""
    if container.command:
        return given
    command = [*image.entrypoint, *(given if container.args else image.cmd)]
    if not command:
        raise NotReadyError("CreateContainerError", "no command specified")
    return command


def _directory(wanted: str, translate: Translation, home: Path) -> Path:
    """The working directory; one inside a volume is made, as a runtime would, one of this machine's never."""
    if not wanted:
        return home
    path = Path(translate(wanted))
    if str(path) != wanted.rstrip("/"):
        path.mkdir(parents=True, exist_ok=True)
    return path
