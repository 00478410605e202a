"""Nothing in a data folder or file is left out, added or turned without a word."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet

from support.idx import idx
from support.trainer import recipe
from trainer.config import Mounts
from trainer.data.choices import Choices
from trainer.data.dataset import Dataset
from trainer.data.loading import load_dataset
from trainer.errors import DataError, UserError
from trainingjob_api.spec.training import Training

FIRST_VERSION = Choices(by_class=False, as_meant=False)
ROWS = "a,y\n1,p\n2,q\n3,p\n"


def load(path: Path | str, choices: Choices = Choices(), **data: Any) -> Dataset:  # noqa: B008  (frozen)
    fields = recipe(Path(path), earlyStopping=None)
    fields["data"] = {"path": str(path), "target": "y", "normalize": "none", **data}
    return load_dataset(Training.model_validate(fields), Mounts(), choices)


def image(path: Path, mode: str = "RGB", size: tuple[int, int] = (4, 3), **saving: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, 7).save(path, **saving)


def animals(folder: Path) -> Path:
    for name in ("cat", "dog"):
        for number in range(3):
            image(folder / name / f"{number}.png")
    return folder


# What is not read


def _hidden(folder: Path) -> None:
    image(folder / ".ipynb_checkpoints" / "1-checkpoint.png")
    (folder / "cat" / "._1.png").write_bytes(b"\0\5\26\7")
    (folder / ".DS_Store").touch()


def _other_files(folder: Path) -> None:
    (folder / "labels.csv").touch()
    (folder / "cat" / "readme.txt").touch()
    image(folder / "dog" / "more" / "1.png")
    (folder / "bird").mkdir()


def _the_systems(folder: Path) -> None:
    (folder / "lost+found").mkdir(mode=0)
    (folder / "..2026_01_31").mkdir()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(_hidden, ".DS_Store, .ipynb_checkpoints, cat/._1.png", id="what is hidden"),
        pytest.param(_other_files, "bird/ (no images), cat/readme.txt, dog/more/, labels.csv", id="what is no image"),
        pytest.param(_the_systems, None, id="what the file system and the kubelet keep there"),
        pytest.param(lambda folder: None, None, id="nothing"),
    ],
)
def test_what_is_no_class_and_no_image_is_named(
    tmp_path: Path, change: Callable[[Path], None], named: str | None
) -> None:
    change(animals(tmp_path / "x"))
    data = load(tmp_path / "x", format="imageFolder")
    assert data.facts.labels == ("cat", "dog")
    assert len(data.train) == 6
    assert data.notices == ((f"{tmp_path}/x: not read: {named}",) if named else ())


@pytest.mark.parametrize("loading", ["memory", "stream"])
def test_what_is_no_table_of_the_format_is_named(tmp_path: Path, loading: str) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    for name in ("notes.txt", "_SUCCESS", ".hidden.csv", "z.parquet"):
        (tmp_path / name).touch()
    (tmp_path / "more").mkdir()
    data = load(tmp_path, format="csv", loading=loading)
    assert len(data.train) == 3
    assert data.notices == (f"{tmp_path}: not read: .hidden.csv, _SUCCESS, more/, notes.txt, z.parquet",)


def test_a_glob_does_not_look_into_hidden_folders(tmp_path: Path) -> None:
    for folder in ("a", ".ipynb_checkpoints", "..2026_01_31"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.csv").write_text(ROWS)
    data = load(f"{tmp_path}/*/*.csv")
    assert len(data.train) == 3
    assert data.notices == (f"{tmp_path}: not read: .ipynb_checkpoints/x.csv",)


def test_what_lies_beside_the_four_files_of_mnist_is_named(tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        (tmp_path / f"{part}-images-idx3-ubyte").write_bytes(idx(np.zeros((3, 2, 2), np.uint8)))
        (tmp_path / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(np.array([0, 1, 0], np.uint8))))
    (tmp_path / "emnist-letters").touch()
    data = load(tmp_path, format="idx", test={"path": str(tmp_path)})
    assert data.notices == (f"{tmp_path}: not read: emnist-letters",)


def test_what_images_lose_is_named(tmp_path: Path) -> None:
    image(tmp_path / "a" / "0.png", "L")
    image(tmp_path / "b" / "1.png", "RGB")
    image(tmp_path / "b" / "2.png", "RGBA")
    Image.new("L", (4, 3)).save(tmp_path / "b" / "3.gif", save_all=True, append_images=[Image.new("L", (4, 3), 9)])
    assert load(tmp_path).notices == (
        f"{tmp_path}: the colours of 3 images are not read, such as {tmp_path}/b/1.png",
        f"{tmp_path}: the transparency of one image are not read, such as {tmp_path}/b/2.png",
        f"{tmp_path}: the further frames of one image are not read, such as {tmp_path}/b/3.gif",
    )
    asked_for = load(tmp_path, shape=[1, 3, 4]).notices
    assert asked_for == (f"{tmp_path}: the further frames of one image are not read, such as {tmp_path}/b/3.gif",)


# What is added or turned


@pytest.mark.parametrize("loading", ["memory", "stream"])
@pytest.mark.parametrize("kind", ["parquet", "csv", "csv that was read and written again"])
def test_pandas_row_numbers_are_no_inputs_unless_they_are_named(tmp_path: Path, kind: str, loading: str) -> None:
    name = {"parquet": "__index_level_0__", "csv": ""}.get(kind, "Unnamed: 0")
    if kind == "parquet":
        parquet.write_table(pa.table({"a": [1.0, 2, 3], "y": ["p", "q", "p"], name: [0, 1, 2]}), tmp_path / "x.parquet")
    else:
        (tmp_path / "x.csv").write_text(f"{name},a,y\n0,1,p\n1,2,q\n2,3,p\n")
    path = next(tmp_path.iterdir())
    for features in (None, ["*"]):
        data = load(path, loading=loading, features=features)
        assert data.facts.features == ("a",)
        assert data.notices == (
            f"{path}: row numbers, as pandas writes them, are no inputs unless they are named: {name!r}",
        )
    if name:
        assert load(path, loading=loading, features=["a", name]).facts.features == ("a", name)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_an_image_is_held_as_every_viewer_shows_it(tmp_path: Path, kind: str) -> None:
    bright_above = np.zeros((32, 16), np.uint8)
    bright_above[:16] = 200
    upright, turned = Image.fromarray(bright_above), Image.Exif()
    turned[0x0112] = 6
    for name, content, exif in (
        ("a", upright, Image.Exif()),
        ("b", upright.transpose(Image.Transpose.ROTATE_90), turned),
    ):
        (tmp_path / name).mkdir()
        content.save(tmp_path / name / f"0.{kind}", exif=exif)
    data = load(tmp_path)
    assert data.facts.shape[1:] == (32, 16)
    rows = data.train.take(torch.arange(2))[0]
    assert (rows[0] - rows[1]).abs().max() < 20, "nothing but what compression changes"


# A test on what was trained on


def _npz(path: Path) -> str:
    values = {
        "x_train": np.ones((4, 2)),
        "y_train": np.arange(4) % 2,
        "x_test": np.ones((2, 2)),
        "y_test": np.arange(2),
    }
    np.savez(path, **values)
    return str(path)


TRAIN = {"features": ["x_train"], "target": "y_train"}


def test_arrays_for_the_test_can_be_named(tmp_path: Path) -> None:
    path = _npz(tmp_path / "x.npz")
    data = load(path, **TRAIN, test={"path": path, "features": ["x_test"], "target": "y_test"})
    assert (len(data.train), data.test and len(data.test), data.notices) == (4, 2, ())


def test_arrays_that_are_not_read_are_named(tmp_path: Path) -> None:
    path = _npz(tmp_path / "x.npz")
    assert load(path, **TRAIN).notices == (f"{path}: not read: array 'x_test', array 'y_test'",)


def test_labels_in_a_column_are_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((3, 2)), y=np.array([[0], [1], [0]]))
    assert load(tmp_path / "x.npz").train.take(torch.arange(3))[1].tolist() == [0, 1, 0]


@pytest.mark.parametrize("section", ["validation", "test"])
@pytest.mark.parametrize("kind", ["csv", "stream", "glob", "npz", "imageFolder", "link"])
def test_what_is_trained_on_measures_nothing(tmp_path: Path, kind: str, section: str) -> None:
    (tmp_path / "x.csv").write_text(ROWS)
    (tmp_path / "z.csv").write_text(ROWS)
    os.symlink(tmp_path / "x.csv", tmp_path / "link.csv")
    path, other, options = str(tmp_path / "x.csv"), str(tmp_path / "x.csv"), {}
    if kind == "stream":
        options = {"loading": "stream"}
    elif kind == "glob":
        path = f"{tmp_path}/[xz].csv"
    elif kind == "npz":
        path = other = _npz(tmp_path / "x.npz")
        options = TRAIN
    elif kind == "imageFolder":
        path = other = str(animals(tmp_path / "animals"))
    elif kind == "link":
        other = str(tmp_path / "link.csv")
    held = {section: {"path": other}}
    with pytest.raises(
        DataError, match=rf"data\.{section}\.path leads to what is trained on, .*(x|link|cat)"
    ) as refused:
        load(path, **options, **held)
    before = load(path, FIRST_VERSION, **options, **held)
    assert any(str(refused.value) in notice for notice in before.notices)


def test_only_npz_has_other_names_for_the_test(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(ROWS)
    with pytest.raises(UserError, match=r"data\.test: features and target name arrays of npz"):
        load(tmp_path / "x.csv", test={"path": "/other.csv", "target": "z"})


# Partitions


def _partitioned(folder: Path) -> Path:
    for label in "ab":
        (folder / f"label={label}").mkdir(parents=True)
        parquet.write_table(pa.table({"x": [1.0, 2.0], "y": ["p", "q"]}), folder / f"label={label}" / "part-0.parquet")
    (folder / "_SUCCESS").touch()
    return folder


@pytest.mark.parametrize("how", [{}, {"format": "parquet"}])
def test_a_partitioned_folder_is_called_one(tmp_path: Path, how: dict[str, str]) -> None:
    with pytest.raises(DataError, match=r"in folders such as label=a, and the column 'label' is in their names only"):
        load(_partitioned(tmp_path / "x"), target="label", **how)


def test_a_target_in_the_names_of_folders_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"the column 'label' is only in the folder's name, label=a: write it into"):
        load(f"{_partitioned(tmp_path / 'x')}/*/*.parquet", target="label")


def test_a_column_in_the_names_of_folders_that_is_not_read_is_named(tmp_path: Path) -> None:
    data = load(f"{_partitioned(tmp_path / 'x')}/*/*.parquet")
    assert len(data.train) == 4
    assert [notice.partition("columns")[2] for notice in data.notices] == [
        " that are only in the names of folders are not read: 'label'"
    ]


# Trainings of version 0.1 go on with what they began with


def test_a_training_of_the_first_version_keeps_its_columns_and_classes(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(",a,y\n0,1,p\n1,2,q\n")
    assert load(tmp_path / "x.csv", FIRST_VERSION).facts.features == ("", "a")
    image(animals(tmp_path / "x") / ".ipynb_checkpoints" / "0.png")
    assert load(tmp_path / "x", FIRST_VERSION).facts.labels == (".ipynb_checkpoints", "cat", "dog")


def test_a_training_of_the_first_version_keeps_its_images_as_they_lay(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6
    for name in "ab":
        image(tmp_path / name / "0.png", exif=turned)
    assert load(tmp_path).facts.shape == (3, 4, 3)
    assert load(tmp_path, FIRST_VERSION).facts.shape == (3, 3, 4)
