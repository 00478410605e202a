"""rules/*.yaml -> prometheus-rule.yaml: the same rules for those who run the Prometheus operator."""

from pathlib import Path

import yaml

HERE = Path(__file__).parent


def prometheus_rule() -> str:
    """The manifest."""
    files = [yaml.safe_load(path.read_text()) for path in sorted((HERE / "rules").glob("*.yaml"), reverse=True)]
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "trainingjob"},
        "spec": {"groups": [group for file in files for group in file["groups"]]},
    }
    head = "# Generated from rules/ by `make monitoring-rules`; do not edit.\n"
    return head + yaml.safe_dump(rule, sort_keys=False, width=1000)


if __name__ == "__main__":
    (HERE / "prometheus-rule.yaml").write_text(prometheus_rule())
