"""What Argo CD is to know of TrainingJobs, as keys of its ConfigMap argocd-cm, from the scripts beside this file.

`kubectl apply --server-side -f argocd-cm.yaml` adds these keys and leaves every other one as it is.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

SCRIPTS = Path(__file__).parent / "resource_customizations/trainingjob.dev/TrainingJob"
KIND = "trainingjob.dev_TrainingJob"


class _Block(str):
    """Written as a block, so that people can read it."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Block, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|"))


def config_map() -> dict[str, Any]:
    actions = SCRIPTS / "actions"
    scripts = {path.parent.name: path.read_text() for path in sorted(actions.glob("*/action.lua"))}
    definitions = [{"name": name, "action.lua": _Block(script)} for name, script in scripts.items()]
    known = {"discovery.lua": _Block((actions / "discovery.lua").read_text()), "definitions": definitions}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-cm", "namespace": "argocd"},
        "data": {
            f"resource.customizations.health.{KIND}": _Block((SCRIPTS / "health.lua").read_text()),
            f"resource.customizations.actions.{KIND}": _Block(_dump(known)),
        },
    }


def _dump(value: Any) -> str:
    return str(yaml.dump(value, Dumper=_Dumper, sort_keys=False))


def text() -> str:
    return f"# Written by `make recorded-states`.\n{_dump(config_map())}"


if __name__ == "__main__":
    sys.stdout.write(text())
