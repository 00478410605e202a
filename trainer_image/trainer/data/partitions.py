"""Folders such as label=cat, in which Spark and Dask keep the values of a column that is not in the files."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence

from trainer.errors import DataError

_FOLDER = re.compile(r"([^=]+)=(.*)")


def keys_in(paths: Iterable[str]) -> dict[str, str]:
    """Columns that are in the names of folders, with a folder for each."""
    found: dict[str, str] = {}
    for path in paths:
        for part in path.split("/")[:-1]:
            if key := _FOLDER.fullmatch(part):
                found.setdefault(key[1], part)
    return found


def varying(paths: Iterable[str]) -> list[str]:
    """Those of them that have more than one value."""
    values: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        for key, folder in keys_in([path]).items():
            values[key].add(folder)
    return [key for key, folders in values.items() if len(folders) > 1]


def require_none(place: str, folders: Sequence[str]) -> None:
    """DataError if a place holds such folders in place of files. folders: their names below it."""
    for key, folder in keys_in(f"{name}/" for name in folders).items():
        raise DataError(
            f"{place}: the files lie in folders such as {folder}, and the column {key!r} is in their names only: "
            f"write it into the files, or leave it out with a glob such as {place}/*/*"
        )


def require_in_files(name: str, column: str, existing: Sequence[str], paths: Sequence[str]) -> None:
    """DataError if a column that is needed is in the names of folders only. name: of a file."""
    folder = keys_in(paths).get(column)
    if folder is not None and column not in existing:
        raise DataError(
            f"{name}: the column {column!r} is only in the folder's name, {folder}: write it into the files"
        )
