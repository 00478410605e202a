"""How a RunConfig gets into a process: as JSON in environment variables, none longer than Linux takes (128 KiB)."""

from collections.abc import Iterator, Mapping

from trainingjob_api.contract import RUN_ENV
from trainingjob_api.progress import RunConfig

_PIECE = 30_000
"""Characters, which are at most 120,000 bytes."""
_BETWEEN_TEXTS = '","'


def run_variables(run: RunConfig) -> dict[str, str]:
    """TRAININGJOB_RUN, and what does not fit into it in TRAININGJOB_RUN_2 and so on."""
    pieces = _pieces(run.model_dump_json(by_alias=True, exclude_none=True))
    return {_name(number): piece for number, piece in enumerate(pieces, start=1)}


def run_text(environment: Mapping[str, str]) -> str:
    """What run_variables has cut, as one; empty if there is nothing."""
    return "".join(_values(environment))


def without_run(environment: Mapping[str, str]) -> dict[str, str]:
    """All other variables."""
    return {
        name: value for name, value in environment.items() if name != RUN_ENV and not name.startswith(f"{RUN_ENV}_")
    }


def _values(environment: Mapping[str, str]) -> Iterator[str]:
    number = 1
    while (value := environment.get(_name(number))) is not None:
        yield value
        number += 1


def _name(number: int) -> str:
    return RUN_ENV if number == 1 else f"{RUN_ENV}_{number}"


def _pieces(text: str) -> Iterator[str]:
    """Cut between two texts of a list where that is possible: a path stays whole, and can be recognized."""
    while len(text) > _PIECE:
        end = text.rfind(_BETWEEN_TEXTS, 0, _PIECE) + 2
        end = end if end > 1 else _PIECE
        yield text[:end]
        text = text[end:]
    yield text
