"""Every number that is reported, against what torchmetrics and scikit-learn make of the same rows."""

import math

import numpy as np
import pytest
import torch
from sklearn import metrics as sklearn
from torch import Tensor
from torchmetrics import functional as torchmetrics

from support.rounding import rounding
from trainer.distributed import World
from trainer.learning.class_counts import DETAIL_CLASSES, ClassCounts, count_classes, counts_length, curves_of
from trainer.learning.losses import loss_sum
from trainer.learning.measures import Measures
from trainer.learning.objectives import Classification, Objective, Regression, Seen
from trainer.learning.roc import Scores, log_odds
from trainingjob_api.spec.training import Loss


def classifier(classes: int) -> Classification:
    return Classification(classes, loss_sum(Loss(type="crossEntropy")))


def rows(classes: int, count: int = 400, seed: int = 1, occurring: int | None = None) -> tuple[Tensor, Tensor]:
    """Logits that know something of their targets."""
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, occurring or classes, (count,), generator=generator)
    logits = torch.randn(count, classes, generator=generator) * 2
    logits[torch.arange(count), targets] += 1.5
    return logits, targets


def counted(logits: Tensor, targets: Tensor) -> ClassCounts:
    classes = logits.shape[1]
    scores = Scores(curves_of(classes), 1)
    scores.add(logits, targets)
    curves = scores.of_all(World(0, 1, torch.device("cpu")))
    return ClassCounts.of(count_classes(logits, targets), classes, curves)


def evaluated(objective: Objective, outputs: Tensor, targets: Tensor, cuts: tuple[int, ...] = ()) -> Tensor:
    """Sums over rows that come in chunks."""
    chunks = zip(outputs.tensor_split(cuts), targets.tensor_split(cuts), strict=True)
    return torch.stack([objective.evaluate(*chunk) for chunk in chunks]).sum(dim=0)


def measured(outputs: Tensor, targets: Tensor) -> Measures:
    objective = classifier(outputs.shape[1])
    sums = evaluated(objective, outputs, targets)
    return objective.evaluation_measures(Seen(len(targets), sums, counted(outputs, targets).curves))


def ties(logits: Tensor) -> Tensor:
    """Few different values: many equal scores, and rows in which several classes are first."""
    return logits.round()


CASES = [
    pytest.param(*rows(2), id="2 classes"),
    pytest.param(ties(rows(2)[0]), rows(2)[1], id="2 classes, ties"),
    pytest.param(*rows(10), id="10 classes"),
    pytest.param(ties(rows(10)[0]), rows(10)[1], id="10 classes, ties"),
    pytest.param(*rows(10, occurring=7), id="3 of 10 classes never occur"),
    pytest.param(*rows(5, occurring=1), id="one class alone"),
    pytest.param(*rows(3, count=1), id="one row"),
    pytest.param(*rows(1000, count=2000), id="1000 classes"),
    pytest.param(rows(4)[0] * 1e4, rows(4)[1], id="a very sure model"),
]


@pytest.mark.parametrize(("logits", "targets"), CASES)
def test_a_classification_is_measured_as_others_do(logits: Tensor, targets: Tensor) -> None:
    ours, classes, guesses = measured(logits, targets), logits.shape[1], logits.argmax(dim=1)
    loss = sklearn.log_loss(targets, logits.double().softmax(dim=1), labels=range(classes)) if classes < 1000 else None
    if loss is not None and logits.abs().max() < 100:
        assert ours.loss == pytest.approx(loss, rel=1e-9)
    macro = {"average": "macro", "zero_division": 0}
    assert ours.accuracy == pytest.approx(sklearn.accuracy_score(targets, guesses), rel=1e-12)
    assert ours.precision == pytest.approx(sklearn.precision_score(targets, guesses, **macro), rel=1e-12)
    assert ours.recall == pytest.approx(sklearn.recall_score(targets, guesses, **macro), rel=1e-12)
    assert ours.f1 == pytest.approx(sklearn.f1_score(targets, guesses, **macro), rel=1e-12)
    others = {
        "accuracy": torchmetrics.accuracy(guesses, targets, "multiclass", num_classes=classes),
        "precision": torchmetrics.precision(guesses, targets, "multiclass", average="macro", num_classes=classes),
        "recall": torchmetrics.recall(guesses, targets, "multiclass", average="macro", num_classes=classes),
        "f1": torchmetrics.f1_score(guesses, targets, "multiclass", average="macro", num_classes=classes),
    }
    for name, value in others.items():
        assert getattr(ours, name) == pytest.approx(float(value), abs=1e-6), name


