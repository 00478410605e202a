"""Tables of one's own."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Form, UploadFile

from training_gateway import datasets
from training_gateway.asking import Asker, Served
from training_gateway.documents import Uploaded, answers
from training_gateway.gate import Action
from training_gateway.refusal import FieldError, invalid
from training_gateway.routes.training import Namespace
from trainingjob_client.errors import AlreadyExistsError, NotFoundError
from trainingjob_client.resources import CONFIG_MAPS

router = APIRouter(tags=["data"])


@router.post("/datasets", status_code=201, responses=answers(Uploaded, 201))
async def upload(
    file: UploadFile,
    user: Asker,
    services: Served,
    namespace: Namespace = None,
    namespace_field: Annotated[str | None, Form(alias="namespace", max_length=63)] = None,
) -> dict[str, Any]:
    """csv in UTF-8 with a header, or parquet, up to 512 kB. The same content again is the same dataset."""
    where = services.namespace(namespace_field or namespace)
    await services.gate.require(user, Action("create", where), Action("create", where, "configmaps", ""))
    dataset = await asyncio.to_thread(datasets.read, await file.read())
    name = (file.filename or "")[:200]
    try:
        await services.api.create(CONFIG_MAPS, dataset.config_map(user.name, name), where)
    except AlreadyExistsError:
        pass
    except NotFoundError:
        raise invalid(FieldError("namespace", f"there is no namespace {where}")) from None
    return {
        "success": True,
        "dataset_id": dataset.id,
        "namespace": where,
        "format": dataset.kind,
        "columns": list(dataset.columns),
        "rows": dataset.table.rows if dataset.table else None,
        "target_column": dataset.target,
        "task": dataset.task,
        "message": f"{name or 'the table'} is stored; start a training with dataset_id {dataset.id}",
    }
