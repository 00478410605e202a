"""`python -m training_gateway`: serves until it is told to stop."""

import logging
import sys
from collections.abc import Sequence

import uvicorn

from training_gateway import settings as settings_of
from training_gateway.app import application
from training_gateway.settings import Settings

logger = logging.getLogger("training_gateway")
_HEADERS_LIMIT = 48 * 1024  # bytes
_GOODBYE = 3
"""Seconds until streams are cut; clients come back with the id of their last event."""


def main(arguments: Sequence[str] | None = None) -> int:
    settings = settings_of.parse(arguments)
    logging.basicConfig(
        level=settings.log_level, stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    )
    _warn(settings)
    config = uvicorn.Config(
        application(settings),
        host=settings.address,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=_GOODBYE,
        h11_max_incomplete_event_size=_HEADERS_LIMIT,
        ssl_certfile=settings.tls_certificate or None,
        ssl_keyfile=settings.tls_key or None,
    )
    uvicorn.Server(config).run()
    return 0


def _warn(settings: Settings) -> None:
    if settings.development_token:
        logger.warning(
            "--development-token-file: whoever has this one token may do everything that the gateway may, as nobody in "
            "particular. It is for trying things on a machine of your own."
        )
    if settings.anonymous_read:
        logger.warning("--anonymous-read: whoever reaches this port reads the progress of every training")


if __name__ == "__main__":
    sys.exit(main())
