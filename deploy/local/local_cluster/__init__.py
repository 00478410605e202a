"""A Kubernetes cluster of one's own without containers, root or registry: the real control plane, and a node
that runs pods as local processes. `python -m local_cluster up` for people, `cluster.LocalCluster` for tests."""

# Nothing is imported here: the shim beside every container starts through this package and must stay small.
