"""Frameworks that own the loop: paused anywhere in it, a program ends with the same bits."""

import re
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import pytest

from support.checkpoints import newest_step
from support.fork_server import ForkServer, Interruption, fork_server
from support.scripts import script_config, write_script
from support.trainer import history_of, newest_tensors, trainer
from trainingjob_api.contract import ExitCode

HUGGING_FACE = """
    import os
    import torch
    from trainer.integrations.hugging_face import pausable
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    source, count = torch.Generator().manual_seed(5), 25 * int(os.environ["WORLD_SIZE"]) + 1
    rows = [{"input_ids": each, "labels": each} for each in torch.randint(0, 20, (count, 8), generator=source)]
    torch.manual_seed(3)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=20, n_positions=8, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=0)
    )
    arguments = TrainingArguments(
        "/tmp/unused", per_device_train_batch_size=4, gradient_accumulation_steps=2, num_train_epochs=6, use_cpu=True,
        learning_rate=0.01, warmup_steps=3, logging_steps=3, eval_strategy="epoch", save_strategy="no", report_to=[],
        disable_tqdm=True, ddp_find_unused_parameters=False,
    )
    trainer = Trainer(model, arguments, train_dataset=rows, eval_dataset=rows[:5])
    trainer.train(resume_from_checkpoint=pausable(trainer))
"""
"""Seven batches, four steps in an epoch; dropout; a schedule; a log that is not in step with the epochs."""

PLAIN = HUGGING_FACE.replace(
    "    trainer = Trainer(model,",
    """
    class Plain(torch.nn.Module):
        def __init__(self, network):
            super().__init__()
            self.network = network

        def forward(self, input_ids, labels):
            return dict(self.network(input_ids=input_ids, labels=labels, use_cache=False))


    trainer = Trainer(Plain(model),""",
)
"""The same in a module that is no PreTrainedModel."""

STREAM = """
    import torch
    from torch.utils.data import IterableDataset
    from trainer.integrations.hugging_face import pausable
    from transformers import Trainer, TrainingArguments

    class Stream(IterableDataset):
        def __iter__(self):
            for n in range(40):
                yield {"x": torch.full((4,), n / 40), "labels": torch.tensor([n / 20])}

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.line = torch.nn.Linear(4, 1)

        def forward(self, x, labels):
            return {"loss": torch.nn.functional.mse_loss(self.line(x), labels)}

    torch.manual_seed(3)
    arguments = TrainingArguments(
        "unused", max_steps=24, per_device_train_batch_size=4, gradient_accumulation_steps=4, use_cpu=True,
        save_strategy="no", eval_strategy="epoch", logging_steps=1, report_to=[], disable_tqdm=True,
    )
    trainer = Trainer(Net(), arguments, train_dataset=Stream(), eval_dataset=Stream())
    trainer.train(resume_from_checkpoint=pausable(trainer))
"""
"""Ten batches a pass, two of which are left over: they are collected with those of the next pass."""

LIGHTNING = """
    import os
    import random
    import torch
    import lightning.pytorch as L
    from torch import nn
    from torch.utils.data import DataLoader, Dataset
    from trainer.integrations.lightning import Pausable


    class Noisy(Dataset):
        def __init__(self):
            self.x = torch.randn(25 * size + 1, 6, generator=torch.Generator().manual_seed(5))

        def __len__(self):
            return len(self.x)

        def __getitem__(self, row):
            return self.x[row] + torch.rand(6) / 9 + random.random() / 9, self.x[row, :1] * self.x[row, 1:2]


    class Net(L.LightningModule):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 1))

        def training_step(self, batch, index):
            loss = nn.functional.mse_loss(self.layers(batch[0]), batch[1])
            self.log("train_loss", loss)
            return loss

        def validation_step(self, batch, index):
            self.log("val/loss", nn.functional.mse_loss(self.layers(batch[0]), batch[1]), sync_dist=True)

        def configure_optimizers(self):
            optimizer = torch.optim.AdamW(self.parameters(), 0.01)
            plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, threshold=0.2)
            step = torch.optim.lr_scheduler.StepLR(optimizer, 3, 0.9)
            return [optimizer], [{"scheduler": plateau, "monitor": "val/loss"}, {"scheduler": step, "interval": "step"}]


    size, here = int(os.environ["WORLD_SIZE"]), int(os.environ["LOCAL_WORLD_SIZE"])
    L.seed_everything(3)
    data = Noisy()
    trainer = L.Trainer(
        max_epochs=6, accelerator="cpu", accumulate_grad_batches=2, logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0, callbacks=[Pausable()],
        devices=here, num_nodes=size // here, strategy="ddp" if size > 1 else "auto",
    )
    trainer.fit(Net(), DataLoader(data, 4, shuffle=True), DataLoader(data, 13))
"""
"""Seven batches, four steps in an epoch; noise from two generators; a schedule that watches the validation."""


EXAMPLES = Path(__file__).parents[3] / "deploy/examples"


