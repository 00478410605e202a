"""Rows that stay in their files: every one of them once an epoch, in an order that a resume can go on with."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import csv, parquet

from support.trainer import recipe
from support.waiting import PATIENCE
from trainer.config import Mounts
from trainer.container import ContainerMemory
from trainer.data import csv_text, pieces, stream
from trainer.data.batches import Batch, batches
from trainer.data.choices import Choices
from trainer.data.dataset import Dataset, is_streamed
from trainer.data.loading import load_dataset
from trainer.data.memory import memory_of_a_rank
from trainer.data.pieces import Piece
from trainer.data.rows import Rows, epoch_order
from trainer.data.stream_split import DrawnByPiece
from trainer.distributed import World
from trainer.errors import DataError, UserError
from trainer.learning.plan import plan_for
from trainingjob_api.spec.training import Training

ROWS = 457


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a few hundred rows are dozens of pieces and several windows."""
    monkeypatch.setattr(pieces, "PIECE_VALUES", 40)
    monkeypatch.setattr(csv_text, "STRETCH_BYTES", 150)
    monkeypatch.setattr(stream, "WINDOW_VALUES", 120)


def table(rows: int = ROWS, first: int = 0) -> pa.Table:
    number = np.arange(first, first + rows)
    return pa.table({"n": number.astype(float), "twice": number * 2, "y": np.array(["p", "q", "r"])[number % 3]})


def write(folder: Path, kind: str, files: int = 2) -> str:
    """The rows 0 to 456 in several files; the path that leads to all of them."""
    cuts = np.linspace(0, ROWS, files + 1).astype(int)
    for number, (start, end) in enumerate(itertools.pairwise(cuts.tolist())):
        part = table(end - start, start)
        if kind == "parquet":
            parquet.write_table(part, folder / f"part-{number}.parquet", row_group_size=70)
        else:
            lines = ["n,twice,y", *(f"{n},{twice},{y}" for n, twice, y in zip(*part.to_pydict().values(), strict=True))]
            (folder / f"part-{number}.csv").write_text("\n".join(lines) + "\n" * (number % 2))
    return str(folder / f"part-*.{kind}")


def load(path: str | Path, task: str = "classification", choices: Choices | None = None, **data: object) -> Dataset:
    fields = recipe(Path(path), task=task, earlyStopping=None)
    fields["data"] = {"path": str(path), "target": "y", "normalize": "none", "loading": "stream", **data}
    return load_dataset(Training.model_validate(fields), Mounts(), choices or Choices())


def epoch_of(rows: Rows, world: World, consumed: int = 0, epoch: int = 0, size: int = 16) -> list[Batch]:
    plan = plan_for(Training.model_validate(recipe(Path("/x.csv"), batchSize=size)), len(rows))
    return list(batches(rows, plan.stages[0], 1, epoch, consumed, world))


def world(rank: int = 0, size: int = 1) -> World:
    return World(rank, size, torch.device("cpu"))