@pytest.mark.parametrize(("logits", "targets"), [case for case in CASES if case.id != "1000 classes"])
def test_the_area_under_the_roc_curve_is_that_of_the_scores(logits: Tensor, targets: Tensor) -> None:
    ours, classes, p = counted(logits, targets), logits.shape[1], logits.double().softmax(dim=1)
    exact = []
    for curve, number in enumerate([1] if classes == 2 else range(classes)):
        is_positive = (targets == number).numpy()
        if is_positive.all() or not is_positive.any():
            assert number not in ours.curve_of
            continue
        rest = torch.cat((logits[:, :number], logits[:, number + 1 :]), dim=1).double()
        odds = log_odds(logits)[:, curve]
        assert torch.allclose(odds, logits[:, number].double() - rest.logsumexp(dim=1), rtol=1e-12, atol=1e-12)
        exact.append(sklearn.roc_auc_score(is_positive, odds))
        assert ours.curve_of[number].area == pytest.approx(exact[-1], abs=1e-12)
    if not exact:
        assert ours.roc_auc is None
        return
    assert ours.roc_auc == pytest.approx(np.mean(exact), abs=1e-12)
    if logits.abs().max() > 10 or torch.equal(logits, logits.round()):
        return  # probabilities are 1 where log-odds still differ, or differ by their rounding alone
    if classes == 2:
        assert ours.roc_auc == pytest.approx(float(torchmetrics.auroc(p[:, 1], targets, "binary")), abs=1e-6)
    elif len(exact) == classes:
        theirs = torchmetrics.auroc(p, targets, "multiclass", num_classes=classes)
        assert ours.roc_auc == pytest.approx(float(theirs), abs=1e-6)
        together = sklearn.roc_auc_score(targets, p, multi_class="ovr", average="macro")
        assert ours.roc_auc == pytest.approx(together, abs=1e-12)


def random_table(seed: int) -> tuple[Tensor, Tensor]:
    """Up to 300 rows of up to six classes: some rare, some missing, scores with and without ties."""
    source = np.random.default_rng(seed)
    classes, count = int(source.integers(2, 7)), int(source.integers(2, 300))
    targets = torch.from_numpy(source.choice(classes, count, p=source.dirichlet(np.ones(classes))))
    logits = torch.from_numpy(source.normal(0, source.choice([0.01, 1, 4]), (count, classes))).float()
    logits[torch.arange(count), targets] += float(source.uniform(0, 2))
    return (logits, targets) if seed % 3 else (ties(logits), targets)


def test_a_hundred_random_tables_are_measured_as_scikit_learn_does() -> None:
    for seed in range(100):
        logits, targets = random_table(seed)
        ours, classes, guesses = measured(logits, targets), logits.shape[1], logits.argmax(dim=1)
        macro = sklearn.precision_recall_fscore_support(targets, guesses, average="macro", zero_division=0)
        expected = dict(zip(("precision", "recall", "f1"), macro, strict=False))
        expected["loss"] = sklearn.log_loss(targets, logits.double().softmax(dim=1), labels=range(classes))
        expected["accuracy"] = sklearn.accuracy_score(targets, guesses)
        told = [number for number in range(classes) if 0 < int((targets == number).sum()) < len(targets)]
        scores = log_odds(logits)
        areas = {number: scores[:, 0 if classes == 2 else number] for number in ([1] if classes == 2 else told)}
        if told:
            expected["roc_auc"] = np.mean([sklearn.roc_auc_score(targets == number, areas[number]) for number in areas])
        for name, value in expected.items():
            assert getattr(ours, name) == pytest.approx(value, rel=1e-9), (seed, name)
        confusion = counted(logits, targets).confusion
        assert confusion is not None
        assert np.array_equal(confusion, sklearn.confusion_matrix(targets, guesses, labels=range(classes))), seed


