"""Kubernetes' resource quantities, such as 500m, 1.5 or 64Mi."""

import math
import re
from decimal import Decimal

_SUFFIXES = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal(10**3),
    "M": Decimal(10**6),
    "G": Decimal(10**9),
    "T": Decimal(10**12),
    "P": Decimal(10**15),
    "E": Decimal(10**18),
    "Ki": Decimal(2**10),
    "Mi": Decimal(2**20),
    "Gi": Decimal(2**30),
    "Ti": Decimal(2**40),
    "Pi": Decimal(2**50),
    "Ei": Decimal(2**60),
}
_QUANTITY = re.compile(r"([+-]?\d*\.?\d+|\d+\.)(?:([eE][+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)")


def parse(text: str) -> Decimal:
    """The number that a quantity stands for; ValueError when it is none."""
    found = _QUANTITY.fullmatch(text.strip())
    if not found:
        raise ValueError(f"not a quantity: {text!r}")
    number, exponent, suffix = found.groups()
    return Decimal(number + (exponent or "")) * _SUFFIXES[suffix or ""]


def in_units(text: str, divisor: str = "1") -> int:
    """How many units a quantity is, rounded up, as resourceFieldRef counts."""
    return math.ceil(parse(text) / parse(divisor or "1"))
