"""Every format that a recipe can name, and what is said about files that are not what they should be."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from support.idx import idx, write_idx
from trainer.config import Mounts
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset
from trainer.data.scaling import Statistics
from trainer.errors import DataError, UserError
from trainingjob_api.spec.training import Data, Training


def load(data: dict[str, object], task: str = "classification", seed: int = 1, mounts: Mounts | None = None) -> Dataset:
    data = {"normalize": "none", **data, **({"path": str(data["path"])} if "path" in data else {})}
    recipe = {"task": task, "data": data, "model": {"type": "mlp"}, "seed": seed}
    return load_dataset(Training.model_validate(recipe), mounts or Mounts())


IMAGES = np.arange(7 * 3 * 2, dtype=np.uint8).reshape(7, 3, 2)
LABELS = (np.arange(7) % 3).astype(np.uint8)


def write_mnist(folder: Path, zipped: bool = True) -> Path:
    for prefix, count in (("train", 7), ("t10k", 4)):
        write_idx(folder, prefix, IMAGES[:count], LABELS[:count], zipped)
    return folder


def write_images(folder: Path, mode: str = "RGB", size: tuple[int, int] = (4, 3)) -> Path:
    for label, colour in (("cat", 10), ("dog", 200)):
        (folder / label).mkdir(parents=True)
        for number in range(2):
            Image.new(mode, size, colour if mode == "L" else (colour, number, 0)).save(folder / label / f"{number}.png")
    return folder


def table(first: int = 0, rows: int = 4) -> pa.Table:
    return pa.table({"a": [float(first + row) for row in range(rows)], "y": ["p", "q"] * (rows // 2)})


# csv and parquet


@pytest.mark.parametrize("path", ["parts", "parts/part-*.parquet", "parts/part-[01].parquet"])
def test_several_files_follow_each_other_by_name(tmp_path: Path, path: str) -> None:
    (tmp_path / "parts").mkdir()
    for number in (1, 0):
        parquet.write_table(table(4 * number), tmp_path / "parts" / f"part-{number}.parquet")
    (tmp_path / "parts" / "_unfinished.parquet").touch()
    data = load({"path": tmp_path / path, "target": "y"})
    assert data.train.features.flatten().tolist() == list(range(8))


def test_a_pattern_is_looked_for_where_its_folder_is_mounted(tmp_path: Path) -> None:
    place = tmp_path / "strange [name]"
    place.mkdir()
    parquet.write_table(table(), place / "a.parquet")
    mounts = Mounts({"/data": str(place)})
    assert len(load({"path": "/data/*.parquet", "target": "y"}, mounts=mounts).train) == 4
    with pytest.raises(DataError, match=r"nothing matches 'b\*\.csv' in /data; the folder holds a\.parquet"):
        load({"path": "/data/b*.csv", "target": "y"}, mounts=mounts)
    (place / "b.csv").write_text("a,y\n1,p\nx,q\n")
    with pytest.raises(DataError, match=r"^/data/b\.csv, row 2"):
        load({"path": "/data/b*.csv", "target": "y"}, mounts=mounts)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        pytest.param("b,y\n1,p\n", "2.csv: there is no column 'a', which", id="a column is missing"),
        pytest.param("a,y,z\n1,p,2\n", "2.csv: has a column 'z', which", id="a column too many"),
        pytest.param("a,y\n1,p\nx,q\n", "2.csv, row 2, column 'a': the value is 'x'", id="a bad value in the second"),
    ],
)
def test_files_that_do_not_agree_are_named(tmp_path: Path, second: str, words: str) -> None:
    (tmp_path / "1.csv").write_text("a,y\n1,p\n2,q\n")
    (tmp_path / "2.csv").write_text(second)
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "*.csv", "target": "y"})
    assert words in str(caught.value)


def test_columns_go_by_name_whatever_their_order(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,b,y\n1,2,p\n")
    (tmp_path / "2.csv").write_text("y,b,a\nq,4,3\n")
    assert load({"path": tmp_path, "target": "y"}).train.features.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_test_file_needs_the_columns_that_are_used(tmp_path: Path, loading: str) -> None:
    (tmp_path / "train.csv").write_text("a,b,y\n1,2,p\n3,4,q\n")
    (tmp_path / "test.csv").write_text("more,a,y\n9,1,p\n")
    fields = {"path": tmp_path / "train.csv", "target": "y", "test": {"path": str(tmp_path / "test.csv")}}
    with pytest.raises(DataError, match=r"test\.csv: there is no column 'b'; the file has more, a, y"):
        load({**fields, "loading": loading})
    assert len(load({**fields, "loading": loading, "features": ["a"]}).test) == 1


def test_labels_are_words_if_they_are_words_anywhere(tmp_path: Path) -> None:
    (tmp_path / "1.csv").write_text("a,y\n1,7\n")
    (tmp_path / "2.csv").write_text("a,y\n1,none\n")
    assert load({"path": tmp_path, "target": "y"}).facts.labels == ("7", "none")


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        pytest.param(
            ["True False", "True Unknown False"], ("False", "True", "Unknown"), id="true and false, and words"
        ),
        pytest.param(["007 008", "007 A1 008"], ("007", "008", "A1"), id="leading zeros"),
        pytest.param(["1.10 1.20", "1.20rc"], ("1.10", "1.20", "1.20rc"), id="versions"),
        pytest.param(["12:30 13:00"], ("12:30", "13:00"), id="times of the day"),
        pytest.param(["2020-01-02 2020-01-03"], ("2020-01-02", "2020-01-03"), id="dates"),
        pytest.param(["1 2", "2.5"], (1.0, 2.0, 2.5), id="whole numbers and fractions"),
        pytest.param(["01 2", "3"], (1, 2, 3), id="whole numbers"),
    ],
)
def test_the_labels_of_csv_get_the_type_that_all_of_them_have(
    tmp_path: Path, parts: list[str], expected: tuple[object, ...], loading: str
) -> None:
    for number, labels in enumerate(parts):
        lines = "".join(f"1,{label}\n" for label in labels.split())
        (tmp_path / f"{number}.csv").write_text("a,y\n" + lines)
    found = load({"path": tmp_path, "format": "csv", "target": "y", "loading": loading}).facts.labels
    assert found is not None
    assert [(type(label), label) for label in found] == [(type(label), label) for label in expected]


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_blank_before_a_label_that_is_a_number_does_not_count(tmp_path: Path, loading: str) -> None:
    (tmp_path / "x.csv").write_text("a,y\n1, 1\n2, 0\n")
    (tmp_path / "test.csv").write_text("a,y\n1, 1\n2,0\n")
    test = {"path": str(tmp_path / "test.csv")}
    data = load({"path": tmp_path / "x.csv", "target": "y", "loading": loading, "test": test})
    assert data.facts.labels == (0, 1)
    assert data.test is not None
    assert data.test.take(torch.arange(2))[1].tolist() == [1, 0]


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("training", "held_out", "expected"),
    [
        pytest.param("true false maybe", "true false", [2, 0], id="true and false among words"),
        pytest.param("007 008 A1", "008 007", [1, 0], id="numbers among words"),
        pytest.param("12:30 13:00 night", "13:00 12:30", [1, 0], id="times among words"),
        pytest.param("1 2 3", "2.0 01", [1, 0], id="whole numbers that are written as fractions"),
        pytest.param("true false", "False True", [0, 1], id="true and false"),
    ],
)
def test_labels_of_a_file_of_its_own_mean_what_they_mean_in_training(
    tmp_path: Path, training: str, held_out: str, expected: list[int], loading: str
) -> None:
    for name, labels in (("train.csv", training), ("held.csv", held_out)):
        (tmp_path / name).write_text("a,y\n" + "".join(f"1,{label}\n" for label in labels.split()))
    validation = {"path": str(tmp_path / "held.csv")}
    data = load({"path": tmp_path / "train.csv", "target": "y", "validation": validation, "loading": loading})
    assert data.validation is not None
    assert data.validation.take(torch.arange(2))[1].tolist() == expected


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_text_in_parquet_stays_text(tmp_path: Path, loading: str) -> None:
    parquet.write_table(pa.table({"a": [1, 2], "y": ["1", "02"]}), tmp_path / "x.parquet")
    data = load({"path": tmp_path / "x.parquet", "target": "y", "loading": loading})
    assert data.facts.labels == ("02", "1")


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("task", "content", "normalize", "words"),
    [
        pytest.param(
            "classification", "1,-1e200,p\n2,1e200,q\n", "standard",
            "column 'b': the values go from -1e+200 to 1e+200, too far apart", id="whose squares are infinite",
        ),
        pytest.param(
            "classification", "1,-1e308,p\n2,1e308,q\n", "minMax",
            "column 'b': the values go from -1e+308 to 1e+308, too far apart", id="whose range is infinite",
        ),
        pytest.param(
            "classification", "1,1,p\n2,1e39,q\n", "none",
            "column 'b': the values go from 1.0 to 1e+39, too far apart", id="that float32 cannot hold",
        ),
        pytest.param(
            "regression", "1,1,-1e200\n2,1,1e200\n", "standard",
            "column 'y': the values go from -1e+200 to 1e+200, too far apart", id="of a target",
        ),
    ],
)  # fmt: skip
def test_numbers_that_are_too_large_are_named(
    tmp_path: Path, task: str, content: str, normalize: str, words: str, loading: str
) -> None:
    (tmp_path / "x.csv").write_text(f"a,b,y\n{content}")
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "x.csv", "target": "y", "normalize": normalize, "loading": loading}, task)
    assert "x.csv" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_held_out_target_that_is_too_large_is_named(tmp_path: Path, loading: str) -> None:
    (tmp_path / "x.csv").write_text("a,y\n1,1\n2,2\n")
    (tmp_path / "test.csv").write_text("a,y\n1,1\n2,1e39\n")
    test = {"path": str(tmp_path / "test.csv")}
    with pytest.raises(DataError, match=r"test\.csv.*column 'y': the value 1e\+39 is too large"):
        load({"path": tmp_path / "x.csv", "target": "y", "test": test, "loading": loading}, "regression")


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_header_of_more_than_a_mebibyte_is_read(tmp_path: Path, loading: str) -> None:
    names = [f"{'a' * 1000}{number}" for number in range(1200)]
    rows = [",".join(["1"] * 1200 + [label]) for label in "pq"]
    (tmp_path / "x.csv").write_text("\n".join([",".join([*names, "y"]), *rows]))
    data = load({"path": tmp_path / "x.csv", "target": "y", "loading": loading})
    assert data.facts.features == tuple(names)


@pytest.mark.parametrize("pattern", ["y", "y*"])
def test_the_target_among_the_features_is_called_the_target(tmp_path: Path, pattern: str) -> None:
    (tmp_path / "x.csv").write_text("a,y\n1,p\n2,q\n")
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "x.csv", "target": "y", "features": ["a", pattern]})
    assert f"x.csv: {pattern!r} in data.features is the target" in str(caught.value)


def test_a_folder_that_is_mounted_by_a_relative_path_keeps_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rel").mkdir()
    (tmp_path / "rel" / "1.csv").write_text("a,y\n1,p\nx,q\n")
    monkeypatch.chdir(tmp_path)
    for path, name in (("/data", "/data/1.csv"), ("/data/*.csv", "/data/1.csv"), ("rel/*.csv", "rel/1.csv")):
        with pytest.raises(DataError) as caught:
            load({"path": path, "target": "y", "format": "csv"}, mounts=Mounts({"/data": "./rel"}))
        assert str(caught.value).startswith(f"{name}, row 2")


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        pytest.param({"a": [1.0, None], "y": ["p", "q"]}, "row 2, column 'a': the value is missing", id="a null"),
        pytest.param({"a": [1.0, float("nan")], "y": ["p", "q"]}, "row 2, column 'a': the value is nan", id="NaN"),
        pytest.param({"a": [[1], [2]], "y": ["p", "q"]}, "values, not numbers", id="lists"),
        pytest.param({"a": [1, 2], "y": [0.0, float("nan")]}, "row 2, column 'y': the value is nan", id="class NaN"),
        pytest.param({"a": [1, 2], "y": [0.0, float("inf")]}, "row 2, column 'y': the value is inf", id="class inf"),
    ],
)
def test_a_bad_value_in_parquet_is_named(tmp_path: Path, columns: dict[str, list[object]], words: str) -> None:
    parquet.write_table(pa.table(columns), tmp_path / "x.parquet")
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "x.parquet", "target": "y"})
    assert words in str(caught.value)


def test_types_that_only_parquet_has(tmp_path: Path) -> None:
    y = pa.array(["p", "q", "p"]).dictionary_encode()
    a = pa.array([1, 2, 3]).cast(pa.decimal128(21, 2))
    parquet.write_table(pa.table({"a": a, "b": [True, False, True], "y": y}), tmp_path / "x.parquet")
    data = load({"path": tmp_path / "x.parquet", "target": "y"})
    assert data.train.features.tolist() == [[1, 1], [2, 0], [3, 1]]
    assert data.facts.labels == ("p", "q")


LATIN = "café".encode("latin-1")


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("target", ["a", "b"], ids=["as inputs", "as targets"])
def test_whole_numbers_beyond_what_a_float_holds_are_rounded(
    tmp_path: Path, kind: str, target: str, loading: str
) -> None:
    values = [2**53 + 1, 2**62 + 1, 7]
    if kind == "csv":
        (tmp_path / "x.csv").write_text("a,b\n" + "".join(f"{value},{value}\n" for value in values))
    else:
        parquet.write_table(pa.table({"a": values, "b": pa.array(values, pa.uint64())}), tmp_path / "x.parquet")
    data = load({"path": tmp_path / f"x.{kind}", "target": target, "loading": loading}, task="regression")
    inputs, targets = data.train.take(torch.arange(3))
    expected = np.array(values).astype(np.float64)
    assert inputs.flatten().tolist() == expected.astype(np.float32).tolist()
    assert data.facts.target_scaling is not None
    assert targets.tolist() == data.facts.target_scaling.apply(expected).astype(np.float32).tolist()


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"a,y\n1,p\n2," + LATIN + b"\n", "row 2, column 'y': the value is b'caf\\xe9'", id="a class"),
        pytest.param(b"a,y\n1,p\n" + LATIN + b",q\n", "column 'a' holds binary values, not numbers", id="an input"),
        pytest.param(LATIN + b",y\n1,p\n2,q\n", "is not UTF-8: its first line holds b'caf", id="a column's name"),
        pytest.param(b"a,y\n1,1.5\n2,inf\n", "column 'y': ", id="a class that is infinite"),
    ],
)
def test_csv_that_is_not_text_or_not_finite_is_named(tmp_path: Path, content: bytes, words: str, loading: str) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "x.csv", "target": "y", "loading": loading})
    assert "x.csv" in str(caught.value)
    assert words in str(caught.value)


def text_of(values: list[bytes]) -> pa.Array:
    """Marked as text, whatever the bytes are: many programs write such parquet."""
    binary = pa.array(values, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(values), binary.buffers())


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        pytest.param(pa.array([b"p", LATIN]), "row 2, column 'y': the value is b'caf\\xe9'", id="bytes"),
        pytest.param(pa.array([b"p", LATIN]).dictionary_encode(), "row 2, column 'y'", id="a dictionary of bytes"),
        pytest.param(text_of([b"p", LATIN]), "row 2, column 'y': the value is b'caf\\xe9'", id="text that is none"),
        pytest.param(pa.array([[1], [2]]), "'y' holds list<element: int64> values; a target is text", id="lists"),
        pytest.param(pa.array([{"a": 1}, {"a": 2}]), "column 'y' holds struct<", id="structs"),
        pytest.param(pa.array([0.0, float("nan")]), "column 'y': ", id="NaN"),
    ],
)
def test_labels_of_parquet_that_cannot_be_used(tmp_path: Path, labels: pa.Array, words: str, loading: str) -> None:
    parquet.write_table(pa.table({"a": [1, 2], "y": labels}), tmp_path / "x.parquet")
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "x.parquet", "target": "y", "loading": loading})
    assert "x.parquet" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    "inputs",
    [
        pytest.param(pa.array([b"p", LATIN], pa.large_binary()), id="bytes"),
        pytest.param(pa.array([b"p", LATIN]).dictionary_encode(), id="a dictionary of bytes"),
        pytest.param(text_of([b"p", LATIN]), id="text that is none"),
    ],
)
def test_inputs_that_are_not_even_text_are_no_numbers(tmp_path: Path, inputs: pa.Array, loading: str) -> None:
    parquet.write_table(pa.table({"a": inputs, "y": ["p", "q"]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"x\.parquet: column 'a' holds .* values, not numbers"):
        load({"path": tmp_path / "x.parquet", "target": "y", "loading": loading})


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param(pa.array([b"p", "é".encode()]), ("p", "é"), id="bytes in UTF-8"),
        pytest.param(pa.array(np.array([2.5, 1], np.float16)), (1.0, 2.5), id="float16"),
        pytest.param(pa.array([2**64 - 1, 1], pa.uint64()), (1, 2**64 - 1), id="uint64"),
        pytest.param(pa.array([2**53 + 1, 2**53]), (2**53, 2**53 + 1), id="int64 beyond floats"),
    ],
)
def test_labels_that_only_parquet_has(
    tmp_path: Path, labels: pa.Array, expected: tuple[object, ...], loading: str
) -> None:
    parquet.write_table(pa.table({"a": [1, 2], "y": labels}), tmp_path / "x.parquet")
    data = load({"path": tmp_path / "x.parquet", "target": "y", "loading": loading})
    assert data.facts.labels == expected
    assert sorted(data.train.take(torch.arange(2))[1].tolist()) == [0, 1]


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_whole_numbers_of_two_widths_are_the_same_labels(tmp_path: Path, loading: str) -> None:
    (tmp_path / "parts").mkdir()
    for number, labels in enumerate((pa.array([1, 2], pa.int32()), pa.array([2**53, 2**53 + 1]))):
        parquet.write_table(pa.table({"a": [1, 2], "y": labels}), tmp_path / "parts" / f"{number}.parquet")
    data = load({"path": tmp_path / "parts", "format": "parquet", "target": "y", "loading": loading})
    assert data.facts.labels == (1, 2, 2**53, 2**53 + 1)


# npz


def test_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.arange(24.0).reshape(3, 2, 2, 2), y=np.array(["b", "a", "b"]))
    data = load({"path": tmp_path / "x.npz", "format": "npz"})
    assert data.facts.shape == (2, 2, 2)
    assert data.facts.labels == ("a", "b")
    assert data.train.features.tolist() == np.arange(24.0).reshape(3, 8).tolist()


def test_arrays_of_npz_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", left=np.ones((3, 2)), right=np.zeros(3), value=np.array([1.0, 2.0, 3.0]))
    fields = {"path": tmp_path / "x.npz", "features": ["left", "right"], "target": "value"}
    data = load(fields, task="regression")
    assert data.train.features.tolist() == [[1, 1, 0]] * 3
    assert data.facts.target == "value"


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        pytest.param({"x": np.ones((2, 1)), "z": np.ones(2)}, "no array 'y'; it has x, z", id="no targets"),
        pytest.param({"x": np.ones((2, 1)), "y": np.ones(3)}, "'x' has the shape (2, 1)", id="lengths differ"),
        pytest.param({"x": np.array([[1.0], [np.nan]]), "y": np.ones(2)}, "row 2, array 'x'", id="NaN"),
        pytest.param(
            {"u": np.ones((2, 1)), "v": np.array([[1.0], [np.nan]]), "y": np.ones(2)},
            "row 2, array 'v'",
            id="NaN in the second array",
        ),
        pytest.param({"x": np.array([["a"]]), "y": np.ones(1)}, "not numbers", id="words as inputs"),
        pytest.param({"x": np.ones((2, 1)), "y": np.array([1.0, np.nan])}, "row 2: the value is nan", id="class NaN"),
        pytest.param({"x": np.ones((0, 1)), "y": np.ones(0)}, "no rows", id="empty"),
        pytest.param({"x": np.ones((2, 1)), "y": np.array([object(), 1])}, "cannot be read", id="Python objects"),
        pytest.param({"x": np.ones((2, 1)), "y": np.array([b"p", LATIN])}, "row 2, array 'y'", id="not UTF-8"),
        pytest.param(
            {"x": np.ones((2, 1)), "y": np.array(["2020", "2021"], "M8[Y]")}, "'y' holds datetime64", id="dates"
        ),
        pytest.param({"x": np.ones((2, 1)), "y": np.array([1, 2], "m8[s]")}, "'y' holds timedelta64", id="durations"),
        pytest.param({"x": np.ones((2, 1)), "y": np.array([1, 2j])}, "'y' holds complex128", id="complex numbers"),
        pytest.param({"x": np.ones((2, 1)), "y": np.ones(2, "i4,i4")}, "a target is text", id="structured"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path: Path, arrays: dict[str, np.ndarray], words: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "x.npz", "format": "npz", "features": [name for name in arrays if name in "xuv"]})
    assert "x.npz" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        pytest.param(np.array([b"dog", "é".encode()]), ("dog", "é"), id="byte strings"),
        pytest.param(np.array([2.5, 1], np.float16), (1.0, 2.5), id="float16"),
        pytest.param(np.array([2.5, 1], np.longdouble), (1.0, 2.5), id="long double"),
        pytest.param(np.array([2**64 - 1, 1], np.uint64), (1, 2**64 - 1), id="uint64"),
        pytest.param(np.array([2, 1], ">i4"), (1, 2), id="big-endian"),
        pytest.param(np.array([True, False]), (False, True), id="booleans"),
    ],
)
def test_labels_of_npz_are_what_a_checkpoint_can_hold(
    tmp_path: Path, labels: np.ndarray, expected: tuple[object, ...]
) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((2, 1)), y=labels)
    np.savez(tmp_path / "test.npz", x=np.ones((2, 1)), y=labels)
    data = load({"path": tmp_path / "x.npz", "format": "npz", "test": {"path": str(tmp_path / "test.npz")}})
    assert data.facts.labels == expected
    assert json.loads(json.dumps(data.facts.labels)) == list(expected)
    assert data.test is not None
    assert sorted(data.test.take(torch.arange(2))[1].tolist()) == [0, 1]


def test_whole_numbers_of_npz_beyond_what_a_float_holds_are_rounded(tmp_path: Path) -> None:
    values = np.array([2**53 + 1, 2**62 + 1, 7])
    np.savez(tmp_path / "x.npz", x=values[:, None], y=values)
    data = load({"path": tmp_path / "x.npz", "format": "npz"}, task="regression")
    inputs, targets = data.train.take(torch.arange(3))
    assert inputs.flatten().tolist() == values.astype(np.float32).tolist()
    assert data.facts.target_scaling is not None
    assert targets.tolist() == data.facts.target_scaling.apply(values.astype(np.float64)).astype(np.float32).tolist()


def _damaged(content: bytes) -> bytes:
    """Other values within the first array."""
    start = content.index(b"\n") + 20
    return content[:start] + bytes(255 - byte for byte in content[start : start + 20]) + content[start + 20 :]


def _compressed_otherwise(content: bytes) -> bytes:
    """The method of the first file in zip's central directory."""
    place = content.index(b"PK\1\2") + 10
    return content[:place] + b"\xff\xff" + content[place + 2 :]


