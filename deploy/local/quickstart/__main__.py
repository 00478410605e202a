"""`python -m quickstart demo | up | monitoring | down`: what make demo, make up and make down run."""

import argparse
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from local_cluster import binaries
from local_cluster.cluster import LocalCluster
from local_cluster.rest import RestError
from local_cluster.settings import default_directory
from quickstart import demo, prometheus
from quickstart.kubectl import Kubectl
from quickstart.product import GatewayProcess, OperatorProcess, install
from trainingjob_api.resource import TrainingJob

ROOT = Path(__file__).parents[3]


class Up:
    """Cluster, operator and gateway, whatever of them does not run yet. The gateway starts beside what comes next."""

    def __init__(self, cluster: LocalCluster, console: Console) -> None:
        started = time.monotonic()
        cluster.start()
        self.kubectl = Kubectl(binaries.find_kubectl(), cluster.kubeconfig, console)
        install(self.kubectl)
        self._gateway = GatewayProcess(cluster)
        self._starting = ThreadPoolExecutor(1).submit(self._gateway.start)
        OperatorProcess(cluster).start()
        console.print(f"The cluster and the operator run (ready after {time.monotonic() - started:.1f} s).")

    def gateway(self) -> GatewayProcess:
        """Once it answers; RuntimeError if it does not."""
        self._starting.result()
        return self._gateway


def run_demo(cluster: LocalCluster, console: Console) -> None:
    running = Up(cluster, console)
    job = demo.run(running.kubectl, console)
    show_files(cluster, job, console)
    show_access(cluster, running, console)


def show_files(cluster: LocalCluster, job: TrainingJob, console: Console) -> None:
    claim = job.checkpoint_claim
    folder = cluster.claim_directory(job.metadata.namespace, claim or "") / job.checkpoint_folder
    console.print(f"The job's folder (claim {claim}): {folder}", soft_wrap=True)
    for name, what in (
        ("curves.png", "curves"),
        ("model", "trained model"),
        ("history.jsonl", "every epoch"),
        ("report.json", "result"),
    ):
        if not (folder / name).exists():
            raise demo.DemoError(f"{folder / name} is missing")
        console.print(f"  {name:<14} {what}", highlight=False)
    checkpoints = ", ".join(sorted(path.name for path in folder.glob("step-*")))
    console.print(f"  {checkpoints}: checkpoints, the newest and the best\n", highlight=False)


def show_access(cluster: LocalCluster, running: Up, console: Console) -> None:
    kubectl = running.kubectl
    console.print("The cluster keeps running. Reach it with")
    console.print(f"  export KUBECONFIG={cluster.kubeconfig}", highlight=False, soft_wrap=True)
    if str(kubectl.program.parent) not in os.environ.get("PATH", "").split(os.pathsep):
        console.print(f'  export PATH="{kubectl.program.parent}:$PATH"', highlight=False, soft_wrap=True)
    console.print(f"The operator's log: {OperatorProcess(cluster).log}", highlight=False, soft_wrap=True)
    gateway = running.gateway()
    console.print(f"The web page and the HTTP API: [bold]{gateway.address}[/]  token: {gateway.token}", soft_wrap=True)
    console.print("Stop it with [bold]make down[/].")


def run_up(cluster: LocalCluster, console: Console) -> None:
    show_access(cluster, Up(cluster, console), console)


def run_monitoring(cluster: LocalCluster, console: Console) -> None:
    """The cluster with a Prometheus that has found what there is to find."""
    program = prometheus.find()
    running = Up(cluster, console)
    process = prometheus.PrometheusProcess(cluster, program, OperatorProcess(cluster).port)
    process.start()
    show_access(cluster, running, console)
    console.print(f"Prometheus: [bold]{process.address}[/]. Train something, then try there:")
    for query in QUERIES:
        console.print(f"  {query}", highlight=False, soft_wrap=True)


QUERIES = (
    "trainingjob_loss",
    "rate(trainingjob_step_total[1m])",
    "sum by (training_name, activity) (rate(trainingjob_activity_seconds_total[1m]))",
    "trainingjob_operator_job_phase",
)


def down(cluster: LocalCluster, console: Console, purge: bool, grace: float = 30.0) -> None:
    if not cluster.directory.exists:
        console.print(f"There is no cluster in {cluster.directory.path}.")
        return
    OperatorProcess(cluster).stop()
    GatewayProcess(cluster).stop()
    prometheus.PrometheusProcess(cluster).stop()
    if purge:
        cluster.purge()
        console.print("Stopped; the cluster and its volumes are deleted.")
    else:
        cluster.stop(grace)
        console.print(
            f"Stopped. Volumes are kept in {cluster.directory.volumes} (make down ARGS=--purge deletes them)."
        )


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m quickstart", description="The embedded cluster with the operator.")
    made.add_argument("--directory", type=Path, help=f"the cluster's directory (default: {default_directory()})")
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("demo", help="train the digits: watch, pause, resume, see the result")
    commands.add_parser("up", help="start the cluster with the operator, the web page and the HTTP API")
    commands.add_parser("monitoring", help="start the cluster with the operator and a Prometheus that watches both")
    ending = commands.add_parser("down", help="stop all of it")
    ending.add_argument("--purge", action="store_true", help="delete the cluster's state and all volumes too")
    return made


def main() -> int:
    options, console = parser().parse_args(), Console()
    os.chdir(ROOT)  # manifests are named as a user would name them
    cluster = LocalCluster(options.directory)
    try:
        if options.command == "demo":
            run_demo(cluster, console)
        elif options.command == "up":
            run_up(cluster, console)
        elif options.command == "monitoring":
            run_monitoring(cluster, console)
        else:
            down(cluster, console, options.purge)
    except (demo.DemoError, RuntimeError, TimeoutError, OSError, RestError) as error:
        console.print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
        console.print(f"Logs are in {cluster.directory.logs}.", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("\ninterrupted; make demo begins again, make down stops the cluster")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
