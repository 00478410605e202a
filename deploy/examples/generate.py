"""Writes the examples: real data sets as ConfigMaps, each with its TrainingJob.

Most are scikit-learn's copies; elnino.csv is the public-domain series Nino 1+2 (ERSST.V3B) of NOAA's National Weather
Service: the monthly sea surface temperature, in degrees Celsius, of the Pacific between 0-10 degrees south and 90-80
degrees west, 1950 to 2010.

`make examples` runs it; a test fails when a committed example differs.
"""

import base64
import csv
import gzip
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from textwrap import indent

import numpy as np
from sklearn import datasets
from sklearn.model_selection import train_test_split

FOLDER = Path(__file__).parent
SPLIT_SEED = 0


def table(features: np.ndarray, target: Sequence[object], names: Sequence[str], target_name: str) -> str:
    """The rows as csv with a header line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*names, target_name])
    writer.writerows([*(f"{value:g}" for value in row), y] for row, y in zip(features, target, strict=True))
    return out.getvalue()


def digits() -> tuple[str, str]:
    data = datasets.load_digits()
    names = [f"pixel_{i}" for i in range(64)]
    return split(data.data, list(data.target), names, "digit", stratify=True)


def labelled(loader: str) -> tuple[str, str]:
    """A classification set whose labels are words, as people have them."""
    data = getattr(datasets, f"load_{loader}")()
    names = [name.replace(" (cm)", "").replace(" ", "_").replace("/", "_") for name in data.feature_names]
    labels = [str(data.target_names[y]) for y in data.target]
    return split(data.data, labels, names, "label", stratify=True)


def diabetes() -> tuple[str, str]:
    data = datasets.load_diabetes(scaled=False)
    return split(data.data, list(data.target), data.feature_names, "progression", stratify=False)


def el_nino() -> tuple[str, str]:
    """Month (1 to 12) and temperature, one row a month; the last ten years to test on."""
    with (FOLDER / "elnino.csv").open() as file:
        years = list(csv.reader(file))[1:]
    months = [f"{month},{float(value):g}" for _, *year in years for month, value in enumerate(year, start=1)]
    train, test = (["month,temperature", *part] for part in (months[:-120], months[-120:]))
    return "\n".join(train) + "\n", "\n".join(test) + "\n"


def split(x: np.ndarray, y: list[object], names: Sequence[str], target: str, stratify: bool) -> tuple[str, str]:
    """Four fifths to train on, one fifth to test on, as csv."""
    order = np.arange(len(x))
    train, test = train_test_split(order, test_size=0.2, random_state=SPLIT_SEED, stratify=y if stratify else None)
    rows = lambda chosen: table(x[chosen], [y[i] for i in chosen], names, target)  # noqa: E731
    return rows(np.sort(train)), rows(np.sort(test))


def config_map(name: str, train: str, test: str, code: str) -> str:
    """A ConfigMap with both files, gzipped: `kubectl apply` keeps a copy in an annotation of at most 256 KiB."""

    def packed(text: str) -> str:
        return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()

    return (
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\nbinaryData:\n"
        f"  train.csv.gz: {packed(train)}\n  test.csv.gz: {packed(test)}\n"
    ) + (f"data:\n  network.py: |\n{indent(code, '    ')}" if code else "")


def job(name: str, data: str, nodes: int, processes: int, what: str, with_code: bool) -> str:
    """The TrainingJob; only what differs between the examples is a parameter."""
    path = "    env:\n      - {name: PYTHONPATH, value: /data}\n" if with_code else ""
    access = "ReadWriteMany" if nodes > 1 else "ReadWriteOnce"
    return f"""\
apiVersion: trainingjob.dev/v1alpha1
kind: TrainingJob
metadata:
  name: {name}
spec:
  nodes: {nodes}
  processesPerNode: {processes}
{what}
  checkpoint:
    every: {{epochs: 1}}
    volume:
      claimTemplate: {{size: 1Gi, accessModes: [{access}]}}
  pod:
    resources:
      requests: {{cpu: 250m, memory: 512Mi}}
      limits: {{memory: 2Gi}}
{path}    volumes:
      - name: data
        configMap: {{name: {data}}}
    volumeMounts:
      - {{name: data, mountPath: /data, readOnly: true}}
