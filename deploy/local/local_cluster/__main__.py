"""The command line: `python -m local_cluster up`, `status`, `kubeconfig`, `drain`, `down`."""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from local_cluster import binaries
from local_cluster.cluster import COMPONENTS, LocalCluster
from local_cluster.rest import RestError
from local_cluster.settings import Settings, Timing, default_directory


def up(options: argparse.Namespace) -> int:
    started = time.monotonic()
    cluster = LocalCluster(options.directory, _settings(options))
    cluster.start()
    print(f"ready after {time.monotonic() - started:.1f} s in {cluster.directory.path}")
    print(f"export KUBECONFIG={cluster.kubeconfig}")
    kubectl = binaries.find_kubectl()
    if str(kubectl.parent) not in os.environ.get("PATH", "").split(os.pathsep):
        print(f'export PATH="{kubectl.parent}:$PATH"')
    return 0


def down(options: argparse.Namespace) -> int:
    cluster = LocalCluster(options.directory)
    if not cluster.directory.exists:
        print(f"there is no cluster in {cluster.directory.path}")
        return 0
    cluster.stop(0.0 if options.purge else options.grace)
    if options.purge:
        cluster.purge()
        print(f"stopped; {cluster.directory.path} is deleted")
    else:
        print(f"stopped; state and volumes are kept in {cluster.directory.path} (`down --purge` deletes them)")
    return 0


def status(options: argparse.Namespace) -> int:
    """Exit code 0 when all of it runs."""
    cluster = LocalCluster(options.directory)
    running = cluster.running() if cluster.directory.exists else {}
    for name in COMPONENTS:
        print(f"{name:24} {f'running, pid {running[name].pid}' if name in running else 'not running'}")
    if len(running) < len(COMPONENTS):
        return 1
    pods = cluster.admin.get("/api/v1/pods")["items"]
    active = sum(1 for pod in pods if pod["status"].get("phase") == "Running")
    print(f"{'pods':24} {active} running, {len(pods) - active} others")
    print(f"{'directory':24} {cluster.directory.path}")
    return 0


def kubeconfig(options: argparse.Namespace) -> int:
    cluster = LocalCluster(options.directory)
    print(f"export KUBECONFIG={cluster.kubeconfig}" if options.export else cluster.kubeconfig)
    return 0 if cluster.kubeconfig.exists() else 1


def drain(options: argparse.Namespace) -> int:
    LocalCluster(options.directory).evict(options.namespace, options.pod)
    print(f"pod {options.namespace}/{options.pod} evicted")
    return 0


def build(options: argparse.Namespace) -> int:
    print(f"control plane: {binaries.find().folder}")
    print(f"kubectl: {binaries.find_kubectl()}")
    return 0


def _settings(options: argparse.Namespace) -> Settings | None:
    """None when nothing was asked for: then those of the last time stand."""
    defaults = Settings()
    wanted = Settings(
        timing=Timing(options.heartbeat, options.lost_after, options.evict_after),
        gpus=options.gpus,
        capacity=dict(options.capacity),
        images=dict(options.image),
    )
    return None if wanted == defaults else wanted


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m local_cluster",
        description="A Kubernetes cluster in one directory: the real control plane, and a node of local processes.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_up(_command(commands, "up", up, "start the cluster, or what of it does not run"))
    ending = _command(commands, "down", down, "stop everything that `up` started, pods included")
    ending.add_argument("--grace", type=float, default=30.0, help="seconds for pods to end by themselves (default: 30)")
    ending.add_argument("--purge", action="store_true", help="also delete the directory, with the data of all volumes")
    _command(commands, "status", status, "tell what runs; exit code 1 when something does not")
    path = _command(commands, "kubeconfig", kubeconfig, "print the path of the administrator's kubeconfig")
    path.add_argument("--export", action="store_true", help="print a line for the shell instead")
    _command(commands, "build", build, "build the programs now, if they are not there; `up` does it otherwise")
    evicting = _command(commands, "drain", drain, "evict one pod, as `kubectl drain` does with all of a node")
    evicting.add_argument("pod")
    evicting.add_argument("-n", "--namespace", default="default")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    run: Callable[[argparse.Namespace], int],
    text: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=text, description=text)
    parser.set_defaults(run=run)
    parser.add_argument("--directory", type=Path, help=f"the cluster's directory (default: {default_directory()})")
    return parser


def _add_up(parser: argparse.ArgumentParser) -> None:
    defaults = Timing()
    parser.add_argument(
        "--gpus", type=int, metavar="N", help="offer N GPUs, simulated if need be (default: those found)"
    )
    parser.add_argument(
        "--capacity",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=QUANTITY",
        help="offer so much of a resource whatever the machine has, such as cpu=16; may be repeated",
    )
    parser.add_argument(
        "--image",
        type=_pair,
        action="append",
        default=[],
        metavar="NAME=COMMAND",
        help="run this command as the entrypoint of an image; may be repeated",
    )
    parser.add_argument(
        "--heartbeat", type=float, default=defaults.heartbeat, help="seconds between the node's heartbeats"
    )
    parser.add_argument(
        "--lost-after", type=float, default=defaults.lost_after, help="seconds of silence after which the node is lost"
    )
    parser.add_argument(
        "--evict-after", type=int, default=defaults.evict_after, help="seconds until a lost node's pods are deleted"
    )


def main() -> int:
    options = _parser().parse_args()
    try:
        run: Callable[[argparse.Namespace], int] = options.run
        return run(options)
    except (RuntimeError, TimeoutError, OSError, RestError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
