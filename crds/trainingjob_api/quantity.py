"""Amounts as Kubernetes writes them: 0.5, 500m, 8Gi, 129e6."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

PATTERN = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]{1,3})?$"
_LENGTH = 32
_FACTORS = {
    **{suffix: Decimal(10) ** (3 * power) for power, suffix in enumerate("num", start=-3)},
    **{suffix: Decimal(10) ** (3 * power) for power, suffix in enumerate("kMGTPE", start=1)},
    **{f"{suffix}i": Decimal(2) ** (10 * power) for power, suffix in enumerate("KMGTPE", start=1)},
}


def _as_in_a_container(value: Any) -> int | float | str:
    text = str(value)
    if type(value) not in (int, float, str) or len(text) > _LENGTH or not re.fullmatch(PATTERN, text):
        raise ValueError("must be a quantity as in a container, such as 2, 0.5, 500m, 8Gi or 129e6")
    return value  # type: ignore[no-any-return]


Quantity = Annotated[
    int | float | str,
    PlainValidator(_as_in_a_container),
    # A fraction without quotes is a number to JSON, which is neither integer nor string: hence no type.
    WithJsonSchema(
        {
            "x-kubernetes-preserve-unknown-fields": True,
            "pattern": PATTERN,
            "maxLength": _LENGTH,
            "minimum": 0,
            "not": {"enum": [True, False]},
        }
    ),
]


def amount(quantity: int | float | str) -> Decimal:
    """The number that a quantity stands for."""
    number, suffix = re.fullmatch(r"(.*?)([numkMGTPE]|[KMGTPE]i)?", str(quantity), re.DOTALL).groups()  # type: ignore[union-attr]
    return Decimal(number) * _FACTORS.get(suffix, Decimal(1))
