"""What of this project a cluster has."""

from trainingjob_api.contract import GROUP, PLURAL
from trainingjob_client.api import Api, Raw
from trainingjob_client.errors import ForbiddenError, NotFoundError
from trainingjob_client.resources import CUSTOM_RESOURCES, DEPLOYMENTS

OPERATOR_LABEL = "app.kubernetes.io/name=trainingjob-operator"


async def cluster_versions(api: Api) -> list[tuple[str, str]]:
    """Kubernetes, the CRD and the operator; what may not be read is named so."""
    server = await api.request("GET", "/version")
    return [
        ("cluster", str(server.get("gitVersion", "?"))),
        ("CRD", await _crd(api)),
        ("operator", await _operator(api)),
    ]


async def _crd(api: Api) -> str:
    try:
        found = await api.get(CUSTOM_RESOURCES, f"{PLURAL}.{GROUP}")
    except NotFoundError:
        return "not installed"
    except ForbiddenError:
        return "may not be read by this user"
    return ", ".join(each["name"] for each in found["spec"]["versions"] if each["served"])


async def _operator(api: Api) -> str:
    try:
        found = await api.list(DEPLOYMENTS, labels=OPERATOR_LABEL)
    except ForbiddenError:
        return "may not be looked for by this user"
    images = [f"{_image(each)} (namespace {each['metadata']['namespace']})" for each in found["items"]]
    return ", ".join(images) or "no Deployment"


def _image(deployment: Raw) -> str:
    return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
