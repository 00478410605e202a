"""`python -m local_cluster.node DIRECTORY`: the node of the cluster in that directory. SIGTERM ends it and leaves
the pods' processes running; started again, it goes on with them."""

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from aiohttp import web

from local_cluster.controlplane import NODE, NODE_USER, PROVISIONER
from local_cluster.directory import ClusterDirectory
from local_cluster.node.addresses import Addresses
from local_cluster.node.agent import Agent
from local_cluster.node.api import Api
from local_cluster.node.context import HOST, Context
from local_cluster.node.devices import Gpus, count_gpus
from local_cluster.node.events import Events
from local_cluster.node.faults import Faults
from local_cluster.node.images import ImageTable
from local_cluster.node.memory import MemoryWatch
from local_cluster.node.provisioner import Provisioner
from local_cluster.node.registration import Registration, find_capacity
from local_cluster.node.server import application, tls


async def run(directory: ClusterDirectory) -> None:
    settings, plane = directory.settings(), directory.control_plane()
    authority, timing = plane.authority, settings.timing
    ca, certificate, key = authority.certificate("ca"), authority.certificate(NODE_USER), authority.key(NODE_USER)
    api = Api(plane.server, ca, certificate, key)
    storage = Api(plane.server, ca, authority.certificate(PROVISIONER), authority.key(PROVISIONER))
    real_gpus = count_gpus()
    capacity = find_capacity(real_gpus if settings.gpus is None else settings.gpus, settings.capacity)
    directory.pods.mkdir(parents=True, exist_ok=True)
    context = Context(
        api=api,
        events=Events(api, NODE),
        server=(HOST, plane.ports.apiserver),
        pods=directory.pods,
        allocatable=capacity,
        images=ImageTable.with_entries(settings.images),
        addresses=Addresses(str(directory.path)),
        gpus=Gpus(real_gpus),
        faults=Faults(),
        memory=MemoryWatch(),
    )
    lease_seconds = max(1, round(timing.lost_after * 0.8))
    registration = Registration(api, NODE, HOST, plane.ports.node, capacity, timing.heartbeat, lease_seconds)
    agent = Agent(context, registration)
    server = web.AppRunner(application(agent), access_log=None, shutdown_timeout=0.5)
    await server.setup()
    await web.TCPSite(server, HOST, plane.ports.node, ssl_context=tls(ca, certificate, key)).start()
    try:
        async with asyncio.TaskGroup() as group:
            for part in (
                registration.run(),
                agent.run(),
                context.memory.run(),
                Provisioner(storage, directory.volumes).run(),
            ):
                group.create_task(part)
    finally:
        await server.cleanup()
        await api.close()
        await storage.close()


async def until_terminated(directory: ClusterDirectory) -> None:
    main = asyncio.ensure_future(run(directory))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, main.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await main


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local_cluster.node", description=__doc__)
    parser.add_argument("directory", type=Path)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    asyncio.run(until_terminated(ClusterDirectory(parser.parse_args().directory)))


if __name__ == "__main__":
    main()
