"""`training.data`: what is learned from."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from trainingjob_api.base import ABOVE_ZERO, Model, rule, rules

Column = Annotated[str, Field(min_length=1, max_length=256)]
FilePath = Annotated[str, Field(min_length=1, max_length=1024)]
_MOST_HELD_BACK = 0.9
_WITHOUT_TARGET = ("npz", "idx", "imageFolder", "synthetic")
_WITHOUT_COLUMNS = ("idx", "imageFolder", "synthetic")


Fraction = Annotated[float, Field(ge=0.001, le=_MOST_HELD_BACK, json_schema_extra=ABOVE_ZERO)]
_ONE_OF_TWO = "give exactly one of fraction and path"
_ARRAYS_OF_A_FILE = "names arrays of an npz file: give path"


class HeldBack(Model):
    """A share of all rows, or files of their own."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule("has(self.fraction) != has(self.path)", _ONE_OF_TWO),
            *[
                rule(f"!has(self.{field}) || has(self.path)", _ARRAYS_OF_A_FILE, f".{field}")
                for field in ("features", "target")
            ],
        )
    )

    fraction: Fraction | None = None
    path: FilePath | None = None
    features: list[Column] | None = Field(
        default=None, min_length=1, max_length=256, description="Of npz: its arrays, if they are called otherwise."
    )
    target: Column | None = Field(default=None, description="Of npz: its array, if it is called otherwise.")

    @model_validator(mode="after")
    def _as_the_rules(self) -> "HeldBack":
        if (self.fraction is None) == (self.path is None):
            raise ValueError(_ONE_OF_TWO)
        for field, value in (("features", self.features), ("target", self.target)):
            if value is not None and self.path is None:
                raise ValueError(f"{field}: {_ARRAYS_OF_A_FILE}")
        return self


class Validation(HeldBack):
    """Rows held back from training, to measure every epoch on. Exactly one of fraction and path."""

    fraction: Fraction | None = Field(
        default=None,
        description="Share of all rows, of every class the same, drawn by the seed: the same rows after every resume. "
        "Of a time series: its end, but for what test.fraction takes.",
    )
    path: FilePath | None = Field(default=None, description="Files of their own, with the same columns.")


class Test(HeldBack):
    """Rows that are looked at once, after training, with the finished model. Exactly one of fraction and path."""

    fraction: Fraction | None = Field(
        default=None, description="Share of all rows, drawn like validation.fraction. Of a time series: its end."
    )
    path: FilePath | None = Field(
        default=None, description="Files in a mounted volume, with the same columns as the training data."
    )


_OTHER_THAN_DECIMAL = "the decimal comma needs another delimiter, such as ';'"


class Csv(Model):
    """How csv is written."""

    model_config = ConfigDict(
        json_schema_extra=rules(
            rule(
                "(has(self.decimal) ? self.decimal : '.') != (has(self.delimiter) ? self.delimiter : ',')",
                _OTHER_THAN_DECIMAL,
                ".delimiter",
            )
        )
    )

    delimiter: Annotated[str, Field(min_length=1, max_length=1, pattern=r"^[ !#-~\t]$")] = Field(
        default=",", description='Between the cells of a line; of a tab: "\\t".'
    )
    decimal: Literal[".", ","] = Field(default=".", description="In numbers.")
    header: bool = Field(default=True, description="false: the first line is a row, and columns are column1, column2 …")
    null_words: list[Annotated[str, Field(min_length=1, max_length=64)]] | None = Field(
        default=None,
        max_length=64,
        description="How a missing value is written, besides an empty cell. Default: NA, N/A, NaN, null and the like.",
    )

    @model_validator(mode="after")
    def _decimal_is_no_delimiter(self) -> "Csv":
        if self.decimal == self.delimiter:
            raise ValueError(f"delimiter: {_OTHER_THAN_DECIMAL}")
        return self


