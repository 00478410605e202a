"""What is taken as a dataset, what is seen in it, and how a training gets it."""

import pytest

from training_gateway.datasets import LIMIT, read, source_of_config_map
from training_gateway.recipe import Defaults, spec_of
from training_gateway.refusal import Refusal
from training_gateway.start_request import StartRequest

IRIS = b"length,width,species\n5.1,3.5,setosa\n7.0,3.2,versicolor\n6.3,3.3,virginica\n"


def rows_of(count: int, number: str) -> bytes:
    return b"x,y\n" + "".join(f"{row},{number.format(row)}\n" for row in range(count)).encode()


REFUSED = {
    "nothing": (b"", "must be csv with a header"),
    "a header alone": (b"a,b\n", "at least two rows"),
    "one row": (b"a,b\n1,2\n", "at least two rows"),
    "one column": (b"a\n1\n2\n", "at least two columns"),
    "two columns of one name": (b"a,a\n1,2\n3,4\n", "each differently"),
    "a column without a name": (b"a,\n1,2\n3,4\n", "at least two columns"),
    "a row that is too short": (b"a,b\n1,2\n3\n", "row 2 has 1 cells, the header 2"),
    "a picture": (b"\x89PNG\r\n\x1a\n\x00\x00", "csv in UTF-8, or parquet"),
    "another encoding": ("länge,b\n1,2\n3,4\n".encode("latin-1"), "csv in UTF-8"),
    "zero bytes": (b"a\x00,b\n1,2\n3,4\n", "must be csv"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_what_the_trainer_would_refuse_is_refused_at_once(content: bytes, words: str) -> None:
    with pytest.raises(Refusal, match=words) as refusal:
        read(content)
    assert [each.field for each in refusal.value.errors] == ["file"]


def test_what_is_too_large_is_refused_with_how_to_do_it() -> None:
    with pytest.raises(Refusal, match="claim://CLAIM/path") as refusal:
        read(IRIS + b"#" * LIMIT)
    assert refusal.value.code == 413


TASKS = {
    "words are classes": (IRIS, "species", "classification"),
    "few whole numbers are classes": (rows_of(100, "{0}"), "x", "regression"),
    "many whole numbers are measured": (rows_of(15, "{0}"), "y", "classification"),
    "fractions are measured": (rows_of(3, "{0}.5"), "y", "regression"),
    "measured columns beside": (IRIS, "length", "regression"),
}


@pytest.mark.parametrize(("content", "target", "task"), TASKS.values(), ids=TASKS)
def test_the_target_tells_the_task(content: bytes, target: str, task: str) -> None:
    assert training_on(content, target_column=target)["task"] == task


def training_on(content: bytes, **fields: object) -> dict[str, object]:
    table = read(content)
    request = StartRequest.model_validate({"name": "x", "dataset_id": table.id, **fields})
    source = source_of_config_map(table.config_map("ada", "iris.csv"), request.target_column)
    spec = spec_of(request, Defaults(), source)
    assert spec["pod"]["volumes"] == [{"name": "dataset", "configMap": {"name": table.id}}]
    training: dict[str, object] = spec["training"]
    return training


def test_a_training_gets_an_upload_as_it_is() -> None:
    training = training_on(IRIS)
    assert training["data"] == {
        "path": "/dataset/data.csv",
        "target": "species",
        "validation": {"fraction": 0.2},
    }
    assert training["task"] == "classification"


def test_another_target_may_be_another_task() -> None:
    assert training_on(IRIS, target_column="width")["task"] == "regression"


def test_a_semicolon_between_cells_is_noticed() -> None:
    data = training_on(IRIS.replace(b",", b";"))["data"]
    assert isinstance(data, dict)
    assert data["csv"] == {"delimiter": ";"}


def test_a_column_that_there_is_not_is_refused() -> None:
    with pytest.raises(Refusal, match="target_column: the dataset has no column kind; it has length, width, species"):
        training_on(IRIS, target_column="kind")
    with pytest.raises(Refusal, match="feature_columns: the dataset has no column height"):
        training_on(IRIS, feature_columns=["length", "height", "w*"])


def test_parquet_is_kept_as_it_is_and_needs_a_target() -> None:
    content = b"PAR1\x00\xff\x00PAR1"
    assert read(content).config_map("ada", "t.parquet")["binaryData"] == {"data.parquet": "UEFSMQD/AFBBUjE="}
    with pytest.raises(Refusal, match="target_column"):
        training_on(content)
    assert training_on(content, target_column="y", task="regression")["task"] == "regression"


def test_the_same_content_is_the_same_dataset() -> None:
    assert read(IRIS).id == read(IRIS).id != read(IRIS + b"1,2,x\n").id


def test_a_config_map_of_somebody_elses_is_no_dataset() -> None:
    with pytest.raises(Refusal, match="dataset_id: is not a dataset"):
        source_of_config_map({"metadata": {"name": "dataset-0123456789abcdef"}}, None)
