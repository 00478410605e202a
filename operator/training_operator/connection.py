"""Where the API server is, and who we are to it."""

import os
from pathlib import Path

from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import load_incluster_config, load_kube_config

from trainingjob_api.proxy import proxy_of

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


async def connect() -> ApiClient:
    """By KUBECONFIG or ~/.kube/config; inside a pod, as its service account."""
    configuration = Configuration()
    if _runs_in_pod():
        load_incluster_config(client_configuration=configuration)
    else:
        await load_kube_config(client_configuration=configuration, persist_config=False)
    configuration.retries = None  # tries again only where it is known to be safe
    # Asked of the environment once: else every request looks there, into ~/.netrc and whatever else may name a proxy.
    configuration.client_session_kwargs = {"trust_env": False}
    configuration.proxy = configuration.proxy or proxy_of(configuration.host)
    return ApiClient(configuration)


def _runs_in_pod() -> bool:
    return SERVICE_ACCOUNT_TOKEN.exists() and not os.environ.get("KUBECONFIG")
