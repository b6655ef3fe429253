"""The pieces of nested tensors, beside torch's ``unbind``; and tensors that wrap others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from made_entries import made_of, source_of

from inspector.checkpoints import Checkpoint, open_checkpoint
from inspector.checkpoints.errors import TensorError
from inspector.checkpoints.model import TensorEntry
from inspector.values.forms import forms_of
from inspector.values.nested import piece_named, pieces_of
from inspector.values.regions import Region
from inspector.values.tensors import tensor_source

pytestmark = pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")


def saved(tmp_path: Path, tensor: torch.Tensor) -> Checkpoint:
    path = tmp_path / "saved.pt"
    torch.save({"t": tensor}, path)
    return open_checkpoint(path)


def whole(entry: TensorEntry) -> np.ndarray:
    return tensor_source(entry).read(Region.whole(entry.shape))


PIECES = [torch.randn(2, 3), torch.randn(4, 3), torch.randn(0, 3), torch.randn(1, 3)]


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.nested.nested_tensor(PIECES, layout=torch.jagged),
        lambda: torch.nested.nested_tensor(PIECES, layout=torch.jagged).transpose(1, 2),
        lambda: torch.nested.nested_tensor(
            [piece.bfloat16() for piece in PIECES], layout=torch.jagged
        ),
        lambda: torch.nested.narrow(
            torch.arange(20.0).reshape(2, 10),
            1,
            torch.tensor([0, 2]),
            torch.tensor([3, 4]),
            layout=torch.jagged,
        ),
        lambda: torch.nested.nested_tensor(
            [torch.randn(2, 3), torch.randn(3, 1), torch.randn(1, 1)]
        ),
        lambda: torch.nested.nested_tensor([torch.randn(2, 3), torch.randn(4, 3)]).transpose(1, 2),
        lambda: torch.nested.nested_tensor([torch.arange(3), torch.arange(5)]),
    ],
    ids=["jagged", "turned", "bfloat16", "narrowed", "strided", "strided, turned", "1-d"],
)
def test_pieces_are_those_of_torch(tmp_path: Path, make: Callable[[], torch.Tensor]) -> None:
    tensor = make()
    checkpoint = saved(tmp_path, tensor)
    (entry,) = checkpoint.entries
    pieces = pieces_of(entry)
    expected = tensor.unbind()
    assert [piece.name for piece in pieces] == [f"t[{number}]" for number in range(len(expected))]
    for piece, theirs in zip(pieces, expected, strict=True):
        assert piece.shape == tuple(theirs.shape)
        assert np.array_equal(whole(piece), theirs.float().numpy())
    (last,) = pieces_of(entry, range(len(expected) - 1, len(expected)))
    assert last.shape == pieces[-1].shape
    backwards = pieces_of(entry, range(len(expected) - 1, -1, -1))
    assert [piece.shape for piece in backwards] == [piece.shape for piece in reversed(pieces)]
    named = piece_named(checkpoint, "t[1]")
    assert named is not None
    assert np.array_equal(whole(named), expected[1].float().numpy())


def test_a_nested_tensor_names_its_pieces_and_its_parts(tmp_path: Path) -> None:
    checkpoint = saved(tmp_path, torch.nested.nested_tensor(PIECES, layout=torch.jagged))
    (entry,) = checkpoint.entries
    assert forms_of(entry) == ()
    with pytest.raises(TensorError) as caught:
        tensor_source(entry)
    assert "4 pieces, each with a shape of its own" in str(caught.value)
    assert "t[0], t[1], t[2] … t[3]" in str(caught.value)
    assert "t.values, t.offsets" in str(caught.value)
    for name in ("t[4]", "t[-1]", "t[x]", "t[]", "u[0]", "t", "t.values[0]", f"t[{'9' * 99}]"):
        assert piece_named(checkpoint, name) is None


def test_a_few_of_a_million_pieces_read_little() -> None:
    count = 1 << 20
    entry = made_of(
        "nested",
        (count,),
        {"layout": "jagged"},
        values=np.arange(count, dtype=np.float32),
        offsets=np.arange(count + 1),
    )
    (piece,) = pieces_of(entry, range(count - 1, count))
    assert whole(piece).tolist() == [count - 1]
    assert source_of(entry, "offsets").taken == 16
    assert len(pieces_of(entry)) == 10_000
    with pytest.raises(TensorError, match="ask for 10,000"):
        pieces_of(entry, range(count))


STRIDED = {
    "values": np.arange(6.0),
    "sizes": [[2], [4]],
    "strides": [[1], [1]],
    "storage_offsets": [0, 2],
}


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"sizes": [[2], [5]]}, r"byte 7 of its storage, of which the file has 6"),
        ({"storage_offsets": [0, -1]}, "begins before"),
        ({"strides": [[1], [-1]]}, "stride is negative"),
    ],
)
def test_a_damaged_piece_says_so_and_the_others_open(parts: dict[str, object], words: str) -> None:
    entry = made_of("nested", (2,), {"layout": "strided"}, **(STRIDED | parts))
    good, bad = pieces_of(entry)
    assert whole(good).tolist() == [0, 1]
    with pytest.raises(TensorError, match=words):
        tensor_source(bad)


@pytest.mark.parametrize(
    "parts",
    [
        {"sizes": [2, 4]},
        {"strides": [[1, 1], [1, 1]]},
        {"storage_offsets": [0.5, 1]},
        {"storage_offsets": [0]},
        {"values": np.ones((2, 3))},
    ],
)
def test_parts_that_do_not_fit_are_refused(parts: dict[str, object]) -> None:
    entry = made_of("nested", (2,), {"layout": "strided"}, **(STRIDED | parts))
    with pytest.raises(TensorError, match="of t "):
        pieces_of(entry)


def test_damaged_offsets_of_a_jagged_tensor() -> None:
    for offsets, lengths in (([0, 7, 8], [7, 1]), ([-1, 2, 6], [3, 4]), ([0, 4, 2], [4, -2])):
        for parts in ({}, {"lengths": lengths}):
            entry = made_of(
                "nested",
                (2,),
                {"layout": "jagged"},
                values=np.arange(6.0),
                offsets=offsets,
                **parts,
            )
            assert any("reaches from" in piece.problem for piece in pieces_of(entry))
    entry = made_of("nested", (2,), {"layout": "jagged"}, values=np.arange(6.0), offsets=[0, 1])
    with pytest.raises(TensorError, match="offsets of t"):
        pieces_of(entry)
    broken = made_of(
        "nested", (1,), {"layout": "jagged", "ragged axis": "3"}, values=[1.0], offsets=[0, 1]
    )
    with pytest.raises(TensorError, match="ragged axis of t"):
        pieces_of(broken)


class Wrapper(torch.Tensor):
    """Like a DTensor: no numbers of its own."""

    @staticmethod
    def __new__(cls, *inner: torch.Tensor) -> Wrapper:
        made: Wrapper = torch.Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, (8, 2), dtype=inner[0].dtype
        )
        return made

    def __init__(self, *inner: torch.Tensor) -> None:
        for number, tensor in enumerate(inner):
            setattr(self, f"part{number}", tensor)

    @classmethod
    def __torch_dispatch__(cls, *args: object, **kwargs: object) -> object:
        raise NotImplementedError


class DTensor(Wrapper):
    """By the name of torch's own, which needs a process group."""


