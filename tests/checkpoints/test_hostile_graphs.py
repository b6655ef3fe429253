"""Pickles whose values, walked without care, would take time or memory out of all proportion."""

from __future__ import annotations

import resource
import struct
import time
import tracemalloc
from pathlib import Path

import hostile_pickles as made
import pytest

from inspector.checkpoints import Checkpoint, open_checkpoint
from inspector.checkpoints.listing import to_json, to_text

START = b"\x80\x02"


def strings(count: int) -> bytes:
    """Keys and numbers for SETITEMS."""
    return b"".join(made.text(f"a{index}") + b"K\x01" for index in range(count))


def shared_state() -> bytes:
    """20,000 objects with one state of 5,000 attributes."""
    data = b"](" + b"}" + made.put(1) + b"(" + strings(5000) + b"u"
    return START + data + (b"cmy\nThing\n)R" + made.get(1) + b"b") * 20_000 + b"e."


def shared_module_parts() -> bytes:
    """20,000 modules with one dictionary of parameters."""
    parts = b"}" + made.put(1) + b"(" + strings(5000) + b"u"
    state = b"}(" + made.text("_parameters") + made.get(1) + made.text("_modules") + b"}u"
    return START + b"](" + parts + (b"cmy\nNet\n)R" + state + b"b") * 20_000 + b"e."


def shared_arguments() -> bytes:
    """20,000 objects with one tuple of 20,000 arguments, and sets of one list."""
    values = b"(" + b"K\x01" * 20_000 + b"t" + made.put(1)
    items = b"](" + b"K\x01" * 20_000 + b"e" + made.put(2)
    objects = (b"cmy\nThing\n" + made.get(1) + b"R") * 10_000
    sets = (b"c__builtin__\nset\n" + made.get(2) + b"\x85R") * 10_000
    return START + b"](" + values + items + objects + sets + b"e."


def shared_metadata() -> bytes:
    """20,000 tensors with one dictionary as their metadata."""
    storage = b"(" + made.text("storage") + b"ctorch\nFloatStorage\n" + made.text("0")
    storage += made.text("cpu") + b"K\x02tQ" + made.put(3)
    metadata = b"}" + made.put(1) + b"(" + strings(5000) + b"u"
    arguments = b"(" + made.get(3) + b"K\0K\x02\x85K\x01\x85\x89N" + made.get(1) + b"t"
    one = b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"
    return START + b"](" + storage + metadata + one * 20_000 + b"e."


def shared_wrapped() -> bytes:
    """20,000 parameters around one tensor with 5,000 attributes."""
    state = b"}(" + strings(5000) + b"u"
    inner = b"ctorch._utils\n_rebuild_parameter_with_state\n("
    inner += made.tensor("0") + b"\x88N" + state + b"tR" + made.put(1)
    outer = b"ctorch._utils\n_rebuild_parameter\n" + made.get(1) + b"\x88N\x87R"
    return START + b"](" + inner + outer * 20_000 + b"e."


def shared_components() -> bytes:
    """Wrappers of 64 tensors each, which are wrappers of 64 tensors each."""
    wrap = b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_wrapper_subclass\n"
    wrap += b"cmy\nT\n(cmy\nT\nctorch\nfloat32\n))K\0N" + made.text("cpu") + b"\x89t"
    data = made.tensor("0") + made.put(1)
    for level in (1, 2, 3):
        parts = b"".join(made.text(f"t{index}") + made.get(level) for index in range(64))
        data += wrap + b"}(" + parts + b"utR" + made.put(level + 1)
    many = b"".join(wrap + b"}(" + made.text("x") + made.get(4) + b"utR" for _ in range(500))
    return START + b"](" + data + many + b"e."


def long_component_names() -> bytes:
    """20,000 wrappers whose one attribute has a name of 1 MB, and 2,000 below a key of 9 KB."""
    wrap = b"ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._utils\n_rebuild_wrapper_subclass\n"
    wrap += b"cmy\nT\n(cmy\nT\nctorch\nfloat32\n))K\0N" + made.text("cpu") + b"\x89t"
    data = made.tensor("0") + made.put(1) + made.text("k" * 10**6) + made.put(2)
    parts = b"".join(made.text(f"t{index}") + made.get(1) for index in range(64))
    data += b"}(" + parts + b"u" + made.put(3)
    below = (wrap + made.get(3) + b"tR") * 2000
    named = b"}" + made.text("k" * 9000) + b"](" + below + b"es"
    return (
        START
        + b"]("
        + data
        + (wrap + b"}" + made.get(2) + made.get(1) + b"stR") * 20_000
        + (named + b"e.")
    )


