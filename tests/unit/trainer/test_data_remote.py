"""Data in object storage: a real server for S3's protocol, and a plain web server."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import torch
from pyarrow import parquet

from support.object_storage import object_storage
from support.trainer import recipe
from support.web import Quiet, served
from trainer.config import Mounts
from trainer.data import pieces, stream
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset
from trainer.errors import DataError, UserError
from trainingjob_api.spec.training import Training

CSV = "a,y\n" + "".join(f"{number},{'pq'[number % 2]}\n" for number in range(60))


def load(path: str, **data: object) -> Dataset:
    fields = recipe(Path("/x"), earlyStopping=None)
    fields["data"] = {"path": path, "target": "y", "normalize": "none", **data}
    return load_dataset(Training.model_validate(fields), Mounts({"/data": "/nowhere"}))


def values(data: Dataset) -> list[int]:
    return [int(value) for value in data.train.take(torch.arange(len(data.train)))[0][:, 0]]


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """The credentials and the address come from the environment, as in a pod."""
    with object_storage() as storage, pytest.MonkeyPatch.context() as environment:
        for name, value in storage.environment.items():
            environment.setenv(name, value)
        _fill(storage.system)
        yield storage.system


def _fill(system: Any) -> None:
    system.pipe("bucket/one.csv", CSV.encode())
    for part in range(3):
        numbers = list(range(part * 50, part * 50 + 50))
        table = pa.table({"a": [float(number) for number in numbers], "y": ["pq"[number % 2] for number in numbers]})
        with system.open(f"bucket/parts/part-{part}.parquet", "wb") as file:
            parquet.write_table(table, file, row_group_size=20)
    system.pipe("bucket/parts/_SUCCESS", b"")


@pytest.mark.parametrize(
    ("path", "rows"),
    [
        pytest.param("s3://bucket/one.csv", 60, id="a csv file"),
        pytest.param("s3://bucket/parts/part-1.parquet", 50, id="a parquet file"),
        pytest.param("s3://bucket/parts/part-*.parquet", 150, id="a glob"),
        pytest.param("s3://bucket/parts", 150, id="a folder"),
    ],
)
@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_a_bucket_is_read_like_a_folder(bucket: object, path: str, rows: int, loading: str) -> None:
    found = values(load(path, loading=loading))
    assert sorted(found) == list(range(found[0], found[0] + rows))


def test_a_stream_from_a_bucket_goes_on_where_it_was_left(bucket: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "PIECE_VALUES", 20)
    monkeypatch.setattr(stream, "WINDOW_VALUES", 40)
    rows = load("s3://bucket/parts/*.parquet", loading="stream").train
    (whole,) = rows.draw(1, 0, [range(150)])
    (rest,) = rows.draw(1, 0, [range(97, 150)])
    assert torch.equal(rest.features, whole.features[97:])
    assert sorted(whole.features[:, 0].tolist()) == list(range(150))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("s3://bucket/two.csv", "s3://bucket/two.csv does not exist; the folder holds one.csv", id="a key"),
        pytest.param("s3://none/x.csv", "s3://none/x.csv does not exist", id="a bucket"),
        pytest.param("s3://bucket/parts/x*.csv", "nothing matches 'x*.csv' in s3://bucket/parts", id="a glob"),
    ],
)
def test_what_is_not_there_is_named(bucket: object, path: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        load(path)
    assert words in str(caught.value)


def test_without_credentials_a_message_says_where_they_come_from(
    bucket: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import s3fs

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        with pytest.raises(DataError, match="AWS_ACCESS_KEY_ID"):
            load("s3://bucket/one.csv")
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


def test_a_protocol_that_needs_a_package_names_it() -> None:
    with pytest.raises(UserError, match=r"gs://bucket/x\.csv needs the Python package gcsfs"):
        load("gs://bucket/x.csv")
    with pytest.raises(UserError, match="nonsense:// is not known"):
        load("nonsense://bucket/x.csv")


class _Simple(Quiet):
    """A server that only sends whole files; below /chunked/ it does not say how long they are."""

    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:  # noqa: N802  (http.server's own name)
        self._answer(b"")

    def do_GET(self) -> None:  # noqa: N802
        content = CSV.encode()
        self._answer(b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content) if "chunked" in self.path else content)

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        if "chunked" in self.path:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(CSV)))
        self.end_headers()
        self.wfile.write(body)


def test_a_web_server_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    with served(partial(Quiet, directory=str(tmp_path))) as address:
        assert values(load(f"{address}/x.csv")) == list(range(60))
        with pytest.raises(DataError, match=r"y\.csv does not exist"):
            load(f"{address}/y.csv")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        pytest.param("whole/x.csv", r"x\.csv cannot be read in parts: set data\.loading to memory", id="no ranges"),
        pytest.param("chunked/x.csv", r"x\.csv: the server does not say how long it is: set", id="no length"),
    ],
)
def test_a_web_server_that_sends_whole_files_only(path: str, words: str) -> None:
    with served(_Simple) as address:
        assert values(load(f"{address}/{path}", loading="memory")) == list(range(60))
        with pytest.raises(DataError, match=words):
            load(f"{address}/{path}", loading="stream")
