"""TrainingJobs as a user has them: written and read through kubectl, run by a trainer that only pretends."""

import json
from collections.abc import Callable
from typing import Any

from support.cluster import FAKE_TRAINER
from support.kubectl import Kubectl
from support.manifests import manifest
from support.waiting import PATIENCE, wait_for

STEPS = 10  # of a fake epoch

Object = dict[str, Any]


class Training:
    """The TrainingJobs of one namespace."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl

    def create(self, name: str = "job", **options: Any) -> None:
        """Apply a job; keywords as for `manifest`."""
        self.kubectl.apply(self.manifest(name, **options))

    def manifest(
        self,
        name: str = "job",
        *,
        step: float = 0.05,
        fail: str = "",
        save: float = 0.0,
        start: float = 0.0,
        **spec: Any,
    ) -> Object:
        """The fake trainer's own keywords come first, then those of support.manifests.manifest."""
        env = {
            "FAKE_STEP_SECONDS": str(step),
            "FAKE_FAIL": fail,
            "FAKE_SAVE_SECONDS": str(save),
            "FAKE_START_SECONDS": str(start),
        }
        volume = {"claimTemplate": {"size": "1Gi", "accessModes": ["ReadWriteMany"], "retain": False}}
        defaults = {
            "training__epochs": 3,
            "checkpoint__volume": volume,
            "pod": {
                "image": FAKE_TRAINER,
                "env": [{"name": key, "value": value} for key, value in env.items()],
            },
            "restart": {"backoffSeconds": 1, "maxBackoffSeconds": 2},
        }
        return manifest(name, **{**defaults, **spec})

    def get(self, name: str = "job") -> Object:
        return self.kubectl.get("trainingjobs", name)

    def status(self, name: str = "job") -> Object:
        status: Object = self.get(name).get("status", {})
        return status

    def condition(self, type: str, name: str = "job") -> Object:
        conditions = self.status(name).get("conditions", [])
        return next((one for one in conditions if one["type"] == type), {"status": "", "reason": "", "message": ""})

    def patch(self, spec: Object, name: str = "job") -> None:
        self.kubectl.patch("trainingjobs", name, {"spec": spec})

    def suspend(self, name: str = "job") -> None:
        self.patch({"suspend": True}, name)

    def resume(self, name: str = "job") -> None:
        self.patch({"suspend": False}, name)

    def delete(self, name: str = "job", *options: str) -> None:
        self.kubectl("delete", "trainingjob", name, *options)

    def jobs(self, name: str = "job") -> list[Object]:
        return self.kubectl.list("jobs", f"trainingjob.dev/name={name}")

    def pods(self, name: str = "job") -> list[Object]:
        return self.kubectl.list("pods", f"trainingjob.dev/name={name}")

    def running_pod(self, name: str = "job", attempt: int | None = None) -> Object:
        """Rank 0's pod, once its container runs."""

        def found() -> Object | None:
            pods = [pod for pod in self.pods(name) if attempt in (None, _attempt(pod))]
            return next((pod for pod in pods if pod["status"]["phase"] == "Running"), None)

        return wait_for(found, f"a running pod of {name}")

    def until(self, holds: Callable[[Object], Any], what: str, name: str = "job") -> Object:
        """The status once the predicate holds."""
        last: Object = {}

        def check() -> Object | None:
            nonlocal last
            last = self.status(name)
            return last if holds(last) else None

        try:
            return wait_for(check, what)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{json.dumps(last, indent=1)}") from None

    def until_phase(self, *phases: str, name: str = "job") -> Object:
        return self.until(lambda status: status.get("phase") in phases, f"phase {phases}", name)

    def until_true(self, type: str, name: str = "job") -> Object:
        return self.until(lambda status: is_true(status, type), f"condition {type}", name)

    def until_end(self, name: str = "job") -> Object:
        """As the README says: whichever end it is."""
        completion = "--for=jsonpath={.status.completionTime}"
        waited = self.kubectl.run("wait", f"trainingjob/{name}", completion, f"--timeout={PATIENCE:.0f}s")
        status = self.status(name)
        assert waited.returncode == 0, f"{waited.stderr}\n{json.dumps([status, self.jobs(name)], indent=1)}"
        return status

    def until_stalled(self, reason: str, name: str = "job") -> Object:
        return self.until(
            lambda status: condition(status, "Stalled").get("reason") == reason, f"Stalled/{reason}", name
        )

    def until_attempt(self, number: int, name: str = "job") -> Object:
        return self.until(
            lambda status: status.get("attempt") == number and is_true(status, "Running"),
            f"attempt {number} to run",
            name,
        )

    def until_step(self, step: int, name: str = "job") -> Object:
        return self.until(lambda s: s.get("progress", {}).get("step", 0) >= step, f"step {step}", name)

    def events(self, name: str = "job") -> list[str]:
        """Reasons of our events, oldest first."""
        events = self.kubectl.list("events")
        ours = [
            e for e in events if e["involvedObject"]["kind"] == "TrainingJob" and e["involvedObject"]["name"] == name
        ]
        return [
            e["reason"]
            for e in sorted(ours, key=lambda e: (e["firstTimestamp"], int(e["metadata"]["resourceVersion"])))
        ]


def condition(status: Object, type: str) -> Object:
    return next((one for one in status.get("conditions", []) if one["type"] == type), {})


def is_true(status: Object, type: str) -> bool:
    return bool(condition(status, type).get("status") == "True")


def _attempt(pod: Object) -> int:
    return int(pod["metadata"]["labels"]["trainingjob.dev/attempt"])
