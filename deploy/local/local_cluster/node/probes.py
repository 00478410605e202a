"""Readiness probes: asks a container again and again whether it is ready. Liveness probes are not run here."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

import aiohttp

from local_cluster.node.models import Probe


async def watch_readiness(
    probe: Probe, address: str, environment: Mapping[str, str], directory: Path, tell: Callable[[bool], None]
) -> None:
    """Call `tell` whenever the answer changes, having come often enough in a row; runs until it is cancelled."""
    ready, streak = False, 0
    await asyncio.sleep(probe.initial_delay)
    while True:
        answer = await _ask(probe, address, environment, directory)
        streak = streak + 1 if answer != ready else 0
        if streak >= (probe.success_threshold if answer else probe.failure_threshold):
            ready, streak = answer, 0
            tell(ready)
        await asyncio.sleep(probe.period)


async def _ask(probe: Probe, address: str, environment: Mapping[str, str], directory: Path) -> bool:
    with contextlib.suppress(OSError, TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(probe.timeout):
            if probe.command:
                return await _runs(probe.command, environment, directory)
            if probe.http_path:
                return await _answers(f"{probe.scheme}://{address}:{probe.port}{probe.http_path}")
            _, writer = await asyncio.open_connection(address, probe.port)
            writer.close()
            return True
    return False


async def _answers(url: str) -> bool:
    # The kubelet does not verify certificates here either: the address is the container's own.
    async with aiohttp.ClientSession() as session, session.get(url, ssl=False, allow_redirects=False) as response:
        return 200 <= response.status < 400


async def _runs(command: tuple[str, ...], environment: Mapping[str, str], directory: Path) -> bool:
    null = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, cwd=directory, stdin=null, stdout=null, stderr=null
    )
    try:
        return await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
