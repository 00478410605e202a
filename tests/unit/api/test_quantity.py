"""Quantities are Kubernetes' own: what a container takes is taken, and means the same."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from support.manifests import VALID, changed
from trainingjob_api.quantity import amount
from trainingjob_api.resource import TrainingJob


def job(limits: dict[str, Any], **changes: Any) -> TrainingJob:
    return TrainingJob.model_validate(changed(VALID, {"spec.pod.resources": {"limits": limits}, **changes}))


@pytest.mark.parametrize(
    ("written", "number"),
    [
        (2, 2),
        (0.5, Decimal("0.5")),
        ("1.5", Decimal("1.5")),
        (".5", Decimal("0.5")),
        ("5.", 5),
        ("+1", 1),
        ("500m", Decimal("0.5")),
        ("100u", Decimal("0.0001")),
        ("3n", Decimal("3e-9")),
        ("4k", 4000),
        ("1Gi", 2**30),
        ("2E", 2 * 10**18),
        ("129e6", 129_000_000),
        ("1E3", 1000),
        (1.29e8, 129_000_000),
    ],
)
def test_a_quantity_stays_as_it_was_written_and_means_a_number(written: Any, number: Decimal | int) -> None:
    resources = job({"cpu": written}).spec.pod.resources
    assert resources is not None
    assert resources.to_json_object() == {"limits": {"cpu": written}}
    assert amount(written) == number


@pytest.mark.parametrize("written", ["abc", "", "1 Gi", "1KB", "4K", "-1", -1, True, None, "1e", "inf", "1" * 33, [1]])
def test_what_no_container_takes_is_refused_with_an_example(written: Any) -> None:
    with pytest.raises(ValidationError, match=r"such as 2, 0\.5, 500m"):
        job({"cpu": written})


@pytest.mark.parametrize(
    ("count", "ranks"), [(1, 1), ("4", 4), ("2000m", 2), (0, 1), ("0.064k", 64)], ids=lambda value: repr(value)
)
def test_auto_is_a_rank_for_each_gpu(count: Any, ranks: int) -> None:
    assert job({"nvidia.com/gpu": count}, **{"spec.processesPerNode": "auto"}).spec.local_world_size == ranks


@pytest.mark.parametrize(
    ("count", "said"),
    [("0.5", "must be a whole number, not 0.5"), ("1500m", "whole number"), ("1k", "for each GPU, 1000; must be")],
)
def test_a_number_of_gpus_that_cannot_be_is_refused_by_name(count: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        job({"nvidia.com/gpu": count}, **{"spec.processesPerNode": "auto"})
