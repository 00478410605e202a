"""A training as a PyTorch user writes it: python tests/bench/accuracy/plain.py RECIPE FOLDER SEED.

It knows nothing of the trainer. RECIPE is a manifest's spec.training as JSON. FOLDER holds train.csv, validation.csv
and test.csv. What it prints is how well the weights of the best epoch do on the test rows.
"""

import copy
import csv
import json
import math
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from torch.utils.data import DataLoader, Dataset, TensorDataset

UNDERSTOOD = {
    "": {"task", "epochs", "batchSize", "data", "model", "loss", "optimizer", "schedule", "earlyStopping", "seed"},
    "data": {"path", "target", "shape", "sequence", "validation", "test", "augmentation"},
    "model": {"type", "hiddenUnits", "channels", "dropout"},
    "optimizer": {"type", "learningRate", "weightDecay"},
    "schedule": {"type", "warmup"},
    "earlyStopping": {"metric", "patience"},
}


class Windows(Dataset[tuple[Tensor, Tensor]]):
    """A series, and as its target what comes `horizon` steps after a window's last."""

    def __init__(self, rows: Tensor, targets: Tensor, length: int, horizon: int) -> None:
        self.rows, self.targets, self.length, self.horizon = rows, targets, length, horizon

    def __len__(self) -> int:
        return len(self.rows) - self.length - self.horizon + 1

    def __getitem__(self, first: int) -> tuple[Tensor, Tensor]:
        last = first + self.length - 1
        return self.rows[first : last + 1], self.targets[last + self.horizon]


class Standardise(nn.Module):
    """Mean 0 and deviation 1 of each column of the training rows; of an image, over all its pixels."""

    def __init__(self, rows: Tensor, image: bool) -> None:
        super().__init__()
        deviation, mean = torch.std_mean(rows, dim=None if image else 0, correction=0)
        self.register_buffer("mean", mean)
        self.register_buffer("deviation", torch.where(deviation == 0, 1, deviation))

    def forward(self, rows: Tensor) -> Tensor:
        scaled: Tensor = (rows - self.mean) / self.deviation
        return scaled


class Recurrent(nn.Module):
    """What a GRU says after the last step, through a linear layer."""

    def __init__(self, inputs: int, units: int, dropout: float) -> None:
        super().__init__()
        self.gru = nn.GRU(inputs, units, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(units, 1)

    def forward(self, windows: Tensor) -> Tensor:
        outputs, _ = self.gru(windows)
        values: Tensor = self.linear(self.dropout(outputs[:, -1]))
        return values


def read(path: Path, target: str) -> tuple[Tensor, Tensor]:
    with path.open() as file:
        header, *lines = csv.reader(file)
    table = torch.tensor([[float(value) for value in line] for line in lines], dtype=torch.float64)
    return table, table[:, header.index(target)]


def load(folder: Path, data: dict[str, Any], part: str) -> tuple[Tensor, Tensor]:
    """A target is an input only of a series, whose past foretells its future. Everywhere here it is the last column."""
    table, targets = read(folder / f"{part}.csv", data["target"])
    rows = (table if "sequence" in data else table[:, :-1]).float()
    return (rows.view(-1, *data["shape"]) if "shape" in data else rows), targets


def fully_connected(inputs: int, hidden: list[int], outputs: int, dropout: float) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in pairwise([inputs, *hidden]):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(dropout)]
    return [*layers, nn.Linear(hidden[-1], outputs)]


def network(model: dict[str, Any], rows: Tensor, outputs: int) -> nn.Sequential:
    hidden, dropout = model["hiddenUnits"], model["dropout"]
    if model["type"] == "gru":
        return nn.Sequential(Standardise(rows, image=False), Recurrent(rows.shape[1], *hidden, dropout))
    if model["type"] == "mlp":
        return nn.Sequential(Standardise(rows, image=False), *fully_connected(rows.shape[1], hidden, outputs, dropout))
    channels, height, width = rows.shape[1:]
    layers: list[nn.Module] = [Standardise(rows, image=True)]
    for after in model["channels"]:
        layers += [nn.Conv2d(channels, after, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels, height, width = after, height // 2, width // 2
    return nn.Sequential(*layers, nn.Flatten(), *fully_connected(channels * height * width, hidden, outputs, dropout))


def augmented(images: Tensor, degrees: float, padding: int) -> Tensor:
    """Each turned by up to so many degrees and moved by up to so many whole pixels; what comes in from outside is 0."""
    angle = torch.empty(len(images)).uniform_(-math.radians(degrees), math.radians(degrees))
    turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()], dim=1).view(-1, 2, 2)
    pixels = torch.tensor([2 / images.shape[3], 2 / images.shape[2]])  # the grid's edges are -1 and 1
    move = torch.randint(-padding, padding + 1, (len(images), 2)) * pixels
    grid = F.affine_grid(torch.cat([turn, turn @ move[:, :, None]], dim=2), list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, align_corners=False)