def test_a_wrapper_of_one_tensor_is_seen_as_that(tmp_path: Path) -> None:
    inner = torch.randn(4, 2).bfloat16()
    for cls, words in ((Wrapper, "part0 of a Wrapper"), (DTensor, "the local shard of a DTensor")):
        (entry,) = saved(tmp_path, cls(inner)).entries
        assert forms_of(entry) == ("values", "raw")
        source = tensor_source(entry)
        assert (source.shape, source.entry) == ((4, 2), entry)
        found = source.read(Region.whole(source.shape))
        assert np.array_equal(found, inner.float().numpy())
        assert source.steps[0].text == f"{words}; the whole is 8 × 2"
        bits = tensor_source(entry, "raw").read(Region.whole((4, 2)))
        assert bits.tobytes() == inner.view(torch.int16).numpy().tobytes()


def test_a_wrapper_of_a_sparse_tensor_has_its_forms(tmp_path: Path) -> None:
    inner = torch.eye(3).to_sparse()
    checkpoint = saved(tmp_path, Wrapper(inner))
    (entry,) = checkpoint.entries
    assert forms_of(entry) == ("values", "pattern")
    part = checkpoint.find("t.part0.indices")
    assert part is not None
    assert part.shape == (2, 3)
    assert np.array_equal(tensor_source(entry).read(Region.whole((3, 3))), np.eye(3))


def test_a_wrapper_of_several_tensors_names_them(tmp_path: Path) -> None:
    (entry,) = saved(tmp_path, Wrapper(torch.ones(2), torch.ones(3))).entries
    assert forms_of(entry) == ()
    with pytest.raises(TensorError, match=r"several tensors.*t\.part0, t\.part1"):
        tensor_source(entry)
