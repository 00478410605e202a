"""One seed for each purpose, made from the recipe's: split, order and dropout do not depend on each other."""

from hashlib import blake2b


def derived_seed(*parts: object) -> int:
    """A seed of 63 bits; the same parts give the same seed on every machine."""
    text = "/".join(map(str, parts))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