def measure(
    model: nn.Module, loader: Any, loss_of: Callable[[Tensor, Tensor], Tensor], scale: float
) -> dict[str, float]:
    """Over all rows; a regression's numbers are in the target's own unit."""
    model.eval()
    with torch.no_grad():
        pairs = [(model(rows).double(), targets) for rows, targets in loader]
    outputs, targets = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    if targets.dtype == torch.int64:
        right = (outputs.argmax(dim=1) == targets).double().mean()
        return {"loss": loss_of(outputs, targets).item(), "accuracy": right.item()}
    errors = (outputs - targets) * scale
    squares = errors.square().mean().item()
    return {"loss": squares, "mae": errors.abs().mean().item(), "rmse": math.sqrt(squares)}


def main() -> None:
    recipe, folder = json.loads(sys.argv[1]), Path(sys.argv[2])
    for section, names in UNDERSTOOD.items():
        unknown = (recipe.get(section, {}) if section else recipe).keys() - names
        assert not unknown, f"{section} {unknown}: this script would train another recipe"
    torch.manual_seed(int(sys.argv[3]))
    data, epochs, is_classification = recipe["data"], recipe["epochs"], recipe["task"] == "classification"
    parts = {part: load(folder, data, part) for part in ("train", "validation", "test")}
    rows, targets = parts["train"]
    scale, shift = (x.item() for x in torch.std_mean(targets, correction=0))
    loss_of: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy if is_classification else F.mse_loss

    def loader(part: str) -> DataLoader[tuple[Tensor, Tensor]]:
        rows, targets = parts[part]
        goals = targets.long() if is_classification else ((targets - shift) / scale).float()[:, None]
        pairs: Any = TensorDataset(rows, goals)
        if "sequence" in data:
            pairs = Windows(rows, goals, **data["sequence"])
        return DataLoader(pairs, recipe["batchSize"], shuffle=part == "train")

    train, validation, test = loader("train"), loader("validation"), loader("test")
    model = network(recipe["model"], rows, 1 + int(targets.max()) if is_classification else 1)
    settings = recipe["optimizer"]
    optimizer = torch.optim.AdamW(model.parameters(), settings["learningRate"], weight_decay=settings["weightDecay"])
    warm, steps = recipe["schedule"]["warmup"]["epochs"] * len(train), epochs * len(train)
    rise = LinearLR(optimizer, start_factor=0.1, total_iters=warm)
    scheduler = SequentialLR(optimizer, [rise, CosineAnnealingLR(optimizer, steps - warm)], milestones=[warm])
    patience = recipe.get("earlyStopping", {}).get("patience", epochs)
    lowest, best_epoch, best = math.inf, 0, model.state_dict()
    for epoch in range(1, epochs + 1):
        model.train()
        for batch, goals in train:
            if "augmentation" in data:
                batch = augmented(batch, data["augmentation"]["rotateDegrees"], data["augmentation"]["cropPadding"])
            optimizer.zero_grad()
            loss_of(model(batch), goals).backward()
            optimizer.step()
            scheduler.step()
        loss = measure(model, validation, loss_of, scale)["loss"]
        if loss < lowest:
            lowest, best_epoch, best = loss, epoch, copy.deepcopy(model.state_dict())
        elif epoch - best_epoch >= patience:
            break
    model.load_state_dict(best)
    print(json.dumps({**measure(model, test, loss_of, scale), "epochs": epoch, "bestEpoch": best_epoch}))


main()