def numbers(found: list[Batch]) -> list[int]:
    return [int(value) for batch in found for value in batch.features[:, 0]]


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("ranks", [1, 2, 12], ids=["1", "2", "more than the last batch has rows"])
def test_every_row_comes_once_an_epoch_whatever_the_number_of_ranks(tmp_path: Path, kind: str, ranks: int) -> None:
    data = load(write(tmp_path, kind))
    by_rank = [epoch_of(data.train, world(rank, ranks)) for rank in range(ranks)]
    assert sorted(number for found in by_rank for number in numbers(found)) == list(range(ROWS))
    alone = epoch_of(data.train, world())
    for whole, *shares in zip(alone, *by_rank, strict=True):
        assert {share.size for share in shares} == {whole.size}
        dealt = [shares[place % ranks].features[place // ranks] for place in range(whole.size)]
        assert torch.equal(torch.stack(dealt), whole.features)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_row_keeps_its_values_and_its_class(tmp_path: Path, kind: str) -> None:
    data = load(write(tmp_path, kind))
    assert data.facts.labels == ("p", "q", "r")
    for batch in epoch_of(data.train, world()):
        assert torch.equal(batch.features[:, 1], batch.features[:, 0] * 2)
        assert torch.equal(batch.targets, batch.features[:, 0].long() % 3)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_is_known_of_a_stream_is_what_reading_it_at_once_tells(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind)
    (streamed, read) = (load(path, normalize="standard", loading=loading) for loading in ("stream", "memory"))
    assert streamed.facts.labels == read.facts.labels
    assert np.allclose(streamed.facts.scaling.shift, read.facts.scaling.shift, rtol=1e-12)
    assert np.allclose(streamed.facts.scaling.scale, read.facts.scaling.scale, rtol=1e-12)
    everything = torch.arange(ROWS)
    assert torch.allclose(streamed.train.take(everything)[0], read.train.take(everything)[0])
    assert torch.equal(streamed.train.take(everything)[1], read.train.take(everything)[1])


def test_numbers_are_scaled_as_if_they_were_read_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, "parquet")
    (streamed, read) = (
        load(path, task="regression", target="twice", features=["n"], loading=loading)
        for loading in ("stream", "memory")
    )
    assert torch.allclose(streamed.train.take(torch.arange(9))[1], read.train.take(torch.arange(9))[1])
    assert streamed.train.take(torch.arange(0))[1].dtype == torch.float32


@pytest.mark.parametrize("consumed", [0, 16, 160, 448])
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_epoch_goes_on_where_it_was_left(tmp_path: Path, kind: str, consumed: int) -> None:
    rows = load(write(tmp_path, kind)).train
    whole, rest = epoch_of(rows, world(1, 3)), epoch_of(rows, world(1, 3), consumed)
    for one, other in zip(whole[consumed // 16 :], rest, strict=True):
        assert torch.equal(one.features, other.features)
        assert torch.equal(one.targets, other.targets)


def test_what_was_skipped_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = load(write(tmp_path, "csv")).train
    read: list[object] = []
    original = pieces.Cursor.read
    monkeypatch.setattr(pieces.Cursor, "read", lambda self, piece: read.append(piece) or original(self, piece))
    epoch_of(rows, world())
    whole = len(read)
    read.clear()
    epoch_of(rows, world(), ROWS // 16 * 12)
    assert len(read) < whole / 2
    read.clear()
    for numbers in (torch.arange(5), torch.arange(5, 9)):
        rows.take(numbers)
    assert len(read) == 1, "nor is what the call before has read"


def test_every_epoch_has_an_order_of_its_own_that_mixes_files(tmp_path: Path) -> None:
    rows = load(write(tmp_path, "csv")).train
    orders = [numbers(epoch_of(rows, world(), epoch=epoch)) for epoch in (0, 1, 0)]
    assert orders[0] == orders[2] != orders[1]
    assert len({number < ROWS // 2 for number in orders[0][: ROWS // 2]}) == 2
    assert sum(after - before == 1 for before, after in itertools.pairwise(orders[0])) < ROWS // 10


def test_every_window_is_as_large_as_it_may_be_and_has_an_order_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, drawn, sizes = load(write(tmp_path, "csv")).train, [], []

    def order(rows: int, *parts: int) -> torch.Tensor:
        drawn.append(parts)
        sizes.append(rows)
        return epoch_order(rows, *parts)

    monkeypatch.setattr(stream, "epoch_order", order)
    epoch_of(rows, world())
    assert len(set(drawn)) == len(drawn)
    assert all(60 <= size < 80 for size in sizes[1:-1]), "120 values are 60 rows, and a piece may end later"


def test_every_piece_held_back_rows_of_its_own_before_classes_were_looked_at() -> None:
    masks = [DrawnByPiece(1, 0.5, held_back=True).mask(Piece(None, 0, 40, first, first)) for first in (0, 40)]  # type: ignore[arg-type]
    assert masks[0].sum() == masks[1].sum() == 20
    assert (masks[0] != masks[1]).any()


def test_an_epoch_does_not_begin_with_the_same_files(tmp_path: Path) -> None:
    rows = load(write(tmp_path, "parquet"), validation={"fraction": 0.1}).train
    begins = {min(numbers(epoch_of(rows, world(), epoch=epoch))[:40]) // 70 for epoch in range(6)}
    assert len(begins) > 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_rows_are_taken_by_number_in_any_order(tmp_path: Path, kind: str) -> None:
    rows = load(write(tmp_path, kind)).train
    wanted = torch.tensor([456, 0, 200, 200, 7, 455])
    assert rows.take(wanted)[0][:, 0].tolist() == wanted.tolist()
    assert rows.take(torch.arange(2, ROWS, 3))[0][:, 0].tolist() == list(range(2, ROWS, 3))
    assert rows.take(torch.arange(0))[0].shape == (0, 2)


def test_the_numbers_of_a_share_are_those_of_its_rows(tmp_path: Path) -> None:
    data = load(write(tmp_path, "csv"), validation={"fraction": 0.3})
    for share in data.train.draw(1, 0, [range(3, 90, 2), range(100, 300, 3)]):
        assert torch.equal(data.train.take(share.numbers)[0], share.features)


@pytest.mark.parametrize(("fraction", "rows"), [(0.001, 3), (0.2, 91), (0.9, 411)])
def test_a_fraction_of_the_rows_is_held_back_from_training_and_scaling(
    tmp_path: Path, fraction: float, rows: int
) -> None:
    data = load(write(tmp_path, "parquet"), validation={"fraction": fraction}, normalize="minMax")
    assert data.validation is not None
    assert len(data.validation) == rows
    parts = [rows.take(torch.arange(len(rows)))[0][:, 0] for rows in (data.train, data.validation)]
    assert (float(parts[0].min()), float(parts[0].max())) == (0, 1)
    together = torch.cat(parts) * float(data.facts.scaling.scale[0]) + float(data.facts.scaling.shift[0])
    assert together.round().int().sort().values.tolist() == list(range(ROWS))


@pytest.mark.parametrize("loading", ["stream", "memory"])
def test_targets_that_are_held_back_do_not_influence_the_scaling(tmp_path: Path, loading: str) -> None:
    fields: dict[str, object] = {"features": ["n"], "validation": {"fraction": 0.4}, "loading": loading}
    data = load(write(tmp_path, "csv"), task="regression", target="twice", **fields)
    targets = data.train.take(torch.arange(len(data.train)))[1].double()
    assert abs(float(targets.mean())) < 1e-6
    assert abs(float(targets.std(correction=0)) - 1) < 1e-6


@pytest.mark.parametrize("loading", ["stream", "memory"])
def test_the_digest_tells_of_content_and_order(tmp_path: Path, loading: str) -> None:
    path = write(tmp_path, "csv")
    first = load(path, loading=loading).digest
    assert load(path, loading=loading).digest == first
    content = (tmp_path / "part-0.csv").read_text()
    for old, new in (("5.0,10,r", "5.0,10,p"), ("5.0,10,r", "5.5,10,r"), ("4.0,8,q\n5.0,10,r", "5.0,10,r\n4.0,8,q")):
        (tmp_path / "part-0.csv").write_text(content.replace(old, new))
        assert load(path, loading=loading).digest != first


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param("a,y\n" + "1,p\n" * 60 + "x,q\n", ["row 61", "'a'", "'x'"], id="text in a later piece"),
        pytest.param("a,y\n" + "1,p\n" * 60 + ",q\n", ["row 61", "'a'", "missing"], id="a gap in a later piece"),
        pytest.param("a,y\n" + "1,p\n" * 60 + "1,\n", ["row 61", "'y'", "missing"], id="a class is missing"),
        pytest.param("a,y\n" + "1,p\n" * 60 + "1,é\n", ["row 61", "'y'", "not UTF-8"], id="a class in Latin-1"),
        pytest.param("a,y\n1," + "p" * 200 + "\n2,q\n", ["longer"], id="a line longer than a piece"),
        pytest.param(
            "a,y\n1,p\n2,q\n1,2,3\n", ["row 3: 3 cells where there are 2 columns: '1,2,3'"], id="a ragged row"
        ),
        pytest.param("a,y\n", ["no rows"], id="no rows"),
        pytest.param("", ["is empty"], id="an empty file"),
        pytest.param("a,y\n1,p\n2,p\n", ["same 'y'"], id="one class only"),
        pytest.param("a,a,y\n1,2,p\n", ["'a'", "more than once"], id="a doubled column"),
    ],
)
def test_a_bad_file_is_named_with_row_and_column(tmp_path: Path, content: str, words: list[str]) -> None:
    (tmp_path / "bad.csv").write_text(content, encoding="latin-1")
    with pytest.raises(DataError) as caught:
        load(tmp_path / "bad.csv")
    assert "bad.csv" in str(caught.value)
    assert all(word in str(caught.value) for word in words), str(caught.value)


def test_classes_that_look_like_numbers_are_numbers(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,y\n" + "1,01\n2,10\n3,9\n" * 30)
    (tmp_path / "test.csv").write_text("a,y\n" + "1,1\n" * 50 + "7,z\n")
    data = load(tmp_path / "x.csv")
    assert data.facts.labels == (1, 9, 10)
    assert data.train.take(torch.tensor([0, 1, 89]))[1].tolist() == [0, 2, 1]
    with pytest.raises(DataError, match=r"test\.csv, row 51, column 'y': the class 'z'"):
        load(tmp_path / "x.csv", test={"path": str(tmp_path / "test.csv")})


def test_words_that_look_like_numbers_in_one_piece_stay_words(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,y\n" + "1,01\n" * 90 + "2,none\n" * 90)
    assert load(tmp_path / "x.csv").facts.labels == ("01", "none")


def test_a_file_that_changes_during_training_is_named(tmp_path: Path) -> None:
    rows = load(write(tmp_path, "csv")).train
    (tmp_path / "part-0.csv").write_text("n,twice,y\n" + "1,2,p" + "\n" * 4000)
    with pytest.raises(DataError, match=r"part-0\.csv has changed"):
        rows.take(torch.tensor([0]))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_file_that_keeps_its_number_of_rows_when_it_changes_is_named(tmp_path: Path, kind: str) -> None:
    rows = load(write(tmp_path, kind, files=1)).train
    changed = tmp_path / f"part-0.{kind}"
    before = changed.stat()
    changed.write_bytes(changed.read_bytes())
    os.utime(changed, ns=(before.st_atime_ns, before.st_mtime_ns + 1_000_000_000))
    with pytest.raises(DataError, match=rf"part-0\.{kind} has changed"):
        rows.take(torch.tensor([0]))


@pytest.mark.parametrize("loading", ["stream", "memory"])
def test_a_class_whose_rows_were_all_held_back_is_named(tmp_path: Path, loading: str) -> None:
    """Every row is of a class of its own, so that whatever is drawn takes a class away."""
    (tmp_path / "x.csv").write_text("a,y\n" + "".join(f"{row},c{row}\n" for row in range(10)))
    with pytest.raises(DataError, match=r"x\.csv, column 'y': all rows of the class 'c\d' are held back.*change the"):
        load(tmp_path / "x.csv", choices=Choices(by_class=False), loading=loading, validation={"fraction": 0.2})


def test_what_cannot_be_cut_is_not_streamed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gzip cannot be read piece by piece"):
        load(tmp_path / "x.csv.gz", format="csv")
    with pytest.raises(UserError, match="npz cannot"):
        load(tmp_path / "x.npz")


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_what_would_fill_half_of_the_memory_is_streamed(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, kind)
    needed = ROWS * 3 * 20
    for memory, expected in ((needed * 3, False), (needed, True)):
        monkeypatch.setattr("trainer.data.loading.memory_of_a_rank", lambda memory=memory: memory)
        assert isinstance(load(path, loading="auto").train, stream.StreamedRows) == expected


@pytest.mark.parametrize(
    ("memory", "streamed_before", "expected"),
    [
        pytest.param(3.0, True, True, id="a stream, with more memory"),
        pytest.param(1.5, False, False, id="in memory, with less than would be chosen now"),
        pytest.param(0.9, False, True, id="in memory, where it does not fit any more"),
    ],
)
def test_a_resume_reads_as_before_whatever_memory_there_is(
    tmp_path: Path, memory: float, streamed_before: bool, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, "csv")
    monkeypatch.setattr("trainer.data.loading.memory_of_a_rank", lambda: int(ROWS * 3 * 20 * memory))
    data = load(path, choices=Choices(streams=streamed_before), loading="auto")
    assert isinstance(data.train, stream.StreamedRows) == expected == is_streamed(data.digest)


def test_memory_is_shared_by_the_ranks_of_a_pod() -> None:
    assert memory_of_a_rank({"LOCAL_WORLD_SIZE": "4"}, ContainerMemory(limit=8000)) == 2000
    assert memory_of_a_rank({}, ContainerMemory()) > 1 << 28


_ROOT = Path(__file__).parents[3]
_READ_A_LOT = """
import sys
import torch
from tests.support.memory import megabytes
from trainer.config import Mounts
from trainer.data.batches import batches
from trainer.data.loading import load_dataset
from trainer.distributed import World
from trainer.learning.plan import plan_for
from trainingjob_api.spec.training import Training

recipe = Training.model_validate({
    "task": "regression", "batchSize": 4096, "model": {"type": "mlp"},
    "data": {"path": sys.argv[1], "target": "c0", "loading": sys.argv[2]},
})
before = megabytes("VmHWM")
data = load_dataset(recipe, Mounts())
world = World(int(sys.argv[3]), int(sys.argv[4]), torch.device("cpu"))
stage = plan_for(recipe, len(data.train)).stages[0]
seen = sum(len(batch.targets) for batch in batches(data.train, stage, 1, 0, 0, world))
print(seen, int(megabytes("VmHWM") - before))
"""


@pytest.mark.parametrize(("kind", "ranks"), [("parquet", 1), ("csv", 2)])
def test_a_stream_takes_a_fraction_of_the_memory_of_its_rows(tmp_path: Path, kind: str, ranks: int) -> None:
    """Processes of their own, and pieces of their real size. These rows take 120 MB, and 700 to be read at once.

    Streamed they took 150 to 250 MB, and three times as many rows took as much.
    """
    rows, columns = 1_000_000, 30
    values = np.random.default_rng(0).integers(0, 100, rows).astype(np.int8)
    content, path = pa.table({f"c{number}": values for number in range(columns)}), tmp_path / f"big.{kind}"
    if kind == "csv":
        csv.write_csv(content, path)
    else:
        parquet.write_table(content, path, row_group_size=rows // 2, use_dictionary=False)

    def measured(loading: str, ranks: int) -> list[tuple[int, int]]:
        """(rows seen, MB taken) of each rank."""
        commands = [
            [sys.executable, "-c", _READ_A_LOT, str(path), loading, str(rank), str(ranks)] for rank in range(ranks)
        ]
        begun = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=_ROOT) for command in commands]
        answers = [each.communicate(timeout=PATIENCE)[0].split() for each in begun]
        return [(int(seen), int(megabytes)) for seen, megabytes in answers]

    ((seen_at_once, at_once),) = measured("memory", 1)
    streamed = measured("stream", ranks)
    assert seen_at_once == sum(seen for seen, _ in streamed) == rows
    assert max(megabytes for _, megabytes in streamed) < at_once / 2
