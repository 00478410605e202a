"""Recipes that the API server and the models must both refuse, or both accept: one table for the two."""

from typing import Any

from support.manifests import ABSENT

T = "spec.training"
WINDOWS = {"spec.training.data.sequence": {"length": 5}}
NO_LENGTH = {f"{T}.epochs": ABSENT, f"{T}.batchSize": ABSENT}
STAGES = {**NO_LENGTH, f"{T}.stages": [{"epochs": 2, "batchSize": 8}]}
CYCLIC = {"type": "cyclic", "minimum": 0.001, "maximum": 0.1, "stepsUp": 10}
REGRESSION = {f"{T}.task": "regression"}
CNN, LSTM = {"type": "cnn"}, {"type": "lstm"}


def _schedule(**fields: Any) -> dict[str, Any]:
    return {f"{T}.schedule": fields}


def _optimizer(**fields: Any) -> dict[str, Any]:
    return {f"{T}.optimizer": fields}


def _loss(type_: str, **fields: Any) -> dict[str, Any]:
    regression = REGRESSION if type_ in ("mse", "mae", "huber") else {}
    return {**regression, f"{T}.loss": {"type": type_, **fields}}


def _model(type_: str, **fields: Any) -> dict[str, Any]:
    shapes = {"cnn": [1, 4, 4], "lstm": [4, 4], "gru": [4, 4]}
    shape = {f"{T}.data.shape": shapes[type_]} if type_ in shapes else {}
    return {**shape, f"{T}.model": {"type": type_, **fields}}


_FOREIGN: list[tuple[str, dict[str, Any]]] = [
    *[(f"loss.{field}", _loss(type_, **{field: 0.5})) for type_, field in [
        ("focal", "labelSmoothing"), ("crossEntropy", "margin"), ("multiMargin", "gamma"), ("crossEntropy", "gamma"),
        ("multiMargin", "alpha"), ("mse", "delta"), ("mae", "delta"),
    ]],
    ("loss.alphas", _loss("crossEntropy", alphas=[0.5, 1])),
    *[(f"optimizer.{field}", _optimizer(type=type_, **{field: value})) for type_, field, value in [
        ("adam", "momentum", 0.5), ("adamw", "momentum", 0.5), ("adagrad", "momentum", 0.5),
        ("adam", "nesterov", False),
    ]],
    ("optimizer.momentum", _optimizer(momentum=0.5)),
    *[(f"schedule.{field}", _schedule(type=type_, **fields)) for type_, field, fields in [
        ("linear", "minimum", {"minimum": 0.001}), ("cosine", "maximum", {"maximum": 0.1}),
        ("exponential", "stepSize", {"stepSize": 3}), ("cosine", "gamma", {"gamma": 0.5}),
        ("linear", "tMax", {"tMax": 5}), ("cosine", "endFactor", {"endFactor": 0.1}),
        ("cosine", "totalEpochs", {"totalEpochs": 5}), ("constant", "factor", {"factor": 0.5}),
        ("step", "patience", {"stepSize": 3, "patience": 3}), ("oneCycle", "stepsUp", {"stepsUp": 3}),
        ("oneCycle", "mode", {"mode": "triangular"}), ("cosine", "riseFraction", {"riseFraction": 0.5}),
        ("cosine", "startDivisor", {"startDivisor": 5}), ("plateau", "endDivisor", {"endDivisor": 5}),
        ("cosine", "cycleMomentum", {"cycleMomentum": True}), ("step", "minimumMomentum",
        {"stepSize": 3, "minimumMomentum": 0.5}), ("linear", "maximumMomentum", {"maximumMomentum": 0.9}),
    ]],
    *[(f"model.{field}", _model(type_, **{field: value})) for type_, field, value in [
        ("lstm", "batchNorm", True), ("mlp", "channels", [4]), ("mlp", "kernelSizes", [3]), ("gru", "pooling", "max"),
        ("cnn", "bidirectional", True), ("mlp", "readout", "last"), ("mlp", "entrypoint", "a.b:c"),
    ]],
]  # fmt: skip

