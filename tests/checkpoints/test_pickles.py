"""The interpreter of opcodes: the same as Python's own reader, but for what that would run."""

from __future__ import annotations

import collections
import pickle
import pickletools
import struct
from typing import Any

import hostile_pickles as made
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inspector.checkpoints.errors import Cancelled, CheckpointError
from inspector.checkpoints.pickle_nodes import (
    DictNode,
    GlobalNode,
    ObjectNode,
    OpaqueNode,
    PersistentNode,
    SetNode,
)
from inspector.checkpoints.pickles import interpret


def thawed(value: Any) -> Any:
    """Nodes of plain data as the data; only for pickles that are our own."""
    if isinstance(value, DictNode):
        return {thawed(key): thawed(item) for key, item in value.pairs}
    if isinstance(value, SetNode):
        elements = [thawed(item) for item in value.elements]
        return frozenset(elements) if value.frozen else set(elements)
    if isinstance(value, list):
        return [thawed(item) for item in value]
    if isinstance(value, tuple):
        return tuple(thawed(item) for item in value)
    if isinstance(value, ObjectNode):
        assert isinstance(value.callee, GlobalNode)
        args = [thawed(item) for item in value.args]  # type: ignore[attr-defined]
        if value.callee.qualified == "_codecs.encode":
            return args[0].encode(args[1])
        name = value.callee.qualified.replace("__builtin__.", "builtins.")
        made_by = {"builtins.set": set, "builtins.frozenset": frozenset, "builtins.bytes": bytes}
        return made_by[name](*args)
    return value


hashable = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(max_size=300),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
plain = st.recursive(
    hashable,
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner)
        | st.tuples(inner, inner, inner, inner)
        | st.dictionaries(hashable, inner)
        | st.sets(hashable)
    ),
    max_leaves=25,
)


@given(plain, st.integers(0, 5))
@settings(max_examples=500, deadline=None)
def test_plain_data_is_what_python_reads(value: object, protocol: int) -> None:
    data = pickle.dumps(value, protocol)
    read = interpret(data + b"rest")
    assert thawed(read.value) == value
    assert read.end == len(data)
    assert read.opcodes == sum(1 for _ in pickletools.genops(data))


@given(plain)
@settings(max_examples=100, deadline=None)
def test_optimized_pickles_have_other_memos(value: object) -> None:
    assert thawed(interpret(pickletools.optimize(pickle.dumps(value, 2))).value) == value


def test_every_opcode_is_known() -> None:
    unknown = []
    for opcode in pickletools.opcodes:
        # What follows is as good an argument as any, and otherwise opcodes that are known.
        data = b"\x80\x02((NN" + opcode.code.encode("latin1") + b"N" * 16
        try:
            interpret(data)
        except CheckpointError as error:
            if "does not exist" in error.message:
                unknown.append(opcode.name)
    assert unknown == []
    with pytest.raises(CheckpointError, match="does not exist"):
        interpret(b"\x80\x02\xff.")


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"I01\n.", True),
        (b"I00\n.", False),
        (b"I-12\n.", -12),
        (b"L123456789012345678901L\n.", 123456789012345678901),
        (b"F1.5e3\n.", 1500.0),
        (b"S'it\\'s\\x41\\n\\101'\n.", "it'sA\nA"),
        (b'S"a\\q"\n.', "a\\q"),
        (b"U\x03abc.", "abc"),
        (b"U\x02\xff\xfe.", b"\xff\xfe"),
        (b"Vd\\u00e9j\\u00e0\n.", "déjà"),
        (b"X\x03\0\0\0\xed\xa0\x80.", "\ud800"),
        (b"\x8b\x02\0\0\0\xff\xff.", -1),
        (b"\x96\x02\0\0\0\0\0\0\0ab.", b"ab"),
        (b"(K\x01K\x02l.", [1, 2]),
        (b"K\x01K\x02K\x03\x87.", (1, 2, 3)),
        (b"K\x072\x86.", (7, 7)),
        (b"K\x01(K\x02K\x031.", 1),
        (b"K\x01(0.", 1),
        (b"]K\x05a.", [5]),
        (b"](K\x01K\x02e.", [1, 2]),
        (b"K\x09p5\n0g5\n.", 9),
        # Python 2 counts its memo from 1.
        (b"K\x09q\x010h\x01.", 9),
        (b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00K\x01.", 1),
    ],
)
def test_opcodes_one_by_one(data: bytes, value: object) -> None:
    read = interpret(data).value
    assert read == value
    assert type(read) is type(value)


