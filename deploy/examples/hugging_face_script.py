"""Handwritten digits, by a small vision transformer and Hugging Face's Trainer. One line makes it pausable.

The trainer's image brings neither transformers nor scikit-learn. Build one on it, and name it in spec.pod.image:

    FROM ghcr.io/trainingjob/trainer:0.2.0
    USER root
    RUN pip install --no-cache-dir transformers accelerate scikit-learn
    USER 65532:65532
"""

import tempfile

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from transformers import EvalPrediction, Trainer, TrainingArguments, ViTConfig, ViTForImageClassification

from trainer.integrations.hugging_face import pausable


def accuracy(answers: EvalPrediction) -> dict[str, float]:
    return {"accuracy": float((answers.predictions.argmax(axis=1) == answers.label_ids).mean())}


digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)  # (1797, 1, 8, 8)
rows = [{"pixel_values": image, "labels": int(label)} for image, label in zip(images, digits.target, strict=True)]
train, test = train_test_split(rows, test_size=0.2, random_state=0, stratify=digits.target)

torch.manual_seed(1)
network = ViTConfig(
    image_size=8,
    patch_size=2,
    num_channels=1,
    num_labels=10,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    hidden_dropout_prob=0.1,
)
arguments = TrainingArguments(
    tempfile.gettempdir(),  # nothing is written there: the checkpoints are the job's
    save_strategy="no",
    use_cpu=not torch.cuda.is_available(),  # several ranks on CPUs would else train apart
    num_train_epochs=30,
    per_device_train_batch_size=32,
    learning_rate=0.003,
    lr_scheduler_type="cosine",
    warmup_steps=50,
    eval_strategy="epoch",
    logging_strategy="epoch",
    report_to=[],
    disable_tqdm=True,
)
trainer = Trainer(
    ViTForImageClassification(network), arguments, train_dataset=train, eval_dataset=test, compute_metrics=accuracy
)
trainer.train(resume_from_checkpoint=pausable(trainer))