def shortened(example: str) -> str:
    """With two epochs."""
    text, count = re.subn(r"(?<=epochs=)\d+", "2", (EXAMPLES / example).read_text())
    assert count == 1
    return text


CASES = [
    pytest.param(HUGGING_FACE, 1, 24, (2, 8, 13), id="hugging-face, one rank"),
    pytest.param(HUGGING_FACE, 3, 24, (2, 9), id="hugging-face, three ranks"),
    pytest.param(PLAIN, 1, 24, (2, 8, 13), id="hugging-face, a module of torch's alone"),
    pytest.param(STREAM, 1, 24, (2, 7, 13), id="hugging-face, a stream"),
    pytest.param(LIGHTNING, 1, 24, (2, 8, 13), id="lightning, one rank"),
    pytest.param(LIGHTNING, 3, 24, (2, 9), id="lightning, three ranks"),
    pytest.param(shortened("hugging_face_script.py"), 1, 90, (20, 60), id="the example of hugging-face, one rank"),
    pytest.param(shortened("hugging_face_script.py"), 2, 46, (10, 30), id="the example of hugging-face, two ranks"),
    pytest.param(shortened("lightning_script.py"), 1, 90, (20, 60), id="the example of lightning, one rank"),
    pytest.param(shortened("lightning_script.py"), 2, 46, (10, 30), id="the example of lightning, two ranks"),
]
"""A program, the number of its ranks, the steps of a whole training, and those after which it is stopped."""


def named(text: str, score: str) -> str:
    """Two trainings of one program, the first of which ends early, and what came of them."""
    fold = dedent(text).replace("pausable(trainer)", 'pausable(trainer, name=f"fold-{fold}")')
    fold = fold.replace("Pausable()", 'Pausable(name=f"fold-{fold}")')
    lines = f"import os\nscores = []\nfor fold in range(2):\n{indent(fold, '    ')}\n    scores.append({score})\n"
    return f"{lines}open(f'scores-{{os.environ[\"RANK\"]}}', 'w').write(repr(scores))\n"


EVALUATED = 'trainer.evaluate()["eval_loss"]'
NAMED_HUGGING_FACE = named(
    HUGGING_FACE.replace(
        "    trainer.train(",
        """
    from transformers import TrainerCallback

    class Enough(TrainerCallback):
        def on_epoch_end(self, args, state, control, **_):
            control.should_training_stop = fold == 0 and state.epoch >= 2

    trainer.add_callback(Enough())
    trainer.train(""",
    ),
    EVALUATED,
)
NAMED_LIGHTNING = named(
    LIGHTNING.replace(
        "        def configure_optimizers",
        """
        def on_train_epoch_end(self):
            self.trainer.should_stop = fold == 0 and self.trainer.current_epoch == 1

        def configure_optimizers""",
    ),
    'trainer.callback_metrics["val/loss"].item()',
)
NAMED_CASES = [
    pytest.param(NAMED_HUGGING_FACE, 2, id="hugging-face"),
    pytest.param(named(STREAM.replace("=24", "=8 + 16 * fold"), EVALUATED), 1, id="hugging-face, a stream"),
    pytest.param(NAMED_LIGHTNING, 2, id="lightning"),
]


@pytest.fixture(scope="module")
def frameworks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    names = (
        "trainer.integrations.hugging_face",
        "trainer.integrations.lightning",
        "transformers.models.gpt2.modeling_gpt2",
        "transformers.models.vit.modeling_vit",
        "sklearn.model_selection",
    )
    with fork_server(tmp_path_factory.mktemp("server"), *names) as running:
        yield running


@pytest.mark.parametrize(("text", "ranks", "total", "steps"), CASES)
def test_paused_in_and_between_epochs(
    frameworks: ForkServer, tmp_path: Path, text: str, ranks: int, total: int, steps: Sequence[int]
) -> None:
    """The last rank is asked to stop."""
    script = write_script(tmp_path, text)
    reference, paused = tmp_path / "reference", tmp_path / "paused"
    whole = frameworks.start(script_config(reference, script), ranks)
    assert whole.codes() == [0] * ranks, whole.end()
    assert newest_step(reference) == total
    for attempt, step in enumerate(steps, start=1):
        stop = Interruption(step, signal.SIGTERM, [ranks - 1])
        group = frameworks.start(script_config(paused, script, attempt=attempt), ranks, interruption=stop)
        assert group.codes() == [ExitCode.STOPPED] * ranks, "a stop is noticed within a few steps"
    last = frameworks.start(script_config(paused, script, attempt=9), ranks)
    assert last.codes() == [0] * ranks, last.end()
    assert _without_times(newest_tensors(paused)) == _without_times(newest_tensors(reference))
    assert history_of(paused) == history_of(reference)
    assert all("validationLoss" in epoch for epoch in history_of(reference))