def test_objects_keep_what_was_put_into_them() -> None:
    data = (
        b"\x80\x02cmy.module\nThing\n"
        + made.numbers(1, 2)
        + b"}"
        + made.text("name")
        + b"K\x03s\x92"
        + (b"K\x04a" + b"(K\x05K\x06u" + made.text("state") + b"b" + b"Nb.")
    )
    read = interpret(data)
    node = read.value
    assert isinstance(node, ObjectNode)
    assert isinstance(node.callee, GlobalNode)
    assert (node.callee.module, node.callee.name) == ("my.module", "Thing")
    assert node.args == (1, 2)
    assert isinstance(node.kwargs, DictNode)
    assert node.kwargs.pairs == [("name", 3)]
    assert (node.elements, node.pairs, node.states) == ([4], [(5, 6)], ["state", None])
    assert [(found.qualified, found.offset) for found in read.globals] == [("my.module.Thing", 2)]


def test_globals_are_recorded_once_and_in_order() -> None:
    ask = b"ca\nb\n" + b"\x8c\x01c\x8c\x01d\x93" + b"ca\nb\n" + b"(ie\nf\n"
    read = interpret(b"\x80\x04(" + ask + b"t.")
    assert [found.qualified for found in read.globals] == ["a.b", "c.d", "e.f"]
    first, _, again, _ = read.value  # type: ignore[misc]
    assert first is again


def test_references_to_what_is_not_in_the_file() -> None:
    read = interpret(b"\x80\x05(K\x01QPname\n\x82\x07\x97t.").value
    binary, line, extension, buffer = read  # type: ignore[misc]
    assert isinstance(binary, PersistentNode)
    assert binary.pid == 1
    assert isinstance(line, PersistentNode)
    assert line.pid == "name"
    assert isinstance(extension, OpaqueNode)
    assert "7" in extension.text
    assert isinstance(buffer, OpaqueNode)


def test_a_state_for_a_class_of_ours_changes_nothing_of_ours() -> None:
    data = b"\x80\x02cinspector.checkpoints.pickle_nodes\nGlobalNode\nN}"
    data += made.text("qualified") + b"K\x01s\x86b."
    before = dict(vars(GlobalNode))
    node = interpret(data).value
    assert dict(vars(GlobalNode)) == before
    assert isinstance(node, ObjectNode)
    assert isinstance(node.callee, GlobalNode)
    assert len(node.states) == 1


@pytest.mark.parametrize("target", [b"K\x01", b"X\x01\0\0\0a", b"]", b"}", b"\x8f", b"N", b")"])
def test_items_for_anything_stay_reachable(target: bytes) -> None:
    node = interpret(b"\x80\x04" + target + b"(K\x07K\x08uK\x09aNb.").value
    # However many objects stand around the target.
    for _ in range(3):
        if isinstance(node, ObjectNode) and not isinstance(node.callee, GlobalNode):
            node = node.callee
    assert not isinstance(node, ObjectNode)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        b"\x80\x06N.",
        b"N",
        b".",
        b"0.",
        b"1.",
        b"t.",
        b"R.",
        b"N\x86.",
        b"NR.",
        b"h\x00.",
        b"j\xff\xff\xff\xff.",
        b"g-1\n.",
        b"gx\n.",
        b"N" + b"r\xff\xff\xff\x7f.",
        b"Np-1\n.",
        b"(Nd.",
        b"(Nu.",
        b"}(Nu.",
        b"NN\x93.",
        b"I\xff\n.",
        b"I" + b"1" * 5000 + b"\n.",
        b"F--\n.",
        b"Sabc\n.",
        b"X\x05\0\0\0ab.",
        b"X\xff\xff\xff\xff.",
        b"\x8b\xff\xff\xff\xff.",
        b"X\x01\0\0\0\xff.",
        b"cabc",
        b"ca\n\xff\n.",
        b"G\0\0.",
        b"\x95\0\0.",
    ],
)
def test_damage_is_one_error_with_its_place(data: bytes) -> None:
    with pytest.raises(CheckpointError) as caught:
        interpret(data, name="data.pkl")
    assert caught.value.message.startswith("data.pkl ")
    assert caught.value.where.startswith("byte ")


@pytest.mark.parametrize(
    ("data", "unused"), [(b"NK\1.", 1), (b"(K\1.", 0), (b"K\2K\3(NK\1.", 3), (b"K\1.", 0)]
)
def test_the_value_is_the_last_one_made_as_for_python(data: bytes, unused: int) -> None:
    found = interpret(data)
    assert found.value == pickle.loads(data) == 1
    assert found.unused == unused


def test_a_hole_in_the_memo_is_no_value() -> None:
    with pytest.raises(CheckpointError, match="not there"):
        interpret(b"Nq\x05h\x03.")
    with pytest.raises(CheckpointError, match="not there"):
        interpret(b"Nq\x05j\x03\0\0\0.")
    with pytest.raises(CheckpointError, match="not there"):
        interpret(b"Nq\x05g3\n.")