BAD_RECIPES: list[tuple[str, dict[str, Any], str]] = [
    ("no task", {"spec.training.task": ABSENT}, "spec.training.task"),
    ("a task that nobody knows", {"spec.training.task": "clustering"}, "spec.training.task"),
    ("no epochs at all", {"spec.training.epochs": 0}, "spec.training.epochs"),
    ("epochs as text", {"spec.training.epochs": "ten"}, "spec.training.epochs"),
    ("half an epoch", {"spec.training.epochs": 0.5}, "spec.training.epochs"),
    ("an empty batch", {"spec.training.batchSize": 0}, "spec.training.batchSize"),
    ("no data", {"spec.training.data": ABSENT}, "spec.training.data"),
    ("no target", {"spec.training.data.target": ABSENT}, "spec.training.data.target"),
    ("an empty list of features", {"spec.training.data.features": []}, "spec.training.data.features"),
    *[
        (f"csv with {csv}", {f"{T}.data.csv": csv}, f"{T}.data.csv")
        for csv in [{"decimal": ","}, {"delimiter": ";;"}, {"delimiter": '"'}, {"decimal": ";"}, {"nullWords": [""]}]
    ],
    *[
        (
            f"{field} of rows that are drawn",
            {f"{T}.data.test": {"fraction": 0.1, field: value}},
            f"{T}.data.test.{field}",
        )
        for field, value in (("features", ["x_test"]), ("target", "y_test"))
    ],
    ("csv of another format", {f"{T}.data.csv": {}, f"{T}.data.format": "parquet"}, f"{T}.data.csv"),
    ("validation that is empty", {"spec.training.data.validation": {}}, "spec.training.data.validation"),
    (
        "validation given twice",
        {"spec.training.data.validation": {"fraction": 0.1, "path": "/data/v.csv"}},
        "spec.training.data.validation",
    ),
    (
        "validation that takes nothing",
        {"spec.training.data.validation": {"fraction": 0}},
        "spec.training.data.validation.fraction",
    ),
    (
        "validation that takes everything",
        {"spec.training.data.validation": {"fraction": 1.0}},
        "spec.training.data.validation.fraction",
    ),
    ("no path", {"spec.training.data.path": ABSENT}, "spec.training.data.path"),
    (
        "test by fraction and by path",
        {"spec.training.data.test": {"fraction": 0.1, "path": "/data/t.csv"}},
        "spec.training.data.test",
    ),
    (
        "fractions that leave nothing to train on",
        {"spec.training.data.validation": {"fraction": 0.5}, "spec.training.data.test": {"fraction": 0.45}},
        "spec.training.data.test.fraction",
    ),
    ("a path for data that is drawn", {"spec.training.data.format": "synthetic"}, "spec.training.data.path"),
    (
        "a test of data that is drawn",
        {"spec.training.data": {"format": "synthetic", "test": {"path": "/data/t.csv"}}},
        "spec.training.data.format",
    ),
    ("a format that nobody knows", {"spec.training.data.format": "hdf5"}, "spec.training.data.format"),
    (
        "what to draw, for a file",
        {"spec.training.data.synthetic": {"samples": 10}},
        "spec.training.data.synthetic",
    ),
    (
        "columns of images",
        {"spec.training.data": {"path": "/data", "format": "idx", "features": ["a"]}},
        "spec.training.data.features",
    ),
    ("a shape of one number", {"spec.training.data.shape": [4]}, "spec.training.data.shape"),
    (
        "a shape for windows",
        {"spec.training.data.shape": [2, 2], "spec.training.data.sequence": {"length": 2}},
        "spec.training.data.sequence",
    ),
    ("windows of nothing", {"spec.training.data.sequence": {"length": 0}}, "spec.training.data.sequence.length"),
    (
        "windows over images",
        {"spec.training.data": {"path": "/data", "format": "imageFolder", "sequence": {"length": 2}}},
        "spec.training.data.sequence",
    ),
    (
        "a series that is streamed",
        {"spec.training.data.sequence": {"length": 2}, "spec.training.data.loading": "stream"},
        "spec.training.data.loading",
    ),
    (
        "images that are streamed",
        {"spec.training.data": {"path": "/data", "format": "idx", "loading": "stream"}},
        "spec.training.data.loading",
    ),
    (
        "augmentation of what is no image",
        {"spec.training.data.augmentation": {"horizontalFlip": True}, "spec.training.data.shape": [2, 2]},
        "spec.training.data.augmentation",
    ),
    ("a model that nobody knows", {"spec.training.model.type": "transformer"}, "spec.training.model.type"),
    ("a layer without units", {"spec.training.model.hiddenUnits": [64, 0]}, "spec.training.model.hiddenUnits[1]"),
    ("dropout of everything", {"spec.training.model.dropout": 1.0}, "spec.training.model.dropout"),
    (
        "batch norm in an lstm",
        {"spec.training.model": {"type": "lstm", "batchNorm": True}, **WINDOWS},
        "spec.training.model.batchNorm",
    ),
    (
        "an activation in a gru",
        {"spec.training.model": {"type": "gru", "activation": "tanh"}, **WINDOWS},
        "spec.training.model.activation",
    ),
    ("channels in an mlp", {"spec.training.model.channels": [8]}, "spec.training.model.channels"),
    (
        "two kernel sizes for three convolutions",
        {
            "spec.training.data.shape": [1, 8, 8],
            "spec.training.model": {"type": "cnn", "channels": [4, 4, 4], "kernelSizes": [3, 3]},
        },
        "spec.training.model.kernelSizes",
    ),
    ("a cnn over columns", {"spec.training.model": {"type": "cnn"}}, "spec.training.model.type"),
    ("an lstm over columns", {"spec.training.model": {"type": "lstm"}}, "spec.training.model.type"),
    (
        "an lstm over images",
        {"spec.training.model": {"type": "lstm"}, "spec.training.data.shape": [1, 8, 8]},
        "spec.training.model.type",
    ),
    ("a custom network from nowhere", {"spec.training.model": {"type": "custom"}}, "spec.training.model.entrypoint"),
    (
        "an entrypoint without a function",
        {"spec.training.model": {"type": "custom", "entrypoint": "my.module"}},
        "spec.training.model.entrypoint",
    ),
    (
        "an export to a format that nobody knows",
        {"spec.training.export": {"formats": ["tflite"]}},
        "spec.training.export.formats[0]",
    ),
    ("an export to a bucket", {"spec.training.export": {"path": "s3://b/model"}}, "spec.training.export.path"),
    ("a loss for another task", {"spec.training.loss": {"type": "mse"}}, "spec.training.loss.type"),
    ("an optimizer that nobody knows", {"spec.training.optimizer.type": "lion"}, "spec.training.optimizer.type"),
    ("no learning rate", {"spec.training.optimizer.learningRate": 0}, "spec.training.optimizer.learningRate"),
    (
        "a minimum for a constant rate",
        {"spec.training.schedule": {"type": "constant", "minimum": 0.001}},
        "spec.training.schedule.minimum",
    ),
    (
        "a minimum above the rate",
        {"spec.training.schedule": {"type": "cosine", "minimum": 0.1}},
        "spec.training.schedule.minimum",
    ),
    (
        "a warm-up as long as the training",
        {"spec.training.schedule": {"type": "cosine", "warmup": {"epochs": 10}}},
        "spec.training.schedule.warmup.epochs",
    ),
    (
        "early stopping on rows that are not held back",
        {"spec.training.data.validation": ABSENT, "spec.training.earlyStopping": {}},
        "spec.training.earlyStopping",
    ),
    (
        "early stopping of a regression by accuracy",
        {"spec.training.task": "regression", "spec.training.earlyStopping": {"metric": "validationAccuracy"}},
        "spec.training.earlyStopping.metric",
    ),
    *[
        (f"{path} of another type ({number})", changes, f"{T}.{path}")
        for number, (path, changes) in enumerate(_FOREIGN)
    ],
    ("a label smoothing of everything", _loss("crossEntropy", labelSmoothing=1.0), f"{T}.loss.labelSmoothing"),
    ("a huber without a square", _loss("huber", delta=0), f"{T}.loss.delta"),
    ("a loss of regression for classes", {f"{T}.loss": {"type": "huber"}}, f"{T}.loss.type"),
    ("a loss of classes for numbers", {**REGRESSION, f"{T}.loss": {"type": "focal"}}, f"{T}.loss.type"),
    ("nesterov without momentum", _optimizer(type="sgd", nesterov=True), f"{T}.optimizer.nesterov"),
    ("nesterov with a momentum of 0", _optimizer(type="sgd", nesterov=True, momentum=0), f"{T}.optimizer.nesterov"),
    ("a momentum of 1", _optimizer(type="sgd", momentum=1.0), f"{T}.optimizer.momentum"),
    ("a decay below 0", _optimizer(weightDecay=-0.1), f"{T}.optimizer.weightDecay"),
    ("steps of no size", _schedule(type="step"), f"{T}.schedule.stepSize"),
    ("a cycle of no length", _schedule(type="cyclic", minimum=0.001, maximum=0.1), f"{T}.schedule"),
    ("a cycle without a top", _schedule(type="cyclic", minimum=0.001, stepsUp=3), f"{T}.schedule"),
    ("a cycle without a bottom", _schedule(type="cyclic", maximum=0.1, stepsUp=3), f"{T}.schedule"),
    ("a cycle upside down", _schedule(**{**CYCLIC, "minimum": 0.2}), f"{T}.schedule.minimum"),
    ("a plateau that does not reduce", _schedule(type="plateau", factor=1.0), f"{T}.schedule.factor"),
    ("a plateau below 0 patience", _schedule(type="plateau", patience=-1), f"{T}.schedule.patience"),
    ("a plateau with a minimum above the rate", _schedule(type="plateau", minimum=0.1), f"{T}.schedule.minimum"),
    (
        "a momentum that cycles between nothing",
        _schedule(type="oneCycle", minimumMomentum=0.99),
        f"{T}.schedule.minimumMomentum",
    ),
    (
        "bounds of a momentum that does not cycle",
        _schedule(type="oneCycle", cycleMomentum=False, minimumMomentum=0.5),
        f"{T}.schedule.cycleMomentum",
    ),
    ("two kinds of weights", _loss("focal", alpha=0.25, alphas=[0.5, 0.5]), f"{T}.loss.alphas"),
    ("one cycle that only rises", _schedule(type="oneCycle", riseFraction=1.0), f"{T}.schedule.riseFraction"),
    ("a schedule that nobody knows", _schedule(type="polynomial"), f"{T}.schedule.type"),
    ("a warm-up of nothing", _schedule(type="constant", warmup={"epochs": 0}), f"{T}.schedule.warmup.epochs"),
    ("a warm-up by another word", _schedule(type="constant", warmup={"epochs": "some"}), f"{T}.schedule.warmup.epochs"),
    ("a warm-up without a length", _schedule(type="constant", warmup={}), f"{T}.schedule.warmup.epochs"),
    (
        "a warm-up that begins with 0",
        _schedule(type="constant", warmup={"epochs": 1, "startFactor": 0}),
        f"{T}.schedule.warmup.startFactor",
    ),
    (
        "a warm-up as long as all stages",
        {**STAGES, **_schedule(type="constant", warmup={"epochs": 2})},
        f"{T}.schedule.warmup.epochs",
    ),
    (
        "a warm-up as long as the default",
        {f"{T}.epochs": ABSENT, **_schedule(type="constant", warmup={"epochs": 100})},
        f"{T}.schedule.warmup.epochs",
    ),
    ("epochs and stages", {**STAGES, f"{T}.epochs": 3}, f"{T}.epochs"),
    ("epochs and a budget", {f"{T}.budget": {"steps": 3}}, f"{T}.epochs"),
    ("stages and a budget", {**STAGES, f"{T}.budget": {"steps": 3}}, f"{T}.epochs"),
    ("stages and a batch size", {**STAGES, f"{T}.batchSize": 8}, f"{T}.batchSize"),
    ("no stages", {**NO_LENGTH, f"{T}.stages": []}, f"{T}.stages"),
    ("a stage without epochs", {**STAGES, f"{T}.stages": [{"batchSize": 8}]}, f"{T}.stages[0].epochs"),
    ("a stage of no batch", {**STAGES, f"{T}.stages": [{"epochs": 1, "batchSize": 0}]}, f"{T}.stages[0].batchSize"),
    (
        "a stage that stands still",
        {**STAGES, f"{T}.stages": [{"epochs": 1, "batchSize": 8, "learningRateFactor": 0}]},
        f"{T}.stages[0].learningRateFactor",
    ),
    ("a budget of nothing", {**NO_LENGTH, f"{T}.budget": {}}, f"{T}.budget"),
    ("a budget of both", {**NO_LENGTH, f"{T}.budget": {"steps": 1, "samples": 1}}, f"{T}.budget"),
    ("a budget of no steps", {**NO_LENGTH, f"{T}.budget": {"steps": 0}}, f"{T}.budget.steps"),
    ("a batch by another word", {f"{T}.batchSize": "most"}, f"{T}.batchSize"),
    ("a batch below 0", {f"{T}.batchSize": -1}, f"{T}.batchSize"),
    ("a batch beyond measure", {f"{T}.batchSize": 1_000_001}, f"{T}.batchSize"),
    ("a penalty below 0", {f"{T}.regularization": {"l1": -1}}, f"{T}.regularization.l1"),
    ("a gradient of no length", {f"{T}.gradient": {"clipNorm": 0}}, f"{T}.gradient.clipNorm"),
    ("no batches to a step", {f"{T}.gradient": {"accumulate": 0}}, f"{T}.gradient.accumulate"),
    ("a precision that nobody knows", {f"{T}.precision": "int8"}, f"{T}.precision"),
    ("lstm without sequences", {f"{T}.model": LSTM}, f"{T}.model.type"),
    ("lstm over images", {f"{T}.model": LSTM, f"{T}.data.shape": [1, 2, 3]}, f"{T}.model.type"),
    ("gru without sequences", {f"{T}.model": {"type": "gru"}}, f"{T}.model.type"),
    ("cnn without images", {f"{T}.model": CNN}, f"{T}.model.type"),
    ("cnn over sequences", {f"{T}.model": CNN, f"{T}.data.shape": [2, 3]}, f"{T}.model.type"),
    ("a shape of one number", {f"{T}.data.shape": [16]}, f"{T}.data.shape"),
    ("kernels for other channels", _model("cnn", channels=[4, 4, 4], kernelSizes=[3, 3]), f"{T}.model.kernelSizes"),
    ("kernels for other default channels", _model("cnn", kernelSizes=[3, 3, 3]), f"{T}.model.kernelSizes"),
    ("a network of one's own without a name", {f"{T}.model": {"type": "custom"}}, f"{T}.model.entrypoint"),
    (
        "a network of one's own with a path for a name",
        {f"{T}.model": {"type": "custom", "entrypoint": "/net.py"}},
        f"{T}.model.entrypoint",
    ),
    ("augmentation without images", {f"{T}.data.augmentation": {}}, f"{T}.data.augmentation"),
    (
        "augmentation of a time series",
        {f"{T}.model": LSTM, f"{T}.data.sequence": {"length": 3}, f"{T}.data.augmentation": {}},
        f"{T}.data.augmentation",
    ),
    (
        "a sequence with a shape",
        {f"{T}.model": LSTM, f"{T}.data.sequence": {"length": 3}, f"{T}.data.shape": [2, 3]},
        f"{T}.data.sequence",
    ),
    ("a window of nothing", {f"{T}.model": LSTM, f"{T}.data.sequence": {"length": 0}}, f"{T}.data.sequence.length"),
    ("synthetic data with a path", {f"{T}.data.format": "synthetic"}, f"{T}.data.path"),
    ("data from nowhere", {f"{T}.data.path": ABSENT}, f"{T}.data.path"),
    ("synthetic numbers for a file", {f"{T}.data.synthetic": {}}, f"{T}.data.synthetic"),
    (
        "early stopping of classes by an error in units",
        {f"{T}.earlyStopping": {"metric": "validationMae"}},
        f"{T}.earlyStopping.metric",
    ),
    ("a mode that nobody knows", {f"{T}.earlyStopping": {"mode": "best"}}, f"{T}.earlyStopping.mode"),
    ("a selection of nothing", {f"{T}.selection": {}}, f"{T}.selection"),
    (
        "the best and the last epoch",
        {f"{T}.selection": {"metric": "validationLoss", "epoch": "last"}},
        f"{T}.selection",
    ),
    ("a mode of the last epoch", {f"{T}.selection": {"epoch": "last", "mode": "min"}}, f"{T}.selection.mode"),
    ("an epoch that nobody knows", {f"{T}.selection": {"epoch": "first"}}, f"{T}.selection.epoch"),
    (
        "a selection by rows that are not held back",
        {f"{T}.data.validation": ABSENT, f"{T}.selection": {"metric": "validationLoss"}},
        f"{T}.selection.metric",
    ),
    (
        "a selection of classes by an error in units",
        {f"{T}.selection": {"metric": "validationR2"}},
        f"{T}.selection.metric",
    ),
    (
        "a selection, and early stopping that says otherwise",
        {f"{T}.selection": {"metric": "trainLoss"}, f"{T}.earlyStopping": {"restoreBest": False}},
        f"{T}.earlyStopping.restoreBest",
    ),
    ("no patience", {f"{T}.earlyStopping": {"patience": 0}}, f"{T}.earlyStopping.patience"),
    ("an export that nobody knows", {f"{T}.export": {"formats": ["pickle"]}}, f"{T}.export.formats[0]"),
]