@pytest.mark.parametrize(("text", "ranks"), NAMED_CASES)
def test_paused_in_the_second_of_two_trainings(frameworks: ForkServer, tmp_path: Path, text: str, ranks: int) -> None:
    """In pods of their own; what is told of the first, which is done, is the same after a pause."""
    script = write_script(tmp_path, text)
    reference, paused = tmp_path / "reference", tmp_path / "paused"
    whole = frameworks.start(script_config(reference, script), ranks, apart=True)
    assert whole.codes() == [0] * ranks, whole.end()
    for attempt, step in enumerate((10, 13), start=1):
        stop = Interruption(step, signal.SIGTERM, [ranks - 1])
        group = frameworks.start(script_config(paused, script, attempt=attempt), ranks, interruption=stop, apart=True)
        assert group.codes() == [ExitCode.STOPPED] * ranks, group.end()
    last = frameworks.start(script_config(paused, script, attempt=9), ranks, apart=True)
    assert last.codes() == [0] * ranks, last.end()
    for name in ("fold-0", "fold-1"):
        ours, theirs = paused / "runs" / name, reference / "runs" / name
        assert _without_times(newest_tensors(ours)) == _without_times(newest_tensors(theirs))
        assert history_of(ours) == history_of(theirs)
    scores = [
        [(each / "output" / f"scores-{rank}").read_text() for rank in range(ranks)] for each in (paused, reference)
    ]
    assert scores[0] == scores[1]


def test_without_any_pod_sigterm_pauses_lightning_too(frameworks: ForkServer, tmp_path: Path) -> None:
    """It has a handler for the signal of its own, which would end the training unsaved."""
    script, ends = write_script(tmp_path, LIGHTNING), []
    for name, step in (("reference", None), ("paused", 9), ("paused", None)):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        stop = Interruption(step, signal.SIGTERM, [1]) if step else None
        group = frameworks.start(script_config(folder, script), 2, interruption=stop, alone=folder)
        ends.append(group.codes())
    assert ends == [[0, 0], [ExitCode.STOPPED] * 2, [0, 0]]
    saved = [newest_tensors(tmp_path / name / "checkpoints/train") for name in ("reference", "paused")]
    assert _without_times(saved[0]) == _without_times(saved[1])


def test_lightning_may_not_ask_for_its_loader_again(frameworks: ForkServer, tmp_path: Path) -> None:
    script = write_script(
        tmp_path, LIGHTNING.replace("max_epochs=6", "reload_dataloaders_every_n_epochs=1, max_epochs=6")
    )
    group = frameworks.start(script_config(tmp_path / "c", script), 1)
    assert group.codes() == [ExitCode.USER_ERROR]
    assert "reload_dataloaders_every_n_epochs" in str(group.end())


def test_what_reading_ahead_makes_another_training_is_told(frameworks: ForkServer, tmp_path: Path) -> None:
    """Data that draw random numbers, and a callback that counts."""
    program = dedent(HUGGING_FACE).replace(
        "trainer.train(",
        """
from transformers import TrainerCallback, default_data_collator

class Counting(TrainerCallback):
    steps = 0
    def on_step_end(self, *_, **__):
        self.steps += 1

trainer.data_collator = lambda rows: (torch.rand(1), default_data_collator(rows))[1]
trainer.add_callback(Counting())
trainer.train(""",
    )
    script = write_script(tmp_path, program)
    stop = Interruption(5, signal.SIGTERM, [0])
    assert frameworks.start(script_config(tmp_path / "c", script), 1, interruption=stop).codes() == [ExitCode.STOPPED]
    last = frameworks.start(script_config(tmp_path / "c", script, attempt=2), 1)
    assert last.codes() == [0], last.end()
    (resumed,) = last.events("resumed")
    assert resumed["exactness"] == "Approximate"
    assert "the collator draws random numbers" in resumed["reason"]
    assert "Counting.steps" in resumed["reason"]


def test_a_model_that_the_trainer_would_make_itself_is_refused(frameworks: ForkServer, tmp_path: Path) -> None:
    text = HUGGING_FACE.replace("Trainer(model, arguments,", "Trainer(None, arguments, model_init=lambda: model,")
    group = frameworks.start(script_config(tmp_path / "c", write_script(tmp_path, text)), 1)
    assert group.codes() == [ExitCode.USER_ERROR]
    assert "model_init" in str(group.end())


def _without_times(tensors: dict[str, Any]) -> dict[str, Any]:
    """Numbers that are no tensors lie in one document, with how long everything took."""
    kept = {name: value for name, value in tensors.items() if not name.endswith("training(tree)")}
    assert any("training.objects" in name for name in kept), "there are no moments of the optimizer"
    return kept


def test_lightning_may_test_and_predict_for_longer_than_a_step(tmp_path: Path) -> None:
    slow = """
import time
Net.test_step = Net.predict_step = lambda self, batch, index: time.sleep(0.5)
trainer.test(Net(), DataLoader(data, 4))
trainer.predict(Net(), DataLoader(data, 4))
"""
    script = write_script(tmp_path, dedent(LIGHTNING) + slow)
    with trainer(script_config(tmp_path / "c", script, deadlines={"stepSeconds": 2}), tmp_path) as pod:
        assert pod.end() == ExitCode.COMPLETED, pod.text()
