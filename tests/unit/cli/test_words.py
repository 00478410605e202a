"""Times, numbers and tables as they are printed."""

import pytest

from trainingjob_cli.table import fields, table
from trainingjob_cli.words import age, seconds_of, size


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0s"),
        (0.9, "0s"),
        (119, "119s"),
        (120, "2m"),
        (121, "2m1s"),
        (599, "9m59s"),
        (600, "10m"),
        (3 * 3600 - 1, "179m"),
        (3 * 3600, "3h"),
        (7 * 3600 + 1800, "7h30m"),
        (8 * 3600 + 1800, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86_400, "8d"),
        (729 * 86_400, "729d"),
        (730 * 86_400, "2y"),
        (800 * 86_400, "2y70d"),
        (9 * 365 * 86_400, "9y"),
    ],
)
def test_ages_are_those_of_kubectl(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("1h30m", 5400), ("2d", 172_800), ("0s", 0)]
)
def test_times_are_understood(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "abc", "5x", "m5", "1h 30m", "-3s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no time such as 90s"):
        seconds_of(text)


def test_sizes_have_a_unit() -> None:
    assert [size(count) for count in (0, 1023, 1024, 3 * 1024**2, 5 * 1024**4)] == [
        "0 B",
        "1023 B",
        "1.0 KiB",
        "3.0 MiB",
        "5.0 TiB",
    ]


def test_columns_are_three_spaces_apart_and_nothing_trails() -> None:
    assert table(("NAME", "N", "X"), [["a", "100", ""], ["longer", "1", "y"]], right=("N",)) == [
        "NAME       N   X",
        "a        100",
        "longer     1   y",
    ]


def test_fields_without_a_value_are_left_out() -> None:
    assert fields([("Name", "a"), ("Empty", ""), ("Longer", "b")], indent=2) == ["  Name:    a", "  Longer:  b"]
