"""What can be set, by flags of the command line."""

import argparse
import re
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

LEAST_TOKEN = 20
"""Characters of a development token."""


@dataclass(frozen=True)
class Settings:
    """Frozen; ValueError says which flag is wrong."""

    address: str = "0.0.0.0"  # noqa: S104  (asked from other hosts)
    port: int = 8080
    namespaces: tuple[str, ...] = ()
    """Whose TrainingJobs are served; none: all of the cluster."""
    default_namespace: str = "default"
    audience: str = "trainingjob-gateway"
    anonymous_read: bool = False
    development_token: str = ""
    cors_origins: tuple[str, ...] = ()
    default_data_path: str = ""
    default_target_column: str = ""
    claim_size: str = "1Gi"
    requests_per_second: float = 50.0
    burst: int = 200
    streams: int = 2000
    request_seconds: float = 30.0
    tls_certificate: str = ""
    tls_key: str = ""
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    def __post_init__(self) -> None:
        if self.development_token and not re.fullmatch(
            rf"[A-Za-z0-9._~+/=-]{{{LEAST_TOKEN},256}}", self.development_token
        ):
            raise ValueError(
                f"--development-token-file: {LEAST_TOKEN} to 256 letters, digits or . _ ~ + / = - are needed"
            )
        if bool(self.tls_certificate) != bool(self.tls_key):
            raise ValueError("--tls-certificate and --tls-key belong together")
        if "*" in self.cors_origins:
            raise ValueError("--cors-origins: name each origin, such as https://example.org")
        if self.namespaces and self.default_namespace not in self.namespaces:
            raise ValueError(f"--default-namespace must be one of --namespaces, not {self.default_namespace}")

    def serves(self, namespace: str) -> bool:
        return not self.namespaces or namespace in self.namespaces


def parse(arguments: Sequence[str] | None = None) -> Settings:
    """The settings; ends with a message for what cannot be."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    token_file = given.pop("development_token_file")
    values = {field.name: given[field.name] for field in fields(Settings) if given.get(field.name) is not None}
    try:
        if token_file is not None:
            values["development_token"] = token_file.read_text().strip() or "empty"
        settings = Settings(**values)
        _try_certificate(settings)
    except (OSError, ValueError) as error:
        parser.error(str(error))
    return settings


def _try_certificate(settings: Settings) -> None:
    if not settings.tls_certificate:
        return
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(settings.tls_certificate, settings.tls_key)
    except OSError as error:  # ssl's own are OSErrors
        raise ValueError(f"--tls-certificate and --tls-key cannot be used: {error}") from error


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _parser() -> argparse.ArgumentParser:
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog="python -m training_gateway",
        description="Serve the HTTP API and the web page for the cluster of KUBECONFIG, or the one it runs in.",
    )
    add = parser.add_argument
    add("--address", help=f"default: {defaults.address}")
    add("--port", type=int, help=f"default: {defaults.port}")
    add("--namespaces", type=_names, metavar="A,B", help="whose TrainingJobs are served; default: all of the cluster")
    add("--default-namespace", help=f"of requests that name none; default: {defaults.default_namespace}")
    add("--audience", help=f"that tokens must be for; default: {defaults.audience}")
    add("--anonymous-read", action="store_true", help="progress, stream-progress and history need no token")
    add("--development-token-file", type=Path, help="a file with one token that may do everything; not for production")
    add("--cors-origins", type=_names, metavar="A,B", help="web origins that may call the API; default: none")
    add("--default-data-path", help="of trainings that name no data; default: points drawn by the seed")
    add("--default-target-column", help="of the data there")
    add("--claim-size", help=f"of checkpoint volumes; default: {defaults.claim_size}")
    add("--requests-per-second", type=float, help=f"of each user, 0: any; default: {defaults.requests_per_second:g}")
    add("--burst", type=int, help=f"of those at once; default: {defaults.burst}")
    add("--streams", type=int, help=f"that may be open; default: {defaults.streams}")
    add("--request-seconds", type=float, help=f"that a request may take; default: {defaults.request_seconds:g}")
    add("--tls-certificate", help="PEM file; default: no TLS")
    add("--tls-key", help="PEM file")
    add("--log-level", choices=("DEBUG", "INFO", "WARNING", "ERROR"), help=f"default: {defaults.log_level}")
    return parser
