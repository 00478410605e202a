"""Tensors as bytes: the format that everybody reads, one copy, and nothing but tensors."""

import json
import struct

import pytest
import safetensors.torch
import torch
from torch import Tensor

from trainer.checkpoint.tensors import Encoder, all_finite, decode, encode

TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8, torch.bool]


def examples() -> dict[str, Tensor]:
    """Every type, and shapes that are easy to get wrong."""
    tensors = {str(dtype): (torch.arange(11) % 2).to(dtype) for dtype in TYPES}
    whole = torch.arange(24.0).reshape(4, 6)
    return {
        **tensors,
        "scalar": torch.tensor(1.5),
        "empty": torch.empty(3, 0),
        "strided": whole[::2, 1::3],
        "transposed": whole.t(),
        "expanded": torch.tensor([1.0]).expand(5),
        "parameter": torch.nn.Parameter(torch.ones(3)),
        "tied": whole,
        "tied too": whole,
        'ñame with "quotes"': torch.zeros(1),
    }


def assert_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype
        assert torch.equal(tensor, other[name]), name


def test_what_is_encoded_is_decoded_here_and_by_the_library() -> None:
    content = encode(examples())
    assert_equal(decode(content), examples())
    assert_equal(safetensors.torch.load(bytes(content)), examples())


def test_what_the_library_writes_is_decoded() -> None:
    plain = {name: tensor.detach().clone(memory_format=torch.contiguous_format) for name, tensor in examples().items()}
    assert_equal(decode(safetensors.torch.save(plain, {"written": "by the library"})), plain)


def test_the_same_tensors_are_the_same_bytes() -> None:
    assert bytes(encode(examples())) == bytes(encode(dict(reversed(examples().items()))))


def test_what_is_encoded_is_a_copy() -> None:
    weights = torch.ones(1000)
    content = encode({"weights": weights})
    weights.zero_()
    decoded = decode(content)["weights"]
    assert decoded.sum() == 1000
    content[-4:] = b"\0" * 4
    assert decoded.sum() == 1000


def test_a_type_that_the_format_has_not_is_named() -> None:
    with pytest.raises(TypeError, match=r"strange: .*complex128"):
        encode({"strange": torch.zeros(1, dtype=torch.complex128)})


def file(header: object, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(dtype: str = "F32", shape: object = (1,), offsets: object = (0, 4)) -> dict[str, object]:
    return {"a": {"dtype": dtype, "shape": shape, "data_offsets": offsets}}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"1234567", id="too short for a length"),
        pytest.param(file({}, length=2**63), id="an absurd header"),
        pytest.param(file({}, length=3), id="a header beyond the end"),
        pytest.param(file(b"[" * 1_000_000), id="deeply nested"),
        pytest.param(file(b'{"a":' * 200_000), id="deeply nested objects"),
        pytest.param(file([1]), id="a list"),
        pytest.param(file({"a": 1}), id="a number for a tensor"),
        pytest.param(file(b"\xff\xff"), id="no text"),
        pytest.param(file(entry("F31"), bytes(4)), id="an unknown type"),
        pytest.param(file(entry(shape=[2**62, 4]), bytes(4)), id="an absurd shape"),
        pytest.param(file(entry(shape=[2**70]), bytes(4)), id="a shape beyond any integer"),
        pytest.param(file(entry(shape=[-1]), bytes(4)), id="a negative size"),
        pytest.param(file(entry(shape=[-1, -1]), bytes(4)), id="two negative sizes"),
        pytest.param(file(entry(shape="1"), bytes(4)), id="a text for a shape"),
        pytest.param(file(entry(shape=[1.0]), bytes(4)), id="a fraction in a shape"),
        pytest.param(file(entry(offsets=[0, 5]), bytes(5)), id="more data than the shape has"),
        pytest.param(file(entry(offsets=[4, 8]), bytes(4)), id="data beyond the end"),
        pytest.param(file(entry(offsets=[-4, 0]), bytes(4)), id="data before the beginning"),
        pytest.param(file(entry(offsets=[4, 0]), bytes(4)), id="backwards"),
        pytest.param(file(entry(offsets=[0]), bytes(4)), id="half of the offsets"),
        pytest.param(file({"a": {**entry()["a"], "more": 1}}, bytes(4)), id="a field too many"),  # type: ignore[dict-item]
    ],
)
def test_what_is_no_such_file_is_a_value_error(content: bytes) -> None:
    with pytest.raises(ValueError):
        decode(content)


@pytest.mark.parametrize("name", ["a", "ab", "a" * 63])
def test_the_data_begin_with_a_line_of_the_cache(name: str) -> None:
    """A copy to anywhere else takes a quarter longer."""
    content = encode({name: torch.ones(3)})
    assert (len(content) - 3 * 4) % 64 == 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64])
@pytest.mark.parametrize("place", [0, 500, 999])
def test_one_value_that_is_not_finite_is_found(value: float, dtype: torch.dtype, place: int) -> None:
    tensor = torch.zeros(1000, dtype=dtype)
    assert all_finite([tensor])
    tensor[place] = value
    assert not all_finite([torch.ones(3), tensor])


def test_finite_are_also_the_largest_numbers_and_none_at_all() -> None:
    largest = torch.full((1000,), torch.finfo(torch.float32).max)
    assert all_finite([largest, -largest, torch.empty(0), torch.tensor([2**62]), torch.tensor([True])])


def test_the_next_file_of_a_name_goes_where_the_last_one_was() -> None:
    """New memory for a large file would take longer than the copy."""
    encoder = Encoder()
    first = encoder.encode("model", {"a": torch.zeros(3)})
    other = encoder.encode("optimizer", {"a": torch.ones(3)})
    second = encoder.encode("model", {"a": torch.full((3,), 2.0)})
    assert decode(first)["a"].tolist() == decode(second)["a"].tolist() == [2.0] * 3
    assert decode(other)["a"].tolist() == [1.0] * 3


@pytest.mark.parametrize(
    "then",
    [
        pytest.param({"a": torch.zeros(5)}, id="another shape"),
        pytest.param({"a": torch.zeros(3, dtype=torch.float64)}, id="another type"),
        pytest.param({"b": torch.zeros(3)}, id="another name"),
        pytest.param({"a": torch.zeros(3), "b": torch.ones(1)}, id="one more"),
        pytest.param({}, id="none"),
    ],
)
def test_a_file_that_has_changed_is_the_same_as_a_new_one(then: dict[str, Tensor]) -> None:
    encoder = Encoder()
    encoder.encode("model", {"a": torch.ones(3)})
    assert bytes(encoder.encode("model", then)) == bytes(encode(then))


def test_tensors_in_another_order_go_where_they_belong() -> None:
    encoder, tensors = Encoder(), {"b": torch.ones(3), "a": torch.zeros(3)}
    encoder.encode("model", tensors)
    assert_equal(decode(encoder.encode("model", dict(reversed(tensors.items())))), tensors)