def _single_array(content: bytes) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ones(3))
    return file.getvalue()


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed], ids=["plain", "compressed"])
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        pytest.param(lambda content: content[:300], "cannot be read", id="cut short"),
        pytest.param(lambda content: content[:-1], "cannot be read", id="the last byte is missing"),
        pytest.param(_damaged, "cannot be read", id="damaged"),
        pytest.param(_compressed_otherwise, "cannot be read", id="compressed in an unknown way"),
        pytest.param(lambda content: b"", "cannot be read", id="empty"),
        pytest.param(_single_array, "is a single array", id="npy"),
    ],
)
def test_an_archive_that_cannot_be_used(
    tmp_path: Path, write: Callable[..., None], spoil: Callable[[bytes], bytes], words: str
) -> None:
    write(tmp_path / "x.npz", x=np.random.default_rng(0).normal(size=(40, 3)), y=np.arange(40))
    (tmp_path / "x.npz").write_bytes(spoil((tmp_path / "x.npz").read_bytes()))
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path / "x.npz", "format": "npz"})
    assert "x.npz" in str(caught.value)
    assert words in str(caught.value)


# idx


@pytest.mark.parametrize("zipped", [True, False])
def test_the_four_files_of_mnist(tmp_path: Path, zipped: bool) -> None:
    folder = str(write_mnist(tmp_path / "mnist", zipped))
    data = load({"path": folder, "format": "idx", "test": {"path": folder}, "validation": {"path": folder}})
    assert data.facts.shape == (1, 3, 2)
    assert data.facts.labels == (0, 1, 2)
    assert data.train.features.tolist() == IMAGES.reshape(7, 6).tolist()
    assert data.train.targets.tolist() == LABELS.tolist()
    assert [len(rows) for rows in (data.validation, data.test)] == [4, 4]


