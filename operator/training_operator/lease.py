"""The Lease by which replicas agree on who acts: what is read from it, and what is written. Pure."""

from datetime import datetime
from typing import Any

from trainingjob_api.base import Report

SECONDS = 10
"""So long others wait after the last renewal that they have seen."""


class Lease(Report):
    """Who holds it, as far as that can be read."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    lease_transitions: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None

    @property
    def seconds(self) -> float:
        """So long it may go without a renewal, by its holder's own word."""
        return self.lease_duration_seconds or SECONDS


def read_lease(raw: dict[str, Any] | None) -> Lease:
    """Nobody's when there is none."""
    return Lease.model_validate((raw or {}).get("spec") or {})


def taken(raw: dict[str, Any] | None, namespace: str, name: str, identity: str, now: datetime) -> dict[str, Any]:
    """The Lease once this replica has taken or renewed it; whatever else is on it stays."""
    before, time = read_lease(raw), _micro_time(now)
    is_renewed = before.holder_identity == identity
    spec = {
        "holderIdentity": identity,
        "leaseDurationSeconds": SECONDS,
        "acquireTime": before.acquire_time if is_renewed else time,
        "renewTime": time,
        "leaseTransitions": (before.lease_transitions or 0) + (0 if is_renewed or raw is None else 1),
    }
    fresh = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
    there = raw or {"metadata": {"namespace": namespace, "name": name}}
    return {**fresh, **there, "spec": {**(there.get("spec") or {}), **spec}}


def given_back(raw: dict[str, Any], now: datetime) -> dict[str, Any]:
    """The Lease that anybody may take at once."""
    return {**raw, "spec": {**raw["spec"], "holderIdentity": "", "renewTime": _micro_time(now)}}


def _micro_time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
