"""A Prometheus beside the embedded cluster: it finds the pods of trainings as one in a cluster does.

Its configuration is the one that is shipped, but for where the API server is, and for the operator, a process here.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from local_cluster.build import find_go
from local_cluster.cluster import LocalCluster
from local_cluster.settings import cache_directory
from quickstart.daemon import Daemon
from quickstart.product import NAMESPACE, SERVICE_ACCOUNT

MONITORING = Path("deploy/monitoring")
MODULE = MONITORING / "prometheus"
# Of all the ways to find targets only the one that is used: half of the program is the others' clients.
TAGS = "netgo,remove_all_sd,enable_kubernetes_sd"


def find() -> Path:
    """A prometheus that can discover pods: that on PATH, or one built from its Go module, once."""
    found = shutil.which("prometheus")
    if found and _discovers_pods(Path(found).with_name("promtool")):
        return Path(found)
    version = re.search(r"github.com/prometheus/prometheus (v\S+)", (MODULE / "go.mod").read_text())
    assert version
    program = cache_directory() / f"prometheus-{version[1]}"
    if not program.exists():
        _build(program)
    return program


def _discovers_pods(promtool: Path) -> bool:
    """Debian's package is built without."""
    command = [str(promtool), "check", "config", "--syntax-only", str(MONITORING / "scrape.yaml")]
    return promtool.exists() and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _build(program: Path) -> None:
    print(f"building {program.name} from its Go module: once, some minutes", flush=True)
    program.parent.mkdir(parents=True, exist_ok=True)
    part = program.with_name(f".{program.name}.{os.getpid()}")
    command = ["build", "-trimpath", "-ldflags", "-s -w", "-tags", TAGS, "-o", str(part.absolute())]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly -buildvcs=false"}
    package = "github.com/prometheus/prometheus/cmd/prometheus"
    subprocess.run([find_go(), *command, package], cwd=MODULE, env=environment, check=True)
    part.replace(program)


class PrometheusProcess(Daemon):
    """The Prometheus of one cluster."""

    name, ready_path = "prometheus", "/-/ready"

    def __init__(
        self, cluster: LocalCluster, program: Path | None = None, operator_port: int = 0, scrape_seconds: int = 5
    ) -> None:
        super().__init__(cluster.directory.path / "prometheus", cluster.directory.logs / "prometheus.log")
        self._kubeconfig, self._program, self._operator_port = cluster.kubeconfig, program, operator_port
        self._scrape_seconds = scrape_seconds

    def command(self, port: int) -> list[str]:
        configuration = self.folder / "prometheus.yaml"
        values = local(self._kubeconfig, self._operator_port, self._scrape_seconds)
        configuration.write_text(yaml.safe_dump(values, sort_keys=False))
        return [
            str(self._program),
            f"--config.file={configuration}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]


def local(kubeconfig: Path, operator_port: int, scrape_seconds: int) -> dict[str, Any]:
    """The shipped configuration for a cluster of processes: looked at as often as asked, the operator by its port."""
    configuration: dict[str, Any] = yaml.safe_load((MONITORING / "scrape.yaml").read_text())
    trainer, operator = configuration["scrape_configs"]
    configuration["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), f"{scrape_seconds}s")
    configuration["rule_files"] = [str((MONITORING / "rules" / "*.yaml").absolute())]
    for discovery in trainer["kubernetes_sd_configs"]:
        discovery["kubeconfig_file"] = str(kubeconfig)
    target = {"targets": [f"127.0.0.1:{operator_port}"], "labels": {"namespace": NAMESPACE, "pod": SERVICE_ACCOUNT}}
    by_port = {"job_name": operator["job_name"], "static_configs": [target]}
    configuration["scrape_configs"] = [trainer, by_port]
    return configuration
