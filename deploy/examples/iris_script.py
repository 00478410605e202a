"""A plain PyTorch program; the lines with `run` make it one that can be paused and goes on exactly."""

import csv
import gzip
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from trainer.script import start

FOLDER = Path(__file__).parent


def read(name: str, labels: list[str]) -> TensorDataset:
    with gzip.open(FOLDER / name, "rt") as file:
        rows = list(csv.reader(file))[1:]
    inputs = torch.tensor([[float(value) for value in row[:-1]] for row in rows])
    return TensorDataset(inputs, torch.tensor([labels.index(row[-1]) for row in rows]))


torch.manual_seed(1)
labels = ["setosa", "versicolor", "virginica"]
train, test = read("train.csv.gz", labels), read("test.csv.gz", labels)
loader = DataLoader(train, batch_size=16, shuffle=True)
model = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 3))
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 60)
sums = {"loss": 0.0}

run = start(model=model, optimizer=optimizer, scheduler=scheduler, sums=sums)
for _ in run.epochs(60):
    sums["loss"] = 0.0
    model.train()
    for inputs, targets in run.batches(loader):
        loss = nn.functional.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        sums["loss"] += loss.item() * len(inputs)
        run.step(samples=len(inputs))
    scheduler.step()
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(dim=1) == y).sum().item() for x, y in run.evaluate(DataLoader(test, 64)))
    run.report(train_loss=sums["loss"] / len(train), validation_accuracy=right / len(test))
