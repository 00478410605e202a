"""Where a training's data comes from: a claim, object storage, an upload, the server's default, or a draw. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from training_gateway.refusal import FieldError, invalid
from training_gateway.start_request import StartRequest

MOUNT = "/dataset"
VOLUME = "dataset"
_DRAWN = {"format": "synthetic"}
_REMOTE = ("s3", "gs", "gcs", "https", "http", "abfs", "az")


@dataclass(frozen=True)
class Source:
    """`training.data`, and the volume that it is in."""

    data: dict[str, Any]
    volume: dict[str, Any] | None = None
    task: str | None = None
    """What the data looks like; None: nobody has looked."""
    columns: tuple[str, ...] = field(default=())
    """Known of an upload."""

    @property
    def is_drawn(self) -> bool:
        return self.data.get("format") == "synthetic"

    @property
    def mount(self) -> dict[str, Any]:
        return {"name": VOLUME, "mountPath": MOUNT, "readOnly": True}

    def problems(self, request: StartRequest) -> Iterator[FieldError]:
        """Columns that there are not."""
        asked = {"target_column": [request.target_column or ""], "feature_columns": request.feature_columns or []}
        for name, columns in asked.items():
            if self.is_drawn and any(columns):
                yield FieldError(name, "the server has no data of its own: give data_path or dataset_id as well")
            missing = [one for one in columns if one and self.columns and not _is_in(one, self.columns)]
            if missing:
                known = ", ".join(self.columns[:20])
                yield FieldError(name, f"the dataset has no column {', '.join(missing)}; it has {known}")

    def with_columns(self, request: StartRequest) -> "Source":
        """With what the request says about columns; drawn points have none."""
        if self.is_drawn:
            return self
        data = {**self.data}
        if request.target_column:
            data["target"] = request.target_column
        if request.feature_columns:
            data["features"] = request.feature_columns
        return Source(
            data, self.volume, self.task if data.get("target") == self.data.get("target") else None, self.columns
        )


def _is_in(name: str, columns: tuple[str, ...]) -> bool:
    return name in columns or any(sign in name for sign in "*?[!")


def source_of(
    request: StartRequest, given: Mapping[str, Any], default_path: str, default_target: str, dataset: Source | None
) -> Source:
    """What the request means. Refusal (422) where it says two things, or nothing that can be read."""
    own = given.get("data") or {}
    named = [name for name in ("data_path", "dataset_id") if getattr(request, name)]
    if own.get("path") or own.get("format") == "synthetic":
        named.append("training.data.path" if own.get("path") else "training.data.format")
    if len(named) > 1:
        raise invalid(*(FieldError(name, f"give one of {' and '.join(named)}") for name in named))
    if dataset is not None:
        return dataset.with_columns(request)
    if request.data_path:
        return _at("data_path", request.data_path).with_columns(request)
    if own.get("path") or own.get("format") == "synthetic":
        return Source({name: own[name] for name in ("path", "format") if own.get(name)}).with_columns(request)
    if not default_path:
        return Source(_DRAWN)
    default = _at("data_path", default_path)
    target = {"target": default_target} if default_target else {}
    return Source({**default.data, **target}, default.volume).with_columns(request)


def _at(field: str, path: str) -> Source:
    parts = urlsplit(path)
    if parts.scheme == "claim":
        return _in_claim(field, parts.netloc, parts.path)
    if parts.scheme in _REMOTE or (not parts.scheme and path.startswith("/")):
        return Source({"path": path})
    raise invalid(FieldError(field, "must be claim://CLAIM/path, s3://bucket/key, or a path in a mounted volume"))


def _in_claim(field: str, claim: str, path: str) -> Source:
    if not claim or not path.strip("/") or ".." in path.split("/"):
        raise invalid(FieldError(field, "must be claim://CLAIM/path/in/it.csv"))
    volume = {"name": VOLUME, "persistentVolumeClaim": {"claimName": claim}}
    return Source({"path": f"{MOUNT}{path}"}, volume)