def test_an_images_file_finds_its_labels(tmp_path: Path) -> None:
    folder = write_mnist(tmp_path)
    labels = folder / "train-labels-idx1-ubyte.gz"
    labels.with_suffix("").write_bytes(gzip.decompress(labels.read_bytes()))
    labels.unlink()
    assert len(load({"path": folder / "train-images-idx3-ubyte.gz", "format": "idx"}).train) == 7
    labels.with_suffix("").unlink()
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte\.gz does not exist; the folder holds t10k-"):
        load({"path": folder / "train-images-idx3-ubyte.gz", "format": "idx"})


@pytest.mark.parametrize(
    ("images", "words"),
    [
        pytest.param(b"hello", "is not an idx file", id="something else"),
        pytest.param(idx(IMAGES)[:-1], "do not make the values", id="cut short"),
        pytest.param(idx(IMAGES[:5]), "do not go with labels", id="fewer images than labels"),
        pytest.param(gzip.compress(idx(IMAGES))[:-9], "cannot be read", id="a broken archive"),
    ],
)
def test_an_idx_file_that_cannot_be_used(tmp_path: Path, images: bytes, words: str) -> None:
    write_mnist(tmp_path, zipped=False)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(images)
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path, "format": "idx"})
    assert "train-images-idx3-ubyte" in str(caught.value)
    assert words in str(caught.value)


