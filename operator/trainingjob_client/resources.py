"""The kinds of objects that are asked for by name, and where the API server has them."""

from dataclasses import dataclass

from trainingjob_api.contract import API_VERSION, PLURAL


@dataclass(frozen=True)
class Resource:
    """One kind as the API server serves it."""

    api_version: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str = "") -> str:
        """Of the collection, or of one object; namespace None: of the whole cluster."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        scope = ["namespaces", namespace] if self.namespaced and namespace else []
        return "/".join([root, *scope, self.plural, *(part for part in (name, subresource) if part)])


TRAINING_JOBS = Resource(API_VERSION, PLURAL)
TRAINING_HISTORIES = Resource(API_VERSION, "traininghistories")
JOBS = Resource("batch/v1", "jobs")
PODS = Resource("v1", "pods")
EVENTS = Resource("v1", "events")
CONFIG_MAPS = Resource("v1", "configmaps")
SECRETS = Resource("v1", "secrets")
CLAIMS = Resource("v1", "persistentvolumeclaims")
VOLUMES = Resource("v1", "persistentvolumes", namespaced=False)
NAMESPACES = Resource("v1", "namespaces", namespaced=False)
NODES = Resource("v1", "nodes", namespaced=False)
DEPLOYMENTS = Resource("apps/v1", "deployments")
STORAGE_CLASSES = Resource("storage.k8s.io/v1", "storageclasses", namespaced=False)
CUSTOM_RESOURCES = Resource("apiextensions.k8s.io/v1", "customresourcedefinitions", namespaced=False)
TOKEN_REVIEWS = Resource("authentication.k8s.io/v1", "tokenreviews", namespaced=False)
ACCESS_REVIEWS = Resource("authorization.k8s.io/v1", "subjectaccessreviews", namespaced=False)
OWN_ACCESS_REVIEWS = Resource("authorization.k8s.io/v1", "selfsubjectaccessreviews", namespaced=False)
