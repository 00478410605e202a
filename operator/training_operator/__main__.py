"""`python -m training_operator`: runs the operator; everything is set by environment variables."""

# ruff: noqa: E402
from training_operator import stopping

stopping.end_at_once()  # before the other imports, which take a second

import argparse
import asyncio
import sys
from contextlib import suppress
from dataclasses import fields

from training_operator import app, log
from training_operator.check import NotAtWorkError, check
from training_operator.errors import RefusedError, TryAgainError
from training_operator.settings import PREFIX, Settings, from_environment

_MEANING = {
    "namespaces": "namespaces to serve, comma-separated; none: the whole cluster",
    "trainer_image": "image of pods whose TrainingJob names none",
    "address": "where /metrics, /healthz and /readyz are served",
    "port": "their port",
    "metrics_auth": "whether /metrics wants a token that the API server knows and allows to get it",
    "metrics_port": "the port of /metrics, with TLS, if it does",
    "metrics_keep_seconds": "how long the series of a TrainingJob stay at /metrics after it has ended",
    "log_format": "text or json",
    "log_level": "DEBUG, INFO, WARNING or ERROR",
    "workers": "TrainingJobs that are worked on at the same time",
    "relist_seconds": "how often everything is listed, to find what the watches missed",
    "poll_seconds": "how often rank 0 is asked for its progress",
    "progress_writes_per_second": "how often progress is written into status, of all TrainingJobs together",
    "retry_seconds": "how often something is tried again that was refused, by a quota or because a name is taken",
    "network_policy_from": "namespaces (or label=value) that reach the pods' metrics; none: no policy is made",
    "lease": "namespace/name of the Lease by which replicas agree on who acts; none: this process always acts",
}


def _parser() -> argparse.ArgumentParser:
    lines = [
        f"  {PREFIX}{field.name.upper():<26} {_MEANING[field.name]} (default: {field.default or 'none'})"
        for field in fields(Settings)
    ]
    parser = argparse.ArgumentParser(
        prog="python -m training_operator",
        description="Run the TrainingJob operator against the cluster of KUBECONFIG, or the one it runs in.",
        epilog="environment variables:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="say whether an installed operator is at work, and end")
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    try:
        settings = from_environment()
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.check:
        return _check(settings)
    log.set_up(settings)
    with suppress(asyncio.CancelledError):  # it was told to stop
        asyncio.run(app.run(settings))
    return 0


def _check(settings: Settings) -> int:
    try:
        print(asyncio.run(check(settings)))
    except (NotAtWorkError, RefusedError, TryAgainError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