class Sequence(Model):
    """A time series cut into sliding windows: the rows of the file follow each other in time."""

    length: int = Field(ge=1, le=100_000, description="Rows that the network sees at once.")
    horizon: int = Field(
        default=1, ge=0, le=100_000, description="How many rows after its last one the target of a window lies."
    )


class Augmentation(Model):
    """Every image of an epoch is changed a little, by chance drawn from seed, epoch and place: resumes are exact."""

    rotate_degrees: float = Field(default=0, ge=0, le=180, description="Turned by up to so much, either way.")
    horizontal_flip: bool = Field(default=False, description="Every second image is mirrored.")
    crop_padding: int = Field(default=0, ge=0, le=64, description="Moved by up to so many pixels in each direction.")


class Synthetic(Model):
    """Points drawn by the seed, to try a recipe without data."""

    samples: int = Field(default=1000, ge=2, le=100_000_000)
    features: int | None = Field(default=None, ge=1, le=100_000, description="Default: 16, or as many as shape has.")
    classes: int = Field(default=2, ge=2, le=10_000, description="For classification.")
    noise: float = Field(default=0.5, ge=0, le=1000, description="Standard deviation of what cannot be learned.")


_RULES = rules(
    rule(
        "has(self.path) != (has(self.format) && self.format == 'synthetic')",
        "path is required, and not for format synthetic",
        ".path",
    ),
    rule(
        f"has(self.target) || (has(self.format) && self.format in {list(_WITHOUT_TARGET)})",
        f"target is required unless format is one of {', '.join(_WITHOUT_TARGET)}",
        ".target",
    ),
    rule(
        "!has(self.synthetic) || (has(self.format) && self.format == 'synthetic')",
        "synthetic belongs to format synthetic",
        ".synthetic",
    ),
    rule("!has(self.csv) || !has(self.format) || self.format in ['auto', 'csv']", "csv belongs to format csv", ".csv"),
    rule("!has(self.augmentation) || !has(self.sequence)", "augmentation is for images", ".augmentation"),
    rule(
        "!has(self.augmentation) || (has(self.shape) ? self.shape.size() == 3"
        " : has(self.format) && self.format in ['idx', 'imageFolder'])",
        "augmentation needs images: give shape [channels, height, width]",
        ".augmentation",
    ),
    rule("!has(self.sequence) || !has(self.shape)", "give one of sequence and shape", ".sequence"),
    rule(
        f"!has(self.sequence) || !has(self.format) || !(self.format in {list(_WITHOUT_COLUMNS)})",
        "a time series is csv, parquet or npz",
        ".sequence",
    ),
    rule(
        f"!has(self.features) || !has(self.format) || !(self.format in {list(_WITHOUT_COLUMNS)})",
        "features are columns of csv and parquet, or arrays of npz",
        ".features",
    ),
    rule(
        "!has(self.format) || self.format != 'synthetic' || ((!has(self.test) || !has(self.test.path))"
        " && (!has(self.validation) || !has(self.validation.path)))",
        "synthetic data has no files: use validation.fraction and test.fraction",
        ".format",
    ),
    rule(
        "!has(self.validation) || !has(self.test) || !has(self.validation.fraction) || !has(self.test.fraction)"
        f" || self.validation.fraction + self.test.fraction <= {_MOST_HELD_BACK}",
        "validation.fraction and test.fraction must leave a tenth of the rows to train on",
        ".test.fraction",
    ),
    rule(
        "!has(self.loading) || self.loading != 'stream' || (!has(self.sequence)"
        " && (!has(self.format) || self.format in ['auto', 'csv', 'parquet']))",
        "csv and parquet can be streamed, without sequence",
        ".loading",
    ),
)