def test_a_hundred_random_regressions_are_measured_as_scikit_learn_does() -> None:
    for seed in range(100):
        source = np.random.default_rng(seed)
        count = int(source.integers(2, 400))
        inside = torch.from_numpy(source.normal(source.uniform(-3, 3), source.uniform(0.1, 5), count))
        outputs = inside + torch.from_numpy(source.normal(0, source.uniform(0.01, 3), count))
        kind = ("mse", "mae")[seed % 2]
        objective = regression(kind)
        cut = int(source.integers(count))
        ours = objective.evaluation_measures(Seen(count, evaluated(objective, outputs[:, None], inside, (cut,))))
        targets, guesses = inside * 10 + 100, outputs * 10 + 100
        mae, mse = sklearn.mean_absolute_error(targets, guesses), sklearn.mean_squared_error(targets, guesses)
        expected = {
            "loss": mae if kind == "mae" else mse,
            "mae": mae,
            "mse": mse,
            "rmse": sklearn.root_mean_squared_error(targets, guesses),
            "r2": sklearn.r2_score(targets, guesses),
        }
        for name, value in expected.items():
            assert getattr(ours, name) == pytest.approx(value, rel=1e-9), (seed, name)


def test_probabilities_that_round_to_one_are_still_told_apart() -> None:
    """A p of 1 - 1e-30 is 1 in every floating point format; its log-odds are not."""
    logits = torch.tensor([[70.0, 0, 0], [80.0, 0, 0], [90.0, 0, 0], [100.0, 0, 0]])
    assert counted(logits, torch.tensor([1, 2, 0, 0])).curve_of[0].area == 1.0


@pytest.mark.parametrize("classes", [2, 10, DETAIL_CLASSES])
def test_the_confusion_matrix(classes: int) -> None:
    logits, targets = rows(classes)
    counts = counted(logits, targets)
    assert counts.confusion is not None
    theirs = sklearn.confusion_matrix(targets, logits.argmax(dim=1), labels=range(classes))
    assert np.array_equal(counts.confusion.numpy(), theirs)


def test_the_roc_curve() -> None:
    logits, targets = ties(rows(2)[0]), rows(2)[1]
    false, true = counted(logits, targets).curve_of[1].rates()
    theirs = sklearn.roc_curve(targets, logits[:, 1] - logits[:, 0], drop_intermediate=False)
    assert false.tolist() == pytest.approx(theirs[0].tolist(), abs=1e-12)
    assert true.tolist() == pytest.approx(theirs[1].tolist(), abs=1e-12)


def test_many_classes_cost_little_memory() -> None:
    assert counts_length(DETAIL_CLASSES) * 8 < 10e6
    assert counts_length(DETAIL_CLASSES + 1) == 3 * (DETAIL_CLASSES + 1)
    logits, targets = rows(DETAIL_CLASSES + 1)
    assert measured(logits, targets).roc_auc is None


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("classes", [2, 3])
def test_a_broken_model_is_counted_and_its_loss_tells(broken: float, classes: int) -> None:
    logits, targets = rows(classes, count=8)
    logits[3, int(targets[3])] = broken
    sums = evaluated(classifier(classes), logits, targets)
    assert not math.isfinite(sums[0])
    assert sums[1:].isfinite().all()
    assert 0 <= (counted(logits, targets).roc_auc or 0.0) <= 1


