"""What an image of the product stands for on the embedded cluster, where no token lies at a pod's usual place.

`image.py MODULE today|RELEASE.zip`: SERVICE_ACCOUNT leads to the token's folder, a path that the node translates.
"""

import json
import os
import sys
from pathlib import Path


def main() -> None:
    module, release, *arguments = sys.argv[1:]
    if account := os.environ.get("SERVICE_ACCOUNT"):
        kubeconfig = Path(os.environ["HOME"]) / "kubeconfig"
        kubeconfig.write_text(json.dumps(_kubeconfig(Path(account))))
        os.environ["KUBECONFIG"] = str(kubeconfig)
    if release != "today":
        os.environ["PYTHONPATH"] = os.pathsep.join([release, os.environ.get("PYTHONPATH", "")])
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])


def _kubeconfig(account: Path) -> object:
    server = f"https://{os.environ['KUBERNETES_SERVICE_HOST']}:{os.environ['KUBERNETES_SERVICE_PORT']}"
    cluster = {"server": server, "certificate-authority": str(account / "ca.crt")}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "pod",
        "clusters": [{"name": "pod", "cluster": cluster}],
        "users": [{"name": "pod", "user": {"token": (account / "token").read_text()}}],
        "contexts": [{"name": "pod", "context": {"cluster": "pod", "user": "pod"}}],
    }


main()
