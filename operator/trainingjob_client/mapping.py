"""Which resource an object of any kind is, as the API server tells it."""

from trainingjob_client.api import Api, Raw
from trainingjob_client.errors import ManifestError, NotFoundError
from trainingjob_client.resources import Resource


async def resource_of(api: Api, manifest: Raw) -> Resource:
    """ManifestError when the cluster does not know the kind."""
    version, kind = str(manifest["apiVersion"]), str(manifest["kind"])
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    try:
        served = (await api.request("GET", root))["resources"]
    except NotFoundError:
        served = []
    for each in served:
        if each["kind"] == kind and "/" not in each["name"]:
            return Resource(version, each["name"], bool(each["namespaced"]))
    raise ManifestError(f"the cluster knows no {kind} of {version}")