class Data(Model):
    """What is learned from: files in a mounted volume or in object storage."""

    model_config = ConfigDict(json_schema_extra=_RULES)

    path: FilePath | None = Field(
        default=None,
        description="A file, a folder or a glob (part-*.parquet) in a mounted volume, or s3://bucket/key.",
    )
    format: Literal["auto", "csv", "parquet", "npz", "idx", "imageFolder", "synthetic"] = Field(
        default="auto",
        description="auto: by the file's name. csv may be gzipped; its first line names the columns. "
        "npz: arrays x and y, unless features and target name others. "
        "idx: MNIST's own files, an images file with its labels beside it, or the folder that holds all four. "
        "imageFolder: a folder for each class.",
    )
    features: list[Column] | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="Names or globs (pixel_*) of the input columns; what follows a ! is left out (!date). "
        "Default: every column but the target.",
    )
    target: Column | None = Field(
        default=None,
        description="The column to predict; an array of npz (default: y). Of a series its past is an input as well.",
    )
    csv: Csv | None = Field(default=None, description="Default: commas, decimal points, and a header.")
    validation: Validation | None = Field(default=None, description="Default: nothing is held back.")
    test: Test | None = Field(default=None, description="Default: no final test.")
    normalize: Literal["none", "standard", "minMax"] = Field(
        default="standard",
        description="Fitted on the training rows only and saved with the model. Of images: for each channel.",
    )
    shape: list[Annotated[int, Field(ge=1, le=65536)]] | None = Field(
        default=None,
        min_length=2,
        max_length=3,
        description="How a row becomes an image [channels, height, width], or a sequence [length, features]. "
        "Of an image folder: the size that every image is brought to.",
    )
    sequence: Sequence | None = Field(default=None, description="Sliding windows over a time series.")
    augmentation: Augmentation | None = Field(default=None, description="Default: images are used as they are.")
    synthetic: Synthetic | None = Field(default=None, description="What format synthetic makes.")
    loading: Literal["auto", "memory", "stream"] = Field(
        default="auto",
        description="memory: read once. stream: csv and parquet are read piece by piece in every epoch. "
        "auto: stream what would take more than half of the pod's memory.",
    )

    @model_validator(mode="after")
    def _fields_agree(self) -> "Data":
        """The same as the CEL rules."""
        if (self.path is None) != (self.format == "synthetic"):
            raise ValueError("path is required, and not for format synthetic")
        if self.target is None and self.format not in _WITHOUT_TARGET:
            raise ValueError(f"target is required unless format is one of {', '.join(_WITHOUT_TARGET)}")
        if self.synthetic is not None and self.format != "synthetic":
            raise ValueError("synthetic belongs to format synthetic")
        if self.csv is not None and self.format not in ("auto", "csv"):
            raise ValueError("csv belongs to format csv")
        if self.augmentation is not None and self.sequence is not None:
            raise ValueError("augmentation is for images")
        if self.augmentation is not None and not self._makes_images:
            raise ValueError("augmentation needs images: give shape [channels, height, width]")
        if self.sequence is not None and self.shape is not None:
            raise ValueError("give one of sequence and shape")
        return self

    @property
    def _makes_images(self) -> bool:
        return len(self.shape) == 3 if self.shape else self.format in ("idx", "imageFolder")

    @model_validator(mode="after")
    def _format_allows_it(self) -> "Data":
        if self.sequence is not None and self.format in _WITHOUT_COLUMNS:
            raise ValueError("sequence: a time series is csv, parquet or npz")
        if self.features is not None and self.format in _WITHOUT_COLUMNS:
            raise ValueError("features: they are columns of csv and parquet, or arrays of npz")
        if self.format == "synthetic" and any(held and held.path for held in (self.test, self.validation)):
            raise ValueError("format: synthetic data has no files: use validation.fraction and test.fraction")
        if sum(held.fraction or 0 for held in (self.test, self.validation) if held) > _MOST_HELD_BACK:
            raise ValueError("test.fraction: it and validation.fraction must leave a tenth of the rows to train on")
        if self.loading == "stream" and (self.sequence or self.format not in ("auto", "csv", "parquet")):
            raise ValueError("loading: csv and parquet can be streamed, without sequence")
        return self