def test_a_folder_without_the_files_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "x.csv").touch()
    with pytest.raises(DataError, match=r"no train-images-idx3-ubyte .* the folder holds x\.csv"):
        load({"path": tmp_path, "format": "idx"})


# Image folders


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    path, test = (str(write_images(tmp_path / name)) for name in ("train", "test"))
    data = load({"path": path, "format": "imageFolder", "test": {"path": test}})
    assert data.facts.shape == (3, 3, 4)
    assert data.facts.labels == ("cat", "dog")
    assert data.train.targets.tolist() == [0, 0, 1, 1]
    red, green, blue = data.train.features[3].reshape(3, 12).tolist()
    assert (red, green, blue) == ([200] * 12, [1] * 12, [0] * 12)
    assert torch.equal(data.test.features, data.train.features)


def test_images_are_brought_to_the_shape(tmp_path: Path) -> None:
    path = write_images(tmp_path / "train", size=(8, 8))
    data = load({"path": path, "format": "imageFolder", "shape": [1, 2, 5]})
    assert data.facts.shape == (1, 2, 5)
    assert data.train.features.shape == (4, 10)


def test_a_grey_image_has_one_channel(tmp_path: Path) -> None:
    assert load({"path": write_images(tmp_path / "x", "L"), "format": "imageFolder"}).facts.shape == (1, 3, 4)


