"""Entries and storages are made by hand-written code, and are frozen dataclasses all the same."""

from __future__ import annotations

import copy
import inspect
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from inspector.checkpoints.model import Storage, TensorEntry
from inspector.checkpoints.sources import MemoryBytes

CLASSES = [TensorEntry, Storage]


def entry(name: str = "w") -> TensorEntry:
    return TensorEntry(name, (name,), "float32", (2,), (1,), None, problem="It is lost.")


@pytest.mark.parametrize("made", CLASSES)
def test_each_argument_sets_the_field_of_its_name(made: type) -> None:
    names = [each.name for each in fields(made)]
    assert list(inspect.signature(made).parameters) == names
    values = [object() for _ in names]
    for instance in (made(*values), made(**dict(zip(names, values, strict=True)))):
        assert [getattr(instance, name) for name in names] == values


@pytest.mark.parametrize("made", CLASSES)
def test_no_field_can_be_set_or_deleted_afterwards(made: type) -> None:
    names = [each.name for each in fields(made)]
    instance = made(*names)
    for name in names:
        with pytest.raises(FrozenInstanceError):
            setattr(instance, name, None)
        with pytest.raises(FrozenInstanceError):
            delattr(instance, name)
        assert getattr(instance, name) == name
    assert not hasattr(instance, "__dict__")


def test_what_is_not_said_is_ordinary() -> None:
    made = TensorEntry("w", ("w",), "float32", (2,), (1,), None)
    assert (made.storage_offset, made.device, made.kind, made.problem) == (0, "cpu", "dense", "")
    assert (made.requires_grad, made.is_conj, made.is_neg) == (False, False, False)
    assert (made.components, made.details) == ((), {})
    assert Storage(MemoryBytes(b""), 0, 0, "0").byteorder == "little"


def test_what_entries_share_can_not_be_changed() -> None:
    with pytest.raises(TypeError):
        entry().details["class"] = "x"  # type: ignore[index]


def test_an_entry_is_replaced_copied_and_compared_by_identity() -> None:
    first = entry()
    other = replace(first, name="b", details={"layout": "strided"})
    assert (other.name, other.dtype, other.problem) == ("b", "float32", "It is lost.")
    assert other.details == {"layout": "strided"}
    assert copy.copy(first).path == ("w",)
    assert first != entry()
    assert len({first, entry()}) == 2
