"""`python -m local_cluster.node DIRECTORY`: the node of the cluster in that directory. SIGTERM ends it and leaves
the pods' processes running; started again, it goes on with them."""

import argparse
import asyncio
import contextlib
import logging
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from local_cluster.controlplane import NODE, NODE_USER, PROVISIONER, WITNESS, WITNESS_USER, ControlPlane
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
from local_cluster.settings import Settings


@dataclass(frozen=True)
class Node:
    """One cluster's node, put together from what lies in its directory."""

    directory: ClusterDirectory
    settings: Settings
    plane: ControlPlane

    async def run(self) -> None:
        """Until it is cancelled."""
        async with (
            self._api(NODE_USER) as api,
            self._api(WITNESS_USER) as witness_api,
            self._api(PROVISIONER) as storage_api,
            asyncio.TaskGroup() as group,
        ):
            registration = self._registration(api, NODE)
            context = self._context(api, registration.capacity)
            agent = Agent(context, registration)
            parts = [registration.run(), agent.run(), context.memory.run(), self._serve(agent)]
            parts.append(Provisioner(storage_api, self.directory.volumes).run())
            if self.settings.witness:
                parts.append(self._registration(witness_api, WITNESS).run())
            for part in parts:
                group.create_task(part)

    def _api(self, user: str) -> Api:
        authority = self.plane.authority
        return Api(self.plane.server, authority.certificate("ca"), authority.certificate(user), authority.key(user))

    def _registration(self, api: Api, name: str) -> Registration:
        timing, settings = self.settings.timing, self.settings
        capacity = find_capacity(count_gpus() if settings.gpus is None else settings.gpus, settings.capacity)
        lease_seconds = max(1, round(timing.lost_after * 0.8))
        port = self.plane.ports.node
        return Registration(api, name, HOST, port, capacity, timing.heartbeat, lease_seconds, name == NODE)

    def _context(self, api: Api, capacity: Mapping[str, str]) -> Context:
        self.directory.pods.mkdir(parents=True, exist_ok=True)
        return Context(
            api=api,
            events=Events(api, NODE),
            server=(HOST, self.plane.ports.apiserver),
            pods=self.directory.pods,
            allocatable=capacity,
            images=ImageTable.with_entries(self.settings.images),
            addresses=Addresses(str(self.directory.path)),
            gpus=Gpus(count_gpus()),
            faults=Faults(),
            memory=MemoryWatch(),
        )

    async def _serve(self, agent: Agent) -> None:
        authority = self.plane.authority
        context = tls(authority.certificate("ca"), authority.certificate(NODE_USER), authority.key(NODE_USER))
        runner = web.AppRunner(application(agent), access_log=None, shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, HOST, self.plane.ports.node, ssl_context=context).start()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()


async def until_terminated(directory: ClusterDirectory) -> None:
    main = asyncio.ensure_future(Node(directory, directory.settings(), directory.control_plane()).run())
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
