"""Where the API server is, and who we are to it: a kubeconfig, or in a pod its ServiceAccount."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from trainingjob_api.proxy import proxy_of
from trainingjob_client.errors import NotConfiguredError

if TYPE_CHECKING:  # it takes a moment to import, and who asks for help only does not wait for it
    from kubernetes.aio.client.configuration import Configuration

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_LARGEST_LINE = 4 * 1024 * 1024  # of a watch: an object is smaller than what etcd holds


@dataclass(frozen=True)
class Connection:
    """A session with one API server."""

    configuration: "Configuration"
    session: aiohttp.ClientSession
    namespace: str
    """The context's, or the pod's own."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Headers of every request."""

    @classmethod
    async def open(cls, *, context: str | None = None, kubeconfig: str | Path | None = None) -> Self:
        """NotConfiguredError when there is nothing that could be used."""
        from kubernetes.aio.client.configuration import Configuration
        from kubernetes.aio.config import ConfigException

        configuration = Configuration()
        try:
            namespace = await _load(configuration, context, kubeconfig)
            ssl = _ssl_of(configuration)
        except (ConfigException, OSError, ValueError, KeyError, TypeError) as error:
            raise NotConfiguredError(f"no cluster can be reached by {_source(kubeconfig)}: {error}") from error
        configuration.proxy = configuration.proxy or proxy_of(configuration.host)
        connector = aiohttp.TCPConnector(ssl=ssl, limit=0)
        session = aiohttp.ClientSession(connector=connector, read_bufsize=_LARGEST_LINE // 2, trust_env=False)
        return cls(configuration, session, namespace)

    async def close(self) -> None:
        await self.session.close()

    @property
    def url(self) -> str:
        return str(self.configuration.host).rstrip("/")

    async def headers(self) -> dict[str, str]:
        """With a token that is still good."""
        token = await self.configuration.get_api_key_with_prefix("BearerToken")
        return {**self.extra, **({"Authorization": token} if token else {}), **(await self._basic())}

    @property
    def options(self) -> dict[str, Any]:
        """Of every request besides."""
        name = self.configuration.tls_server_name
        return {"proxy": self.configuration.proxy, **({"server_hostname": name} if name else {})}

    async def _basic(self) -> dict[str, str]:
        if not self.configuration.username:
            return {}
        return {"Authorization": self.configuration.get_basic_auth_token() or ""}


async def _load(configuration: "Configuration", context: str | None, kubeconfig: str | Path | None) -> str:
    """The namespace that is meant where none is named."""
    from kubernetes.aio.config import load_incluster_config, load_kube_config

    if kubeconfig is None and context is None and _runs_in_pod():
        load_incluster_config(client_configuration=configuration)
        return (_ACCOUNT / "namespace").read_text().strip()
    file = _files(_source(kubeconfig))
    loader = await load_kube_config(
        config_file=file, context=context, client_configuration=configuration, persist_config=False
    )
    return str(loader.current_context["context"].get("namespace") or "default")


def _files(named: str) -> str:
    """Those of a list of kubeconfigs that there are."""
    files = [file for part in named.split(os.pathsep) if part and (file := Path(part).expanduser()).exists()]
    if not files:
        raise FileNotFoundError("there is no such file")
    return os.pathsep.join(map(str, files))


def _runs_in_pod() -> bool:
    return (_ACCOUNT / "token").exists() and not os.environ.get("KUBECONFIG")


def _source(kubeconfig: str | Path | None) -> str:
    return str(kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config")


def _ssl_of(configuration: "Configuration") -> Any:
    from kubernetes.aio.client.rest import RESTClientObject

    return RESTClientObject(configuration).ssl_context