def test_what_is_shown_of_training_rows() -> None:
    logits, targets = rows(10)
    objective = classifier(10)
    sums = objective.tally(logits, targets, objective.loss_sum(logits, targets))
    assert (len(sums), sums.dtype) == (objective.train_sums, torch.float64)
    ours, complete = objective.train_measures(sums, 400), measured(logits, targets)
    assert ours.loss == pytest.approx(complete.loss, rel=1e-6)
    assert ours.accuracy == complete.accuracy


def regression(kind: str = "mse") -> Regression:
    return Regression(100.0, 10.0, loss_sum(Loss.model_validate({"type": kind})), 1 if kind == "mae" else 2)


def scaled(values: Tensor) -> Tensor:
    return ((values.double() - 100) / 10).float()


@pytest.mark.parametrize("kind", ["mse", "mae"])
@pytest.mark.parametrize(("count", "shift"), [(300, 0.0), (300, 1000.0), (2, 0.0)])
def test_a_regression_is_measured_as_others_do(kind: str, count: int, shift: float) -> None:
    generator = torch.Generator().manual_seed(2)
    targets = 100 + shift + 10 * torch.randn(count, generator=generator)
    guesses = targets + 3 * torch.randn(count, generator=generator)
    objective = regression(kind)
    outputs, inside = scaled(guesses)[:, None], scaled(targets)
    ours = objective.evaluation_measures(Seen(count, evaluated(objective, outputs, inside)))
    mae, mse = sklearn.mean_absolute_error(targets, guesses), sklearn.mean_squared_error(targets, guesses)
    assert ours.loss == pytest.approx(mae if kind == "mae" else mse, rel=1e-4)
    assert ours.mae == pytest.approx(mae, rel=1e-4)
    assert ours.mse == pytest.approx(mse, rel=1e-4)
    assert ours.rmse == pytest.approx(math.sqrt(mse), rel=1e-4)
    assert ours.r2 == pytest.approx(sklearn.r2_score(targets, guesses), rel=1e-4)
    assert ours.r2 == pytest.approx(float(torchmetrics.r2_score(guesses.double(), targets.double())), rel=1e-4)

    train = objective.train_measures(objective.tally(outputs, inside, objective.loss_sum(outputs, inside)), count)
    assert (train.mae, train.mse) == (pytest.approx(ours.mae, rel=1e-6), pytest.approx(ours.mse, rel=1e-6))


@pytest.mark.parametrize(("value", "count"), [(100.0, 1000), (107.0, 333), (133.0, 1000), (1e5, 997)])
def test_targets_that_are_all_equal_have_no_r2(value: float, count: int) -> None:
    """Rounding leaves some of them a spread."""
    objective, targets = regression(), scaled(torch.full((count,), value))
    sums = evaluated(objective, targets[:, None] + 0.1, targets)
    assert objective.evaluation_measures(Seen(count, sums)).r2 is None


@pytest.mark.parametrize("cuts", [(150,), (100, 100, 399), (0, 400)], ids=["two", "an empty one", "empty ends"])
@pytest.mark.parametrize("classes", [2, 10, 300])
def test_counts_do_not_depend_on_chunks_and_ranks(classes: int, cuts: tuple[int, ...]) -> None:
    logits, targets = rows(classes)
    objective = classifier(classes)
    whole, parts = evaluated(objective, logits, targets), evaluated(objective, logits, targets, cuts)
    assert torch.equal(whole[1:], parts[1:])
    assert float(parts[0]) == pytest.approx(float(whole[0]), rel=rounding(len(targets)))


@pytest.mark.parametrize("cuts", [(150,), (100, 100, 399)], ids=["two", "an empty one"])
def test_a_regressions_sums_do_not_depend_on_chunks_and_ranks(cuts: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(3)
    outputs, targets = torch.randn(400, 1, generator=generator), torch.randn(400, generator=generator)
    whole, parts = evaluated(regression(), outputs, targets), evaluated(regression(), outputs, targets, cuts)
    by_row = torch.stack([regression().evaluate(*row) for row in zip(outputs.split(1), targets.split(1), strict=True)])
    assert torch.all((whole - parts).abs() <= rounding(400) * by_row.abs().sum(dim=0))
