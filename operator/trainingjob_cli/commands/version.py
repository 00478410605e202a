"""`version`: of the client, and of what the cluster has."""

from typing import Annotated

import typer

from trainingjob_cli.options import Context, Kubeconfig


def version(
    client: Annotated[bool, typer.Option("--client", help="Only the client's.")] = False,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Of the client, the CRD and the operator."""
    from trainingjob_api.contract import RELEASE

    print(f"client:    {RELEASE}")
    if client:
        return
    from trainingjob_cli.connected import finish
    from trainingjob_cli.versions import cluster_versions
    from trainingjob_client import AsyncTrainingJobs

    async def ask() -> None:
        async with await AsyncTrainingJobs.connect(context=context, kubeconfig=kubeconfig) as jobs:
            for name, value in await cluster_versions(jobs.api):
                print(f"{name + ':':<10} {value}")

    finish(ask)