def long_dtype_words() -> bytes:
    """20,000 arrays with one dtype of a million brackets."""
    dtype = b"cnumpy\ndtype\n" + made.text("<" * 10**6) + b"\x89\x88\x87R" + made.put(1)
    array = b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01K\x01\x85" + made.get(1)
    return START + b"](" + dtype + (array + b"\x89C\x01atb") * 20_000 + b"e."


def shared_tensor() -> bytes:
    """One tensor in a list 300,000 times."""
    return START + b"](" + made.tensor("0") + b"q\x01" + b"h\x01" * 300_000 + b"e."


def shared_bytes() -> bytes:
    """20,000 arrays whose bytes were written as one text of 500 KB."""
    dtype = b"cnumpy\ndtype\n(" + made.text("u1") + b"\x89\x88tR" + made.put(1)
    content = b"c_codecs\nencode\n(" + made.text("x" * 500_000) + made.put(2)
    content += made.text("latin1") + b"tR0"
    array = b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + made.numbers(500_000)
    array += made.get(1) + b"\x89c_codecs\nencode\n(" + made.get(2) + made.text("latin1")
    array += b"tRtb"
    return START + b"](" + dtype + content + array * 20_000 + b"e."


def long_keys() -> bytes:
    """One key of 1 MB on each of 200 levels, and 10,000 tensors below."""
    level = b"}" + made.get(1)
    tensors = b"".join(made.text(str(index)) + made.get(2) for index in range(10_000))
    data = b"](" + made.text("k" * 10**6) + made.put(1) + made.tensor("0") + made.put(2)
    return START + data + level * 200 + b"}(" + tensors + b"u" + b"s" * 200 + b"e."


def doubled_dicts() -> bytes:
    """40 levels, each of which holds the one below under two keys."""
    data = b"}" + made.text("w") + made.tensor("0") + b"s" + made.put(0) + b"0"
    for level in range(1, 40):
        below = made.get(level - 1)
        data += b"}(" + made.text("a") + below + made.text("b") + below + b"u"
        data += made.put(level) + b"0"
    return START + data + made.get(39) + b"."


GRAPHS = {
    maker.__name__: maker
    for maker in (
        shared_state,
        shared_module_parts,
        shared_arguments,
        shared_metadata,
        shared_wrapped,
        shared_components,
        long_component_names,
        long_dtype_words,
        shared_tensor,
        shared_bytes,
        long_keys,
        doubled_dicts,
    )
}


