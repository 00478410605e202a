"""Handwritten digits, by a small convolutional network and Lightning's Trainer. One callback makes it pausable.

The trainer's image brings neither lightning nor scikit-learn. Build one on it, and name it in spec.pod.image:

    FROM ghcr.io/trainingjob/trainer:0.2.0
    USER root
    RUN pip install --no-cache-dir lightning scikit-learn
    USER 65532:65532
"""

import os

import torch
from lightning.pytorch import LightningModule, Trainer, seed_everything
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.utils.data import DataLoader

from trainer.integrations.lightning import Pausable


class Digits(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(256, 10),
        )

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        loss = nn.functional.cross_entropy(self.layers(batch[0]), batch[1])
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch: list[Tensor], index: int) -> None:
        answers = self.layers(batch[0])
        self.log("val_loss", nn.functional.cross_entropy(answers, batch[1]), sync_dist=True)
        self.log("val_acc", (answers.argmax(dim=1) == batch[1]).float().mean(), sync_dist=True)

    def configure_optimizers(self) -> tuple[list[torch.optim.Optimizer], list[torch.optim.lr_scheduler.LRScheduler]]:
        optimizer = torch.optim.AdamW(self.parameters(), lr=0.003)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 20)]


seed_everything(1)
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)  # (1797, 1, 8, 8)
rows = list(zip(images, digits.target, strict=True))
train, test = train_test_split(rows, test_size=0.2, random_state=0, stratify=digits.target)

here = int(os.environ.get("LOCAL_WORLD_SIZE", 1))  # ranks of this pod
nodes = int(os.environ.get("WORLD_SIZE", 1)) // here
trainer = Trainer(
    max_epochs=20,
    devices=here,
    num_nodes=nodes,
    strategy="ddp" if here * nodes > 1 else "auto",
    logger=False,
    enable_checkpointing=False,
    enable_progress_bar=False,
    enable_model_summary=False,
    callbacks=[Pausable()],
)
trainer.fit(Digits(), DataLoader(train, 32, shuffle=True), DataLoader(test, 360))
