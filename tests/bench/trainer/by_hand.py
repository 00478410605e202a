"""A training script as short as pauses allow: it saves after every epoch and on SIGTERM, and goes on from there.

python -m tests.bench.trainer.by_hand RECIPE STATE. It knows nothing of the trainer, but saves what that one does: the
weights of the best epoch as well.
"""

import json
import math
import os
import signal
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn


def network(inputs: int, hidden: list[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, 1))


def save(path: Path, state: dict[str, object]) -> None:
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        torch.save(state, file)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)


def main() -> None:
    recipe, path = json.loads(sys.argv[1]), Path(sys.argv[2])
    stops: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stops.append(number))
    arrays = np.load(recipe["data"]["path"])
    features = torch.from_numpy((arrays["x"] - arrays["x"].mean(0)) / arrays["x"].std(0))
    targets = torch.from_numpy(((arrays["y"] - arrays["y"].mean()) / arrays["y"].std()).astype(np.float32))[:, None]
    torch.manual_seed(recipe["seed"])
    model = network(features.shape[1], recipe["model"]["hiddenUnits"])
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe["optimizer"]["learningRate"], fused=True)
    first, best_loss, best = 0, math.inf, {}
    if path.exists():
        state = torch.load(path)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        torch.set_rng_state(state["rng"])
        first, best_loss, best = state["epoch"], state["best_loss"], state["best"]
    for epoch in range(first, recipe["epochs"]):
        total = torch.zeros(())
        order = torch.randperm(len(features))
        batches = order.split(recipe["batchSize"])
        for batch in batches:
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(model(features[batch]), targets[batch])
            loss.backward()
            optimizer.step()
            total += loss.detach()
            if stops:
                break
        mean = float(total) / len(batches)
        print(json.dumps({"epoch": epoch + 1, "trainLoss": mean}), flush=True)
        if mean < best_loss and not stops:
            best_loss, best = mean, {name: value.clone() for name, value in model.state_dict().items()}
        state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "best": best, "best_loss": best_loss}
        save(path, {**state, "rng": torch.get_rng_state(), "epoch": epoch + 1})
        if stops:
            break
    os._exit(0)


if __name__ == "__main__":
    main()