GOOD_RECIPES: list[tuple[str, dict[str, Any]]] = [
    *[
        (f"csv with {csv}", {f"{T}.data.csv": csv, f"{T}.data.features": ["*", "!date"]})
        for csv in [{"decimal": ",", "delimiter": ";"}, {"delimiter": "\t", "nullWords": ["-"]}, {"header": False}]
    ],
    ("arrays for the test", {f"{T}.data.test": {"path": "/data/x.npz", "features": ["x_test"], "target": "y_test"}}),
    ("stages", STAGES),
    ("a budget of steps", {**NO_LENGTH, f"{T}.budget": {"steps": 1000}}),
    ("a budget with a batch size", {f"{T}.epochs": ABSENT, f"{T}.budget": {"samples": 1000}}),
    ("all rows at once", {f"{T}.batchSize": "all"}),
    ("a warm-up by share", _schedule(type="cosine", warmup={"epochs": "auto"})),
    (
        "a warm-up before a budget",
        {**NO_LENGTH, f"{T}.budget": {"steps": 9}, **_schedule(type="constant", warmup={"epochs": 200})},
    ),
    ("a cycle above the rate", _schedule(**{**CYCLIC, "minimum": 0.05})),
    ("one cycle", _schedule(type="oneCycle", maximum=0.5, riseFraction=0.2, startDivisor=10, endDivisor=100)),
    ("a plateau", _schedule(type="plateau", factor=0.1, patience=0, minimum=0.0001)),
    ("steps", _schedule(type="step", stepSize=3, gamma=0.5)),
    ("a line", _schedule(type="linear", endFactor=0.1, totalEpochs=5)),
    ("nesterov", _optimizer(type="sgd", momentum=0.9, nesterov=True)),
    ("no nesterov", _optimizer(type="sgd", nesterov=False)),
    ("rmsprop with momentum", _optimizer(type="rmsprop", momentum=0.9, weightDecay=0.1)),
    ("penalties, clipping, accumulation", {
        f"{T}.regularization": {"l1": 0.1, "l2": 1}, f"{T}.gradient": {"clipNorm": 1, "accumulate": 4},
    }),
    ("a focal loss", _loss("focal", gamma=0, alpha=0.25)),
    ("a focal loss with weights", _loss("focal", alphas=[0.5, 0, 2.5])),
    ("momenta that go to and fro", _schedule(**CYCLIC, minimumMomentum=0.5, maximumMomentum=0.5)),
    ("a huber loss", _loss("huber", delta=0.5)),
    ("cnn", _model("cnn", channels=[4, 8, 8], kernelSizes=[5], pooling="none", batchNorm=True)),
    ("kernels of each channel", _model("cnn", channels=[4, 8, 8], kernelSizes=[5, 3, 3])),
    ("cnn over an image folder", {f"{T}.model": CNN, f"{T}.data.format": "imageFolder", f"{T}.data.target": ABSENT}),
    ("lstm over a time series", {f"{T}.model": LSTM, f"{T}.data.sequence": {"length": 8, "horizon": 0}}),
    ("gru", _model("gru", bidirectional=True, readout="mean")),
    ("a network of one's own", {f"{T}.model": {"type": "custom", "entrypoint": "nets.mine:build"}}),
    ("augmentation", {f"{T}.data.shape": [1, 4, 4], f"{T}.data.augmentation": {"horizontalFlip": True}}),
    ("synthetic data", {
        f"{T}.data": {"format": "synthetic", "synthetic": {"samples": 50}}, f"{T}.model": {"type": "mlp"},
    }),
    ("a selection by another metric than early stopping's", {
        f"{T}.earlyStopping": {"metric": "validationLoss"}, f"{T}.selection": {"metric": "validationRocAuc"},
    }),
    ("the last epoch", {f"{T}.selection": {"epoch": "last"}, f"{T}.data.validation": ABSENT}),
    ("early stopping the other way", {f"{T}.earlyStopping": {"metric": "validationLoss", "mode": "max"}}),
]  # fmt: skip
