"""Areas under ROC curves against scikit-learn's: for scores of a hundred shapes, however the rows are shared out."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Barrier

import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from trainer.distributed import World
from trainer.learning import roc
from trainer.learning.roc import Curve, Scores, log_odds

PRIORS = (0.5, 0.1, 0.02, 0.004)
SPREADS = (1e-6, 0.005, 0.02, 0.3, 30.0)
FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": torch.clone,
    "heavy tails": lambda noise: noise**7,
    "many ties": lambda noise: (4 * noise).round(),
    "two heaps far apart": lambda noise: noise + 1e4 * (noise > 1),
    "nearly all the same": lambda noise: noise * (noise > 2),
}


@dataclass
class Meeting:
    """Where threads that stand for ranks give each other their words."""

    size: int
    words: dict[int, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.barrier = Barrier(self.size)

    def gather(self, rank: int, content: bytes) -> list[bytes]:
        self.words[rank] = content
        self.barrier.wait()
        words = [self.words[number] for number in range(self.size)]
        self.barrier.wait()
        return words


@dataclass(frozen=True)
class Rank(World):
    meeting: Meeting | None = None

    def gather(self, content: bytes) -> list[bytes]:
        assert self.meeting is not None
        return self.meeting.gather(self.rank, content)


def curves_of(logits: Tensor, targets: Tensor, ranks: int = 1, chunk: int = 500) -> list[tuple[Curve, ...]]:
    """What each rank finds out."""
    meeting = Meeting(ranks)

    def on(rank: int) -> tuple[Curve, ...]:
        scores = Scores(1 if logits.shape[1] == 2 else logits.shape[1], ranks)
        for rows in zip(logits[rank::ranks].split(chunk), targets[rank::ranks].split(chunk), strict=True):
            scores.add(*rows)
        return scores.of_all(Rank(rank, ranks, torch.device("cpu"), meeting=meeting))

    with ThreadPoolExecutor(ranks) as pool:
        return list(pool.map(on, range(ranks)))


def rows(prior: float, spread: float, form: str, count: int = 5000) -> tuple[Tensor, Tensor, Tensor]:
    """Logits and targets; and the scores themselves, in float64."""
    generator = torch.Generator().manual_seed(1)
    targets = (torch.rand(count, generator=generator) < prior).long()
    targets[:2] = torch.tensor([0, 1])
    noise = FORMS[form](torch.randn(count, generator=generator) + targets)
    scores = torch.logit(torch.tensor(prior)) + spread * noise
    return torch.stack((torch.zeros(count), scores), dim=1), targets, scores.double()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("prior", PRIORS)
def test_an_area_is_exact_and_close_to_it_where_rows_are_put_together(
    prior: float, spread: float, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, targets, scores = rows(prior, spread, form)
    exact = roc_auc_score(targets, scores)
    (curve,) = curves_of(logits, targets)[0]
    assert curve.area == pytest.approx(exact, abs=1e-12)

    monkeypatch.setattr(roc, "MOST_SCORES", 1000)
    monkeypatch.setattr(roc, "_FEWEST_POINTS", 1)
    (thin,) = curves_of(logits, targets)[0]
    assert len(thin.scores) <= 1000
    assert thin.area == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize("order", ["as drawn", "ascending", "descending", "positives first"])
@pytest.mark.parametrize("ranks", [1, 3])
def test_many_rows_are_put_together_whatever_order_they_come_in(
    order: str, ranks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, targets, scores = rows(0.02, 0.02, "normal", count=200_000)
    by = {"ascending": scores, "descending": -scores, "positives first": -targets}.get(order, torch.zeros(len(scores)))
    places = by.argsort(stable=True)
    monkeypatch.setattr(roc, "MOST_SCORES", 4096)
    (curve,) = curves_of(logits[places], targets[places], ranks, chunk=1000)[0]
    assert len(curve.scores) <= 4096 * ranks
    assert int(curve.negatives.sum() + curve.positives.sum()) == 200_000
    assert curve.area == pytest.approx(roc_auc_score(targets, scores), abs=1e-3)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("ranks", [2, 3])
def test_every_rank_has_the_curves_of_all_rows(classes: int, ranks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roc, "_AT_ONCE", 1)  # each curve alone
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(301, classes, generator=generator).round(decimals=1)
    targets = torch.randint(0, classes, (301,), generator=generator)
    alone = curves_of(logits, targets)[0]
    for found in curves_of(logits, targets, ranks):
        assert [curve.area for curve in found] == [curve.area for curve in alone]
        assert all(torch.equal(*pair) for pair in zip(found[0].parts, alone[0].parts, strict=True))


def test_a_rank_without_rows_takes_part() -> None:
    logits, targets = torch.tensor([[0.0, 1.0], [0.0, 2.0]]), torch.tensor([0, 1])
    assert [curve.area for (curve,) in curves_of(logits, targets, ranks=4)] == [1.0] * 4


def test_no_class_no_curve() -> None:
    scores = Scores(0, 1)
    scores.add(torch.zeros(3, 300), torch.zeros(3, dtype=torch.int64))
    assert scores.of_all(World(0, 1, torch.device("cpu"))) == ()


def test_scores_of_two_classes_are_not_rounded() -> None:
    """A float32 has no number between these."""
    logits = torch.tensor([[1.0, 2.0**-24], [1.0, 2.0**-25], [1.0, 0.0]])
    assert len(log_odds(logits).unique()) == 3
