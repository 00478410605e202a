"""csv as people and programs write it: what is read from memory is read from a stream, and nothing is left out."""

import gzip
import random
from pathlib import Path
from typing import Any

import pytest
import torch

from support.trainer import recipe
from trainer.config import Mounts
from trainer.data import csv_text
from trainer.data.csv_lines import lines_of
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset
from trainer.errors import DataError
from trainingjob_api.spec.training import Training


def load(path: Path, loading: str = "memory", **data: object) -> Dataset:
    fields = recipe(path, earlyStopping=None)
    fields["data"] = {"path": str(path), "target": "y", "normalize": "none", "loading": loading, **data}
    return load_dataset(Training.model_validate(fields), Mounts())


def values(data: Dataset) -> list[list[float]]:
    """Inputs and the class of each row."""
    features, targets = data.train.take(torch.arange(len(data.train)))
    return [[*row, float(target)] for row, target in zip(features.tolist(), targets.tolist(), strict=True)]


PLAIN = "a,y\n1,p\n2,q\n3,p\n"
READ = [[1.0, 0.0], [2.0, 1.0], [3.0, 0.0]]

ODD: dict[str, Any] = {
    "lines of Windows": PLAIN.replace("\n", "\r\n"),
    "lines of old Macs": PLAIN.replace("\n", "\r"),
    "no end of the last line": PLAIN.rstrip(),
    "a byte order mark": "\ufeff" + PLAIN,
    "blank lines before, between and behind": "\n\r\n" + PLAIN.replace("2,q", "\n2,q\r\n") + "\n\n",
    "everything in quotes": '"a","y"\n"1","p"\n"2","q"\n"3","p"\n',
    "quotes in quotes": 'a,"say ""y""",y\n1,"""",p\n2,",",q\n3,"a""b",p\n',
    "a header over two lines": '"a\nb",y\n1,p\n2,q\n3,p\n',
    "values over several lines": 'a,note,y\n1,"x\ny",p\n2,"""\r\n,\n",q\n3,"\n",p\n',
    "quotes that are inches": 'a,pipe,y\n1,5" steel,p\n2,6",q\n3,"7"" x\n8""",p\n',
    "blanks around numbers": "a,y\n 1,p\n2 ,q\n\t3,p\n",
}
"""All the same three rows, whatever else they hold."""


@pytest.mark.parametrize("stretch", [30, 1 << 22])
@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_the_same_rows_however_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, loading: str, stretch: int
) -> None:
    monkeypatch.setattr(csv_text, "STRETCH_BYTES", stretch)
    (tmp_path / "x.csv").write_text(text, newline="")
    first = text.lstrip("\ufeff\r\n").split(",")[0].strip('"').partition('"')[0]
    assert values(load(tmp_path / "x.csv", loading, features=[first])) == READ


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_the_same_when_it_is_packed(tmp_path: Path, text: str) -> None:
    """In two members, as when archives are put behind each other."""
    content = text.encode()
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(content[:9]) + gzip.compress(content[9:]))
    first = text.lstrip("\ufeff\r\n").split(",")[0].strip('"').partition('"')[0]
    assert values(load(tmp_path / "x.csv.gz", features=[first])) == READ


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize("empty", ["", "\n", "a,y", "a,y\n", "\ufeff"])
@pytest.mark.parametrize("number", [0, 2])
def test_a_file_without_rows_counts_for_nothing_beside_others(
    tmp_path: Path, loading: str, empty: str, number: int
) -> None:
    (tmp_path / "part-1.csv").write_text(PLAIN)
    (tmp_path / f"part-{number}.csv").write_text(empty)
    assert values(load(tmp_path, loading, format="csv")) == READ