@pytest.mark.parametrize("name", GRAPHS)
def test_time_and_memory_are_in_proportion(tmp_path: Path, name: str) -> None:
    path = made.archive(tmp_path / "graph.pt", GRAPHS[name](), s0=bytes(8))
    size = path.stat().st_size
    began = time.process_time()
    checkpoint = open_checkpoint(path)
    took = time.process_time() - began
    assert took < 3 + size / 500_000
    del checkpoint
    tracemalloc.start()
    checkpoint = open_checkpoint(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert checkpoint.entries or checkpoint.values
    assert peak < 100e6 + 60 * size


def test_what_is_left_out_is_mentioned(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "graph.pt", doubled_dicts(), s0=bytes(8))
    checkpoint = open_checkpoint(path)
    assert len(checkpoint.entries) > 1
    assert any("again and again" in finding.message for finding in checkpoint.findings)
    path = made.archive(tmp_path / "long.pt", long_keys(), s0=bytes(8))
    assert any("much more memory" in finding.message for finding in open_checkpoint(path).findings)
    deep = START + b"]" * 5000 + made.tensor("0") + b"a" * 5000 + b"."
    path = made.archive(tmp_path / "deep.pt", deep, s0=bytes(8))
    assert any("deeper than" in finding.message for finding in open_checkpoint(path).findings)


def test_values_beyond_a_limit_are_counted(tmp_path: Path) -> None:
    one = b"}" + made.text("a rather long name of a number") + b"K\x01s"
    data = START + b"](" + one * 120_000 + b"e."
    checkpoint = open_checkpoint(made.archive(tmp_path / "values.pt", data))
    assert len(checkpoint.values) == 100_000
    assert any("20,000 more plain" in finding.message for finding in checkpoint.findings)


def test_cycles_of_every_kind_end(tmp_path: Path) -> None:
    data = (
        b"}" + made.put(0) + b"(" + made.text("self") + made.get(0) + made.text("list") + b"]"
    ) + made.put(1)
    data += made.get(1) + b"a" + made.get(0) + b"a" + made.tensor("0") + b"a"
    data += made.text("object") + b"cmy\nThing\n)R" + made.put(2) + b"}" + made.text("me")
    data += made.get(2) + b"sbu."
    checkpoint = open_checkpoint(made.archive(tmp_path / "cycle.pt", START + data, s0=bytes(8)))
    assert [entry.name for entry in checkpoint.entries] == ["list[2]"]


BIG = 2**62


@pytest.mark.parametrize(
    ("claims", "problem"),
    [
        ({"shape": b"K\x03\x85"}, "of which the file has 8"),
        ({"offset": b"K\x01"}, "of which the file has 8"),
        ({"stride": b"K\x02\x85"}, "of which the file has 8"),
        ({"offset": made.number(-1)}, "before its storage"),
        ({"stride": made.numbers(-1)}, "negative"),
        ({"shape": made.numbers(-2)}, "negative"),
        ({"stride": b")"}, "0"),
        ({"offset": made.number(2**200)}, "offset"),
        ({"offset": b"\x88"}, "none"),
        ({"shape": b"\x88\x85"}, "none"),
        ({"shape": b"G" + bytes(8) + b"\x85"}, "none"),
        ({"shape": b"N"}, "none"),
        ({"shape": made.numbers(2**300)}, "none"),
        ({"shape": made.numbers(*[1] * 65), "stride": made.numbers(*[1] * 65)}, "65 dimensions"),
        ({"shape": made.numbers(*[BIG] * 70), "stride": made.numbers(*[0] * 70)}, "none"),
        ({"shape": made.numbers(BIG, BIG), "stride": made.numbers(0, 0)}, "63 bits"),
        ({"kind": b"cmy\nStorage\n"}, "not known"),
        ({"kind": b"cos\nsystem\n"}, "not known"),
        ({"key": "7"}, "no storage"),
        ({"key": "../0"}, "no storage"),
    ],
)
def test_geometry_that_can_not_be(
    tmp_path: Path, claims: dict[str, bytes | str], problem: str
) -> None:
    data = START + b"}(" + made.text("bad") + made.tensor(**claims)  # type: ignore[arg-type]
    data += made.text("good") + made.tensor("0") + b"u."
    checkpoint = open_checkpoint(made.archive(tmp_path / "g.pt", data, s0=bytes(8)))
    bad, good = checkpoint.entries
    assert problem in bad.problem
    assert not good.problem
    assert any(finding.where == "bad" for finding in checkpoint.findings)
    shown(checkpoint)


@pytest.mark.parametrize(
    "claims",
    [
        {"shape": b"](K\x02e"},
        {"shape": b"ctorch\nSize\nK\x02\x85\x85R"},
        {"shape": made.numbers(10**6, 10**6), "stride": made.numbers(0, 0)},
        {"shape": made.numbers(0, 5), "stride": made.numbers(5, 1), "offset": b"K\x63"},
        {"shape": b")", "stride": b")", "offset": b"K\x01"},
        {"count": made.number(-5)},
    ],
)
def test_geometry_that_is_unusual_but_legal(tmp_path: Path, claims: dict[str, bytes]) -> None:
    data = START + b"}" + made.text("t") + made.tensor(**claims) + b"s."  # type: ignore[arg-type]
    checkpoint = open_checkpoint(made.archive(tmp_path / "g.pt", data, s0=bytes(8)))
    assert not checkpoint.entries[0].problem
    shown(checkpoint)


def test_a_storage_shorter_than_it_claims_is_mentioned(tmp_path: Path) -> None:
    for count, told in ((3, "12"), (1000, "4,000"), (2**2000, "an integer of 2,003 bits")):
        data = START + b"}" + made.text("t") + made.tensor(count=made.number(count)) + b"s."
        checkpoint = open_checkpoint(made.archive(tmp_path / "g.pt", data, s0=bytes(8)))
        assert not checkpoint.entries[0].problem
        shorter = f"A storage is shorter than the file says: it has 8 of {told} bytes."
        assert shorter in [finding.message for finding in checkpoint.findings]


@pytest.mark.parametrize(
    "function",
    [
        "torch._utils\n_rebuild_tensor\n",
        "torch._utils\n_rebuild_tensor_v2\n",
        "torch._utils\n_rebuild_tensor_v3\n",
        "torch._utils\n_rebuild_parameter\n",
        "torch._utils\n_rebuild_parameter_with_state\n",
        "torch._utils\n_rebuild_sparse_tensor\n",
        "torch._utils\n_rebuild_qtensor\n",
        "torch._utils\n_rebuild_nested_tensor\n",
        "torch._utils\n_rebuild_meta_tensor_no_storage\n",
        "torch._utils\n_rebuild_wrapper_subclass\n",
        "torch._utils\n_rebuild_device_tensor_from_cpu_tensor\n",
        "torch._tensor\n_rebuild_from_type_v2\n",
        "torch.nested._internal.nested_tensor\n_rebuild_njt\n",
        "numpy.core.multiarray\n_reconstruct\n",
        "numpy._core.multiarray\nscalar\n",
        "numpy._core.numeric\n_frombuffer\n",
        "_codecs\nencode\n",
        "collections\nOrderedDict\n",
        "torch\nSize\n",
        "torch\ndevice\n",
        "copyreg\n_reconstructor\n",
    ],
)
def test_functions_with_arguments_that_make_no_sense(tmp_path: Path, function: str) -> None:
    junk = [b")", b"N", b"K\x01", b"]", b"}", b"(NNNNNNNNNt", b"(K\x01K\x02K\x03K\x04t"]
    junk += [b"(" + made.tensor("0") * count + b"t" for count in range(1, 9)]
    junk += [b"(" + made.text("a") * count + b"t" for count in range(1, 9)]
    junk += [b"((N)t((K\x01t)tt", b"(]]]]]]]]t", b"(}}}}}}}}t"]
    data = b"".join(b"c" + function.encode() + arguments + b"R" for arguments in junk)
    data += b"".join(b"c" + function.encode() + b")R" + state + b"b" for state in junk)
    path = made.archive(tmp_path / "j.pt", START + b"](" + data + b"e.", s0=bytes(8))
    shown(open_checkpoint(path))


def test_a_tensor_of_itself(tmp_path: Path) -> None:
    data = b"ctorch._utils\n_rebuild_parameter\n](" + b"NNNe" + b"R."
    shown(open_checkpoint(made.archive(tmp_path / "a.pt", START + data)))
    deep = b"ctorch._utils\n_rebuild_parameter\n(" * 5000 + made.tensor("0") + b"\x88NtR" * 5000
    (entry,) = open_checkpoint(made.archive(tmp_path / "b.pt", START + deep + b".")).entries
    assert entry.problem


def test_nothing_waits_for_memory(tmp_path: Path) -> None:
    """A pickle that asks for 4 GB in 13 bytes does not get it, not even for a moment."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for code in (b"\x96", b"\x8d", b"\x8e"):
        data = b"\x80\x05" + code + struct.pack("<Q", 4 << 30) + b"abc."
        with pytest.raises(Exception, match="ends too early"):
            open_checkpoint(made.archive(tmp_path / "a.pt", data))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000


def shown(checkpoint: Checkpoint) -> None:
    """Everything that the command line would print of it can be made."""
    to_json(checkpoint)
    for line in to_text(checkpoint):
        line.encode()
    for entry in checkpoint.entries:
        assert str(entry.numel)
        assert str(entry.nbytes)
