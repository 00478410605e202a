"""The manifests of deploy/examples: in the checkout, or as they were packaged."""

from pathlib import Path

from trainingjob_cli.program import program
from trainingjob_cli.table import table
from trainingjob_client.errors import ClientError

_HERE = Path(__file__).parent
_PLACES = (_HERE / "manifests", _HERE.parents[1] / "deploy" / "examples")


def found() -> list[str]:
    """Lines: the names, and what each trains."""
    files = sorted(_folder().glob("*.yaml"))
    return table(("NAME", "TRAINS"), [[file.stem, _first_line(file)] for file in files])


def text_of(name: str) -> str:
    """ClientError when there is none of that name."""
    file = _folder() / f"{name.removesuffix('.yaml')}.yaml"
    if file.parent != _folder() or not file.is_file():
        raise ClientError(f"there is no example {name}: {program()} examples lists them")
    return file.read_text()


def _folder() -> Path:
    folder = next((place for place in _PLACES if place.is_dir()), None)
    if folder is None:
        raise ClientError("the examples are not installed here; they are in deploy/examples of the repository")
    return folder


def _first_line(file: Path) -> str:
    with file.open() as lines:
        return lines.readline().strip("# \n").rstrip(".")