def test_a_million_levels_are_freed_without_a_crash() -> None:
    for level in (b"\x85", b"R"):
        start = b"cx\ny\n" if level == b"R" else b")"
        data = start + (b")R" if level == b"R" else level) * 10**6 + b"."
        read = interpret(data)
        assert read.value is not None
        del read


def test_it_can_be_cancelled_within_a_long_pickle() -> None:
    calls = []

    def check() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        interpret(b"N0" * 10**6 + b"N.", check=check)
    assert len(calls) == 3


def test_opcodes_are_counted_over_rounds() -> None:
    assert interpret(b"N0" * 100_000 + b"N.").opcodes == 200_002


def test_several_pickles_in_a_row() -> None:
    data = pickle.dumps([1], 2) + pickle.dumps("two", 2)
    first = interpret(data)
    assert first.value == [1]
    assert interpret(data, first.end).value == "two"


def test_ordered_dicts_and_subclasses() -> None:
    value = collections.OrderedDict(a=1, b=2)
    for protocol in range(6):
        node = interpret(pickle.dumps(value, protocol)).value
        assert isinstance(node, ObjectNode)
        assert node.pairs == [("a", 1), ("b", 2)]


@given(st.binary(max_size=200))
@settings(max_examples=1000, deadline=None)
def test_any_bytes_give_a_value_or_the_one_error(data: bytes) -> None:
    try:
        interpret(data)
    except CheckpointError:
        return


opcodes = st.sampled_from([code.code.encode("latin1") for code in pickletools.opcodes])
arguments = st.sampled_from([b"", b"\0", b"\x01", b"1\n", b"a\nb\n", struct.pack("<I", 3)])


@given(st.lists(st.tuples(opcodes, arguments), max_size=60))
@settings(max_examples=1500, deadline=None)
def test_any_opcodes_give_a_value_or_the_one_error(program: list[tuple[bytes, bytes]]) -> None:
    try:
        interpret(b"((NK\x01]}" + b"".join(code + rest for code, rest in program) + b".")
    except CheckpointError:
        return


def _outline(data: bytes) -> object:
    """All that a pickle comes to, by values; or the sentence of its error."""
    try:
        found = interpret(data)
    except CheckpointError as error:
        return error.message

    def plain(value: object, depth: int = 0) -> object:
        kind = type(value).__name__
        if depth > 20:
            return kind
        if isinstance(value, list | tuple):
            return kind, [plain(item, depth + 1) for item in value]
        if isinstance(value, ObjectNode):
            inside = (value.kwargs, value.states, value.pairs, value.elements)
            return kind, plain((value.callee, value.args, *inside), depth + 1)
        slots = getattr(value, "__slots__", None)
        if slots is None:
            return kind, repr(value)
        # where something was found first is no part of what it is
        names = [name for name in slots if name != "offset"]
        return kind, [plain(getattr(value, name), depth + 1) for name in names]

    return plain(found.value)


#: ``f(7, False, g())`` as torch's pickler ends a tensor, and then all three again from the memo.
_TWO_CLASSES = b"\x80\x02cm\nf\nr\0\0\0\x000cm\ng\nr\x01\0\0\x000"
_CALL_BEFORE = _TWO_CLASSES + b"(h\0(K\x07\x89"
_CALL = b"h\x01)Rr\x02\0\0\0tr\x03\0\0\0Rr\x04\0\0\0"
_CALL_AFTER = b"h\x02h\x03h\x04t."


@given(st.integers(0, len(_CALL) - 1), st.binary(min_size=1, max_size=1), st.booleans())
def test_the_end_of_a_tensor_means_in_one_step_what_it_means_in_nine(
    at: int, changed: bytes, whole: bool
) -> None:
    call = _CALL if whole else _CALL[:at] + changed + _CALL[at + 1 :]
    # FRAME changes nothing, but stands in the way of the one step
    stepwise = _CALL_BEFORE + b"\x95" + bytes(8) + call + _CALL_AFTER
    assert _outline(_CALL_BEFORE + call + _CALL_AFTER) == _outline(stepwise)


@pytest.mark.parametrize("before", [b"\x89", b"(\x89", b"cm\nf\n\x89", b"(cm\nf\n(\x89"])
@pytest.mark.parametrize("end", range(len(_CALL) + 1))
def test_the_end_of_a_tensor_alone_or_cut_fails_as_it_does_in_nine_steps(
    before: bytes, end: int
) -> None:
    before = _TWO_CLASSES + before
    stepwise = before + b"\x95" + bytes(8) + _CALL[:end] + b"."
    assert _outline(before + _CALL[:end] + b".") == _outline(stepwise)


def test_each_opcode_of_the_end_of_a_tensor_counts() -> None:
    data = _CALL_BEFORE + _CALL + _CALL_AFTER
    assert _outline(data) != _outline(data[:-2] + b".")
    assert interpret(data).opcodes == sum(1 for _ in pickletools.genops(data))
