"""Where the API server is, and who we are to it."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.client.rest import RESTClientObject
from kubernetes.aio.config import load_incluster_config, load_kube_config

from trainingjob_api.proxy import proxy_of

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_LARGEST_LINE = 4 * 1024 * 1024  # of a watch: an object is smaller than what etcd holds


@dataclass(frozen=True)
class Connection:
    """A session with the API server, and what every request needs: the client library's own copies each body twice."""

    configuration: Configuration
    session: aiohttp.ClientSession

    @classmethod
    def of(cls, configuration: Configuration) -> Self:
        """Proxies are asked of the environment once: else every request looks there, and into ~/.netrc."""
        configuration.proxy = configuration.proxy or proxy_of(configuration.host)
        connector = aiohttp.TCPConnector(ssl=RESTClientObject(configuration).ssl_context, limit=0)
        return cls(configuration, aiohttp.ClientSession(connector=connector, read_bufsize=_LARGEST_LINE // 2))

    async def request(self, method: str, path: str, headers: dict[str, str], **options: Any) -> aiohttp.ClientResponse:
        """The answer, whose body is still to be read; with a token that is still good."""
        if token := await self.configuration.get_api_key_with_prefix("BearerToken"):
            headers = {**headers, "Authorization": token}
        name = self.configuration.tls_server_name
        options |= {"proxy": self.configuration.proxy, **({"server_hostname": name} if name else {})}
        return await self.session.request(method, f"{self.configuration.host}{path}", headers=headers, **options)

    async def close(self) -> None:
        await self.session.close()


async def connect() -> Connection:
    """By KUBECONFIG or ~/.kube/config; inside a pod, as its service account."""
    configuration = Configuration()
    if _runs_in_pod():
        load_incluster_config(client_configuration=configuration)
    else:
        await load_kube_config(client_configuration=configuration, persist_config=False)
    return Connection.of(configuration)


def _runs_in_pod() -> bool:
    return SERVICE_ACCOUNT_TOKEN.exists() and not os.environ.get("KUBECONFIG")