"""


def mlp(hidden: str) -> str:
    return f"{{type: mlp, hiddenUnits: {hidden}, dropout: 0.2}}"


def classification(target: str, epochs: int, model: str, rate: float = 0.003, extra: str = "") -> str:
    return f"""\
    task: classification
    epochs: {epochs}
    batchSize: 32
    data:
      path: /data/train.csv.gz
      target: {target}
      validation: {{fraction: 0.2}}
      test: {{path: /data/test.csv.gz}}
    model: {model}
    optimizer: {{type: adamw, learningRate: {rate}, weightDecay: 0.01}}
    schedule:
      type: cosine
      warmup: {{epochs: 5}}{extra}"""


REGRESSION = """\
    task: regression
    epochs: 200
    batchSize: 32
    data:
      path: /data/train.csv.gz
      target: progression
      validation: {fraction: 0.2}
      test: {path: /data/test.csv.gz}
    model: {type: mlp, hiddenUnits: [64, 32], dropout: 0.1}
    loss: {type: mse}
    optimizer: {type: adamw, learningRate: 0.001, weightDecay: 0.1}
    schedule: {type: cosine, warmup: {epochs: 10}}
    earlyStopping: {metric: validationLoss, patience: 40}"""

NETWORK = '''\
"""A network with a shortcut around its hidden layers."""

from torch import nn


class Shortcut(nn.Module):
    def __init__(self, features, hidden, outputs, dropout):
        super().__init__()
        self.deep = nn.Sequential(
            nn.Linear(features, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, outputs),
        )
        self.direct = nn.Linear(features, outputs)

    def forward(self, rows):
        return self.deep(rows) + self.direct(rows)


def build(spec, shapes):
    return Shortcut(shapes.features, spec.hidden_units[0], shapes.outputs, spec.dropout)
'''
CUSTOM = "{type: custom, entrypoint: network:build, hiddenUnits: [32], dropout: 0.1}"

IMAGES = """\
    task: classification
    epochs: 40
    batchSize: 64
    data:
      path: /data/train.csv.gz
      target: digit
      shape: [1, 8, 8]
      validation: {fraction: 0.2}
      test: {path: /data/test.csv.gz}
      augmentation: {rotateDegrees: 10, cropPadding: 1}
    model: {type: cnn, channels: [16, 32], hiddenUnits: [64], dropout: 0.2}
    optimizer: {type: adamw, learningRate: 0.003, weightDecay: 0.01}
    schedule: {type: cosine, warmup: {epochs: 2}}"""

SERIES = """\
    task: regression
    epochs: 100
    batchSize: 32
    data:
      path: /data/train.csv.gz
      target: temperature
      sequence: {length: 24, horizon: 1}
      validation: {fraction: 0.2}
      test: {path: /data/test.csv.gz}
    model: {type: gru, hiddenUnits: [16], dropout: 0.2}
    optimizer: {type: adamw, learningRate: 0.005, weightDecay: 0.01}
    schedule: {type: cosine, warmup: {epochs: 5}}
    earlyStopping: {metric: validationLoss, patience: 20}"""

EARLY = "\n    earlyStopping: {metric: validationLoss, patience: 30}"


def examples() -> dict[str, str]:
    """File name -> content."""
    iris, wine, cancer = labelled("iris"), labelled("wine"), labelled("breast_cancer")
    made = [
        ("digits", "Handwritten digits (UCI, 1,797 images of 8 x 8): two pods, data-parallel.",
         digits(), 2, 1, classification("digit", 100, mlp("[64, 32]"))),
        ("iris", "Iris flowers: one pod, one process.",
         iris, 1, 1, classification("label", 100, mlp("[32]"), 0.02, EARLY)),
        ("wine", "Wines: one pod, two processes.",
         wine, 1, 2, classification("label", 60, mlp("[32]"))),
        ("breast-cancer", "Breast cancer (Wisconsin): two pods of two processes.",
         cancer, 2, 2, classification("label", 40, mlp("[32, 16]"))),
        ("iris-three-pods", "Iris flowers: three pods.",
         iris, 3, 1, classification("label", 40, mlp("[32]"), 0.02)),
        ("iris-custom-network", "Iris flowers, with a network of one's own: its code lies beside the data.",
         iris, 1, 1, classification("label", 60, CUSTOM, 0.02)),
        ("diabetes", "Diabetes progression after a year: a regression with early stopping.",
         diabetes(), 1, 1, REGRESSION),
        ("digits-cnn", "Handwritten digits as images: a convolutional network, every image turned and moved a little.",
         digits(), 1, 1, IMAGES),
        ("el-nino", "Sea surface temperatures: next month's from the last two years, by a recurrent network.",
         el_nino(), 1, 1, SERIES),
    ]  # fmt: skip
    recipes = {
        f"{name}.yaml": f"# {comment}\n# Generated by generate.py, which says where the data comes from.\n"
        + config_map(f"{name}-data", *data, code=NETWORK if "entrypoint" in training else "")
        + "---\n"
        + job(name, f"{name}-data", nodes, processes, f"  training:\n{training}", with_code="entrypoint" in training)
        for name, comment, data, nodes, processes, training in made
    }
    return {**recipes, "iris-script.yaml": program("iris-script", *iris)}


def program(name: str, train: str, test: str) -> str:
    """The job of a program of one's own, which lies beside its data."""
    code = indent((FOLDER / "iris_script.py").read_text(), "    ", lambda line: bool(line.strip()))
    return (
        "# Iris flowers, by a PyTorch program of one's own: iris_script.py.\n"
        "# Generated by generate.py, which says where the data comes from.\n"
        + config_map(f"{name}-data", train, test, code="")
        + f"data:\n  train.py: |\n{code}---\n"
        + job(name, f"{name}-data", 1, 1, "  script: {path: /data/train.py}", with_code=False)
    )


def main() -> int:
    for name, content in examples().items():
        (FOLDER / name).write_text(content)
        print(f"{name}: {len(content.encode()) / 1000:.0f} kB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