REFUSED: dict[str, tuple[bytes, str]] = {
    "a cell too many": (b"a,y\n1,p\n\n2,q,r\n", "row 2: 3 cells where there are 2 columns: '2,q,r'"),
    "a cell too few": (b"a,y\n1,p\n2,q\n3\n", "row 3: 1 cells where there are 2 columns: '3'"),
    "a quote that is never closed": (b'a,y\n1,p\n2,"q\n3,p\n', "row 2: a value in quotes spans lines and does not"),
    "a quote that closes later": (b'a,y\n1,"p\n2,q\n3,"x"\n4,p\n', "row 1: a value in quotes spans lines and does not"),
    "a quote in the header": (b'"a,y\n1,p\n2,q\n', "row 1: the line is longer than 4 MiB: is a quote missing"),
    "UTF-16": (PLAIN.encode("utf-16"), "x.csv is written in UTF-16: save it as UTF-8"),
    "semicolons": (b"a;y\n1;p\n", 'has semicolons, and no commas, between its cells: set data.csv to {delimiter: ";"}'),
    "semicolons and decimal commas": (b"a;y\n1,5;p\n", "has semicolons, and no commas"),
    "tabs": (b"a\ty\n1\tp\n", 'tabs, and no commas, between its cells: set data.csv to {delimiter: "\\t"}'),
    "Excel's own line": (b"sep=;\na;y\n1;p\n", "the first line 'sep=;' is Excel's, not a header: delete it"),
    "a number with a comma": (
        b'a,y\n"1,5",p\n',
        "is '1,5', not a number; a decimal comma is read with data.csv.decimal",
    ),
    "nothing": (b"", "x.csv is empty"),
    "no rows": (b"a,y\n", "no rows"),
}


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_named(tmp_path: Path, loading: str, content: bytes, words: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError) as refused:
        load(tmp_path / "x.csv", loading)
    assert words in str(refused.value)
    assert "x.csv" in str(refused.value)


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("text", "csv"),
    [
        ("a;y\n1,0;p\n2,0;q\n3;p\n", {"delimiter": ";", "decimal": ","}),
        ("a\ty\n1\tp\n2\tq\n3\tp\n", {"delimiter": "\t"}),
        ("a|y\n1|p\n2|q\n3|p\n", {"delimiter": "|"}),
        ("1,p\n2,q\n3,p\n", {"header": False}),
    ],
    ids=["of half of Europe", "tabs", "bars", "no header"],
)
def test_csv_is_read_as_it_is_said_to_be_written(tmp_path: Path, loading: str, text: str, csv: dict[str, Any]) -> None:
    (tmp_path / "x.csv").write_text(text)
    target = "y" if csv.get("header", True) else "column2"
    data = load(tmp_path / "x.csv", loading, csv=csv, target=target)
    assert values(data) == READ
    assert data.facts.features == ("a",) if target == "y" else ("column1",)


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_words_for_a_missing_value_are_those_that_are_named(tmp_path: Path, loading: str) -> None:
    (tmp_path / "x.csv").write_text("a,y\n1,NA\n2,none\n3,NA\n")
    with pytest.raises(DataError, match="row 1, column 'y': the value is missing"):
        load(tmp_path / "x.csv", loading)
    with pytest.raises(DataError, match="row 2, column 'y': the value is missing"):
        load(tmp_path / "x.csv", loading, csv={"nullWords": ["none"]})
    assert load(tmp_path / "x.csv", loading, csv={"nullWords": ["-"]}).facts.labels == ("NA", "none")


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_the_row_is_that_of_the_file_however_far_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loading: str
) -> None:
    monkeypatch.setattr(csv_text, "STRETCH_BYTES", 64)
    (tmp_path / "x.csv").write_text("a,y\n" + '1,"p\nq"\n' * 100 + "2\n")
    with pytest.raises(DataError, match=r"x\.csv, row 101: 1 cells"):
        load(tmp_path / "x.csv", loading)


def lines_one_by_one(text: bytes) -> tuple[list[int], bool]:
    """By hand: where lines end, and whether the text ends in quotes."""
    ends, is_quoted, begins_cell, place = [], False, True, 0
    while place < len(text):
        letter, following = text[place : place + 1], text[place + 1 : place + 2]
        if is_quoted:
            if letter == b'"' == following:
                place += 1
            elif letter == b'"':
                is_quoted = begins_cell = False
        elif letter == b'"' and begins_cell:
            is_quoted = True
        else:
            begins_cell = letter in b",\r\n"
            if letter == b"\n" or (letter == b"\r" and following != b"\n"):
                ends.append(place)
        place += 1
    return ends, is_quoted


def test_lines_end_where_they_end_letter_by_letter() -> None:
    chance = random.Random(1)
    for _ in range(20_000):
        text = bytes(chance.choice(b'ab,"\n\r') for _ in range(chance.randrange(14)))
        lines = lines_of(text, ",")
        assert (lines.ends.tolist(), lines.is_open) == lines_one_by_one(text), text


@pytest.mark.parametrize(
    ("features", "chosen"),
    [
        (["*", "!date"], ("a", "b1", "b2")),
        (["!date"], ("a", "b1", "b2")),
        (["!date", "!b*"], ("a",)),
        (["b*", "!b2", "a"], ("b1", "a")),
        (["*", "!date", "!y"], ("a", "b1", "b2")),
    ],
)
def test_features_can_be_left_out(tmp_path: Path, features: list[str], chosen: tuple[str, ...]) -> None:
    (tmp_path / "x.csv").write_text("a,date,b1,b2,y\n1,2024-01-31,2,3,p\n1,2024-02-01,2,3,q\n")
    assert load(tmp_path / "x.csv", features=features).facts.features == chosen


def test_a_column_whose_name_begins_with_an_exclamation_mark_is_one(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,!a,y\n1,2,p\n1,2,q\n")
    assert load(tmp_path / "x.csv", features=["!a"]).facts.features == ("!a",)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (None, "row 1, column 'date': the value is '2024-01-31', a time and not a number. Leave out "),
        (["*"], 'no number with data.features: ["*", "!date", "!kind"], or put numbers in its place'),
        (["a", "kind"], "row 1, column 'kind': the value is 'new', not a number. Leave out what is no number"),
        (["gap"], "row 1, column 'gap': the value is missing. Leave out"),
        (["a", "!zzz"], "there is no column 'zzz'"),
        (["!*"], "data.features leaves out every column"),
    ],
)
def test_what_to_leave_out_is_said(tmp_path: Path, features: list[str] | None, words: str) -> None:
    (tmp_path / "x.csv").write_text("a,date,kind,gap,y\n1,2024-01-31,new,,p\n1,2024-02-01,old,w,q\n")
    with pytest.raises(DataError) as refused:
        load(tmp_path / "x.csv", features=features)
    assert words in str(refused.value)
