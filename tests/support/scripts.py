"""Programs of a user's own for tests, and the configuration of a pod that runs one."""

from pathlib import Path
from textwrap import dedent
from typing import Any

from trainingjob_api.progress import RunConfig


def write_script(folder: Path, text: str, name: str = "train.py") -> Path:
    """Without the indentation that it has in a test."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(dedent(text))
    return path


def script_config(folder: Path, script: Path, *args: str, attempt: int = 1, **changes: Any) -> RunConfig:
    return RunConfig.model_validate(
        {
            "namespace": "default",
            "name": "job",
            "uid": "uid-1",
            "attempt": attempt,
            "script": {"path": str(script), "args": list(args)},
            "checkpointPath": str(folder),
            "checkpointEvery": {"epochs": 1},
            **changes,
        }
    )


PAUSABLE = """
    import os
    import random
    import sys

    import numpy as np
    import torch
    import torch.distributed as dist
    from torch import nn
    from torch.nn.parallel import DistributedDataParallel
    from torch.optim.swa_utils import AveragedModel
    from torch.utils.data import DataLoader, Dataset, DistributedSampler

    from trainer.script import start


    class Noisy(Dataset):
        '''Rows that come out a little different every time, by three generators.'''

        def __init__(self):
            source = torch.Generator().manual_seed(5)
            self.x = torch.randn(61, 6, generator=source)
            self.y = self.x[:, :1] * self.x[:, 1:2]

        def __len__(self):
            return 61

        def __getitem__(self, row):
            return self.x[row] + random.random() / 9 + np.random.rand() / 9 + torch.rand(6) / 9, self.y[row]


    epochs, workers = int(sys.argv[1]), int(sys.argv[2])
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    torch.manual_seed(3)
    model = nn.Sequential(
        nn.Linear(6, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.3), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    data = Noisy()
    if size > 1:
        dist.init_process_group("gloo")
        model = DistributedDataParallel(model)
        loader = DataLoader(data, 8, sampler=DistributedSampler(data), num_workers=workers)
    else:
        loader = DataLoader(data, 8, shuffle=True, num_workers=workers)
    random.seed(rank), np.random.seed(rank), torch.manual_seed(rank)
    optimizer = torch.optim.AdamW(model.parameters(), 0.01)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 40)
    average = AveragedModel(model.module if size > 1 else model)
    sums = {}
    run = start(model=model, optimizer=optimizer, scheduler=scheduler, average=average, own={"sums": sums})
    for epoch in run.epochs(epochs):
        sums["loss"] = 0.0
        for x, y in run.batches(loader):
            loss = nn.functional.mse_loss(model(x), y)
            run.check(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update_parameters(model.module if size > 1 else model)
            sums["loss"] += loss.item()
            run.step(samples=len(x))
        scheduler.step()
        run.report(train_loss=sums["loss"], spread=random.random())
"""
"""All that makes a resume hard: noise from every generator, dropout, batch norm, DDP, an odd last batch, own sums."""