DEEP = np.array([[0, 4000, 257], [8000, 65535, 40000]], dtype=np.uint16)


def write_deep(folder: Path, name: str, kind: type[np.generic] | str = np.uint16) -> Path:
    """An image with 8 bits, and one with more."""
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
    Image.fromarray((DEEP // 257).astype(np.uint8)).save(folder / "cat" / "flat.png")
    if name.endswith(".pgm"):
        (folder / "dog" / name).write_bytes(b"P5\n3 2\n65535\n" + DEEP.astype(">u2").tobytes())
    else:
        Image.fromarray(DEEP.astype(kind)).save(folder / "dog" / name)
    return folder


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("deep.png", np.uint16, id="png"),
        pytest.param("deep.tif", np.uint16, id="tiff"),
        pytest.param("deep.tif", ">u2", id="big-endian tiff"),
        pytest.param("deep.pgm", np.uint16, id="pgm"),
    ],
)
def test_grey_with_16_bits_keeps_them_in_the_range_of_8(
    tmp_path: Path, name: str, kind: type[np.generic] | str
) -> None:
    expected = (DEEP.astype(np.float32) / 257).flatten()
    assert expected.max() == 255
    folder = write_deep(tmp_path / "x", name, kind)
    data = load({"path": folder, "format": "imageFolder"})
    assert data.facts.shape == (1, 2, 3)
    assert data.train.features.tolist() == [(DEEP // 257).flatten().tolist(), expected.tolist()]
    grey, opaque = expected.tolist(), [255.0] * 6
    for channels, planes in ((3, grey * 3), (4, grey * 3 + opaque)):
        coloured = load({"path": folder, "format": "imageFolder", "shape": [channels, 2, 3]})
        assert coloured.train.features[1].tolist() == planes
    flat, deep = load({"path": folder, "format": "imageFolder", "shape": [1, 1, 2]}).train.features
    assert torch.allclose(flat, deep, atol=1.5)
    (folder / "cat").rename(folder / "eel")
    turned = load({"path": folder, "format": "imageFolder"})
    assert turned.facts.shape == (1, 2, 3)
    assert torch.equal(turned.train.features, data.train.features.flip(0))


@pytest.mark.parametrize("kind", [np.int32, np.float32], ids=["whole numbers", "fractions"])
def test_images_whose_range_is_not_known_are_refused(tmp_path: Path, kind: type[np.generic]) -> None:
    folder = write_deep(tmp_path / "x", "deep.tif", kind)
    for shape in (None, [3, 2, 3]):
        with pytest.raises(DataError, match=r"dog/deep\.tif has 32 bits"):
            load({"path": folder, "format": "imageFolder", **({"shape": shape} if shape else {})})


def _enlarge(folder: Path) -> None:
    """Its header promises more pixels than any image has."""
    (folder / "cat" / "0.png").unlink()
    (folder / "cat" / "0.pgm").write_bytes(b"P5\n100000 100000\n255\n")


def _truncate(folder: Path) -> None:
    image = folder / "cat" / "1.png"
    image.write_bytes(image.read_bytes()[:45])


def _replace(folder: Path) -> None:
    (folder / "dog" / "0.png").write_text("no image")


@pytest.mark.parametrize(
    ("spoil", "name"),
    [
        pytest.param(_truncate, "cat/1.png", id="cut short"),
        pytest.param(_replace, "dog/0.png", id="no image at all"),
        pytest.param(_enlarge, "cat/0.pgm", id="too large"),
    ],
)
def test_a_broken_image_is_named(tmp_path: Path, spoil: Callable[[Path], None], name: str) -> None:
    folder = write_images(tmp_path / "train")
    spoil(folder)
    with pytest.raises(DataError, match=f"{name} cannot be read"):
        load({"path": folder, "format": "imageFolder"})


def test_a_class_that_training_has_not_seen_names_its_image(tmp_path: Path) -> None:
    (write_images(tmp_path / "test") / "dog").rename(tmp_path / "test" / "bird")
    with pytest.raises(DataError, match=r"bird/0\.png: the class 'bird'"):
        load(
            {
                "path": write_images(tmp_path / "train"),
                "format": "imageFolder",
                "test": {"path": str(tmp_path / "test")},
            }
        )


def test_a_folder_without_classes_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no folders with images"):
        load({"path": tmp_path, "format": "imageFolder"})


def test_images_are_scaled_by_channel(tmp_path: Path) -> None:
    data = load({"path": write_images(tmp_path / "train"), "format": "imageFolder", "normalize": "standard"})
    shift, scale = (values.reshape(3, 12) for values in (data.facts.scaling.shift, data.facts.scaling.scale))
    assert (shift == [[105.0] * 12, [0.5] * 12, [0.0] * 12]).all()
    assert (scale == [[95.0] * 12, [0.5] * 12, [1.0] * 12]).all()


# Synthetic


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_synthetic_data_comes_from_the_seed(task: str) -> None:
    fields: dict[str, object] = {"format": "synthetic", "synthetic": {"samples": 30, "features": 4, "classes": 3}}
    first, again, other = (load(fields, task, seed) for seed in (1, 1, 2))
    assert first.facts.shape == (4,)
    assert first.facts.labels == ((0, 1, 2) if task == "classification" else None)
    assert torch.equal(first.train.features, again.train.features)
    assert first.digest == again.digest != other.digest


def test_synthetic_data_takes_a_shape() -> None:
    assert load({"format": "synthetic", "shape": [1, 4, 4]}).facts.shape == (1, 4, 4)
    with_samples: dict[str, object] = {"format": "synthetic", "shape": [1, 5, 5], "synthetic": {"samples": 33}}
    as_a_rank_hears_of_it = Data.model_validate(with_samples).to_json_object()
    assert load(as_a_rank_hears_of_it).facts.shape == (1, 5, 5)
    assert load({"format": "synthetic"}).facts.shape == (16,)
    with pytest.raises(DataError, match="16 values"):
        load({"format": "synthetic", "shape": [1, 4, 4], "synthetic": {"features": 5}})


# What is common to them


@pytest.mark.parametrize(
    ("names", "words"),
    [
        pytest.param(["a.csv", "b.parquet"], "holds csv and parquet files: give data.format", id="two formats"),
        pytest.param(["a.txt"], "does not say by its name what it is: give data.format", id="no known name"),
    ],
)
def test_a_folder_whose_format_is_not_plain(tmp_path: Path, names: list[str], words: str) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError) as caught:
        load({"path": tmp_path, "target": "y"})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("write", "shape"), [(write_mnist, (1, 3, 2)), (write_images, (3, 3, 4))], ids=["idx", "image folder"]
)
def test_the_format_of_a_folder_is_seen_by_what_it_holds(
    tmp_path: Path, write: Callable[[Path], Path], shape: tuple[int, ...]
) -> None:
    data = load({"path": write(tmp_path / "data"), "target": "what"})
    assert data.facts.shape == shape
    assert data.facts.target == "what"


def test_a_row_becomes_what_the_shape_says(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b,c,d,y\n1,2,3,4,p\n5,6,7,8,q\n")
    assert load({"path": tmp_path / "x.csv", "target": "y", "shape": [1, 2, 2]}).facts.shape == (1, 2, 2)
    with pytest.raises(DataError, match=r"x\.csv: a row has 4 = 4 values, data\.shape asks for 1 x 2 x 3 = 6"):
        load({"path": tmp_path / "x.csv", "target": "y", "shape": [1, 2, 3]})


def test_the_numbers_of_a_regression_must_be_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,y\n" + "1,2.5\n" * 60 + "1,p\n")
    with pytest.raises(DataError, match=r"row 61, column 'y': 'p' is not a number"):
        load({"path": tmp_path / "x.csv", "target": "y"}, task="regression")


def test_statistics_of_pieces_are_those_of_the_whole() -> None:
    values = np.random.default_rng(0).normal(5, 3, (100, 12))
    whole = Statistics.of(values)
    parts = Statistics.of(values[:7]).merged(Statistics.of(values[7:7])).merged(Statistics.of(values[7:]))
    for kind in ("standard", "minMax"):
        one, other = whole.scaling(kind), parts.scaling(kind)  # type: ignore[arg-type]
        assert np.allclose(one.shift, other.shift, rtol=1e-13)
        assert np.allclose(one.scale, other.scale, rtol=1e-13)

    channels, images = whole.by_channel((3, 2, 2)), values.reshape(100, 3, 4)
    least, greatest = images.min(axis=(0, 2)), images.max(axis=(0, 2))
    for kind, shift, scale in (
        ("standard", images.mean(axis=(0, 2)), images.std(axis=(0, 2))),
        ("minMax", least, greatest - least),
    ):
        scaling = channels.scaling(kind)  # type: ignore[arg-type]
        assert np.allclose(scaling.shift.reshape(3, 4), shift[:, None])
        assert np.allclose(scaling.scale.reshape(3, 4), scale[:, None])


@pytest.mark.parametrize("format", ["npz", "idx"])
def test_only_tables_are_streamed(tmp_path: Path, format: str) -> None:
    with pytest.raises((UserError, ValueError), match="can be streamed"):
        load({"path": tmp_path / "x", "format": format, "loading": "stream"})
