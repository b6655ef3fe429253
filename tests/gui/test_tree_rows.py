"""Trees of entries, their order, and the rows that show."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inspector.checkpoints.errors import Cancelled, CheckpointError
from inspector.checkpoints.model import Checkpoint, PathPart, Storage, TensorEntry, ValueEntry
from inspector.checkpoints.naming import OtherKey
from inspector.gui.entry_filter import parse_filter
from inspector.gui.opened import OpenFile
from inspector.gui.tree_nodes import FileTree, RowKey, grow_tree
from inspector.gui.tree_rows import Folding, Rows, RowsWanted, build_rows
from inspector.gui.tree_sorting import Column, Sort, natural_key
from inspector.gui.tree_text import (
    amount_text,
    bytes_text,
    cell_text,
    short_dtype,
    tooltip,
    totals_texts,
)


class NoSource:
    """A source that no tree may ever read."""

    size = 0

    def read(self, offset: int, length: int) -> bytes:
        raise AssertionError

    def read_into(self, offset: int, buffer: memoryview) -> None:
        raise AssertionError

    def close(self) -> None:
        pass


def tensor(
    name: str,
    path: tuple[PathPart, ...] | None = None,
    shape: tuple[int, ...] = (2, 3),
    dtype: str = "float32",
    **more: object,
) -> TensorEntry:
    path = (name,) if path is None else path
    stride = tuple(1 for _ in shape)
    storage = more.pop("storage", None)
    return TensorEntry(name, path, dtype, shape, stride, storage, **more)  # type: ignore[arg-type]


def value(name: str, *path: PathPart) -> ValueEntry:
    return ValueEntry(name, path or (name,), "int", "12")


def opened(
    entries: Sequence[TensorEntry], values: Sequence[ValueEntry] = (), number: int = 1
) -> OpenFile:
    path = Path("/somewhere/model.pt")
    return OpenFile(number, path, Checkpoint(path, "torch zip", 100, entries, values))


def no_pause() -> None:
    pass


def no_tree(_: FileTree) -> None:
    pass


def rows_of(*files: OpenFile, text: str = "", **wanted: object) -> Rows:
    request = RowsWanted(files, filter=parse_filter(text), **wanted)  # type: ignore[arg-type]
    return build_rows(request, no_pause, no_tree)


def unfolded(*files: OpenFile, text: str = "", sort: Sort | None = None) -> Rows:
    return rows_of(*files, text=text, sort=sort, folding=Folding(base=True))


def outline(rows: Rows) -> list[str]:
    """The rows as text, indented by level."""
    found = (rows.at(number) for number in range(len(rows)))
    return [f"{' ' * row.depth}{cell_text(row, Column.NAME)}" for row in found]


def names(*found: str) -> OpenFile:
    return opened([tensor(name) for name in found])


# The tree


def test_text_is_split_at_dots_and_chains_share_a_row() -> None:
    file = names("model.layers.0.q.weight", "model.layers.0.q.bias", "model.layers.1.w", "head.w")
    assert outline(unfolded(file)) == [
        "model.pt",
        " model.layers",
        "  0.q",
        "   weight",
        "   bias",
        "  1.w",
        " head.w",
    ]


def test_integers_are_not_text() -> None:
    file = opened(
        [
            tensor("a[0]", ("a", 0)),
            tensor("a.0", ("a", "0")),
            tensor("b[1].x", ("b", 1, "x")),
            tensor("c[(1, 2)].y", ("c", OtherKey("[(1.5, 2)]"), "y")),
        ]
    )
    assert outline(unfolded(file)) == [
        "model.pt",
        " a",
        "  [0]",
        "  0",
        " b[1].x",
        " c[(1.5, 2)].y",
    ]


def test_a_tensor_and_a_group_of_one_name_both_show() -> None:
    rows = unfolded(names("a", "a.b", "a.c"))
    assert outline(rows) == ["model.pt", " a", " a", "  b", "  c"]
    assert rows.find(RowKey(1, "tensor", "a")) == 1
    assert rows.at(2).item is None


def test_values_come_after_the_tensors_of_their_group() -> None:
    values = [value("epoch"), value("a.lr", "a", "lr")]
    file = opened([tensor("a.x"), tensor("b")], values)
    assert outline(unfolded(file)) == [
        "model.pt",
        " a",
        "  x",
        "  lr = 12",
        " b",
        " epoch = 12",
    ]


def test_parts_of_a_tensor_lie_below_it() -> None:
    parts = (tensor("s.indices"), tensor("s.values", shape=(5,)))
    sparse = tensor("s", shape=(10**6, 10**6), kind="sparse_coo", components=parts)
    rows = unfolded(opened([sparse, tensor("t")]))
    assert outline(rows) == ["model.pt", " s", "  indices", "  values", " t"]
    assert rows.totals.tensors == 2
    assert rows.totals.elements == 6 + 6  # what is stored, not a million squared
    assert rows.at(0).nbytes == rows.totals.nbytes == (6 + 5 + 6) * 4
    assert outline(rows_of(opened([sparse, tensor("t")])))[1:] == [" s", " t"]


def test_groups_have_full_names() -> None:
    path = ("a\x1eb\x1f1", 3, OtherKey("[(1, 2)]"))
    file = opened([tensor(name, (*path, name)) for name in "xy"] + [tensor("z")])
    row = unfolded(file).at(1)
    assert row.tree.full_name(row.node) == "a\x1eb\x1f1[3][(1, 2)]"


def test_odd_names_have_labels() -> None:
    rows = unfolded(opened([tensor("", ("",)), tensor(".a."), tensor("bare", ())]))
    assert outline(rows) == ["model.pt", ' ""', ' "".a.""', " bare"]


def test_deep_names_end_in_one_label() -> None:
    rows = unfolded(names(".".join("a" * 5_000), ".".join("a" * 4_999 + "b")))
    assert len(rows) < 60
    assert outline(rows)[-1].endswith("b")


def test_hostile_names_are_shown_escaped_and_short() -> None:
    rows = unfolded(names("\u202eevil\nname\ud800", "x" * 10_000))
    shown = outline(rows)
    assert shown[1] == " \\u202eevil\\u000aname\\ud800"
    assert len(shown[2]) < 500
    assert "<b>" not in tooltip(unfolded(names("<b>x</b>")).at(1)).replace("<p><b>", "")


def test_files_that_are_not_read() -> None:
    error = CheckpointError("It is truncated.")
    rows = rows_of(OpenFile(1, Path("/a/m.pt")), OpenFile(2, Path("/b/m.pt"), None, error))
    assert [cell_text(rows.at(row), Column.SHAPE) for row in range(2)] == [
        "reading…",
        "It is truncated.",
    ]
    assert [segment.hint for segment in rows.segments] == ["a", "b"]


NAMES = st.lists(st.text(alphabet="a.0\x1c\x1d\x1e\x1f\u202e", max_size=6), max_size=20)
PATHS = st.lists(
    st.lists(st.one_of(st.integers(0, 2), st.text(alphabet="ab.", max_size=3)), max_size=4),
    max_size=20,
)


def entries_at(paths: list[list[PathPart]]) -> list[TensorEntry]:
    return [tensor(f"{number}", tuple(path)) for number, path in enumerate(paths)]


@given(PATHS, NAMES, st.sampled_from([None, *(Sort(column) for column in Column)]))
def test_every_entry_appears_exactly_once(
    paths: list[list[PathPart]], flat: list[str], sort: Sort | None
) -> None:
    entries = entries_at(paths) + [
        tensor(f"{number}x", (name,)) for number, name in enumerate(flat)
    ]
    values = [value(f"{number}v", *path) for number, path in enumerate(paths) if path]
    rows = unfolded(opened(entries, values), sort=sort)
    found = Counter(id(rows.at(row).item) for row in range(len(rows)) if rows.at(row).item)
    assert found == Counter(map(id, [*entries, *values]))
    for number in range(len(rows)):
        row = rows.at(number)
        assert rows.find(row.key) == number or row.key.kind == "group"
        parent = row.parent
        assert (parent is None) == (row.depth == 0)
        if parent is not None:
            assert parent.depth == row.depth - 1
            assert rows.find(parent.key) < number


@given(PATHS, st.sampled_from(["1", "-2", "1 -0", "dtype:f32 3"]))
def test_a_filter_keeps_what_matches_and_what_is_above(
    paths: list[list[PathPart]], text: str
) -> None:
    entries = entries_at(paths)
    rows = rows_of(opened(entries), text=text)
    wanted = parse_filter(text)
    kept = {rows.at(row).item for row in range(len(rows))} - {None}
    assert kept == {entry for entry in entries if wanted.matches(entry)}
    assert rows.shown is not None
    assert rows.shown.tensors == rows.at(0).count == len(kept)
    assert rows.totals.tensors == len(entries)
    for number in range(1, len(rows)):
        row = rows.at(number)
        assert row.item is not None or row.count > 0


def test_a_part_that_matches_unfolds_its_tensor() -> None:
    parts = (tensor("s.indices", dtype="int64"), tensor("s.values"))
    file = opened([tensor("s", kind="sparse_coo", components=parts)])
    assert outline(rows_of(file, text="dtype:int64")) == ["model.pt", " s", "  indices"]
    assert outline(rows_of(file, text="dtype:f32")) == ["model.pt", " s"]


# Folding


def test_small_files_are_unfolded_and_large_ones_level_by_level() -> None:
    small = names(*(f"layers.{layer}.{part}" for layer in range(3) for part in "ab"))
    assert len(rows_of(small)) == 1 + 1 + 3 + 6
    large = names("embed", *(f"layers.{layer}.{part}" for layer in range(32) for part in "abc"))
    assert len(rows_of(large)) == 1 + 1 + 1 + 32
    huge = names(*(f"g{group}.{part}" for group in range(100) for part in range(1_000)))
    assert len(rows_of(huge)) == 1 + 100


def test_some_tensor_shows_at_first() -> None:
    file = names(*(f"layers.{layer}.{part}" for layer in range(36) for part in range(9)))
    rows = rows_of(file)
    assert any(rows.at(row).item for row in range(len(rows)))


def test_exceptions_outlive_a_new_reading() -> None:
    file = names("a.x", "a.y", "b.x", "b.y")
    key = RowKey(1, "group", unfolded(file).at(1).key.name)
    folding = Folding().with_exception(key, unfolded=False)
    expected = ["model.pt", " a", " b", "  x", "  y"]
    assert outline(rows_of(file, folding=folding)) == expected
    again = names("a.x", "a.y", "b.x", "b.y")
    assert outline(rows_of(again, folding=folding)) == expected


def test_what_did_not_change_is_not_made_again() -> None:
    grown: list[FileTree] = []
    first, second = names("a"), opened([tensor("b")], number=2)
    before = build_rows(RowsWanted((first,)), no_pause, grown.append)
    trees = {1: grown[0]}
    wanted = RowsWanted((first, second), trees=trees, before=before)
    rows = build_rows(wanted, no_pause, grown.append)
    assert [tree.file for tree in grown] == [first, second]
    assert rows.segments[0].order is before.segments[0].order
    assert rows.segments[0].tree is grown[0]


def test_building_stops_when_it_is_told_to() -> None:
    def cancelled() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        build_rows(RowsWanted((names("a"),)), cancelled, no_tree)
    tree = grow_tree(names(*"abcdef"), no_pause)
    wanted = RowsWanted((tree.file,), sort=Sort(Column.NAME), trees={1: tree})
    with pytest.raises(Cancelled):
        build_rows(wanted, cancelled, no_tree)


# Sorting


def sorted_names(file: OpenFile, column: Column, *, descending: bool = False) -> list[str]:
    return [line.strip() for line in outline(unfolded(file, sort=Sort(column, descending)))[1:]]


def test_names_sort_naturally_in_each_group() -> None:
    file = names("l.10.w", "l.9.w", "l.2.w", "B", "a")
    assert sorted_names(file, Column.NAME) == ["a", "B", "l", "2.w", "9.w", "10.w"]
    assert sorted_names(file, Column.NAME, descending=True)[:2] == ["l", "10.w"]


def test_other_columns_sort_groups_by_what_is_in_them() -> None:
    file = opened(
        [
            tensor("small", shape=(1,), dtype="int8", device="cuda:1"),
            tensor("g.a", shape=(5,)),
            tensor("g.b", shape=(4,)),
            tensor("large", shape=(8,), dtype="bfloat16", device="cpu"),
        ],
        [value("epoch")],
    )
    assert sorted_names(file, Column.SIZE)[:3] == ["small", "large", "g"]
    assert sorted_names(file, Column.SHAPE, descending=True) == [
        "g", "a", "b", "large", "small", "epoch = 12",
    ]  # fmt: skip
    assert sorted_names(file, Column.TYPE)[-3:] == ["large", "small", "epoch = 12"]
    assert sorted_names(file, Column.DEVICE, descending=True)[0] == "small"


def test_long_groups_are_sorted_in_runs() -> None:
    count = 20_000
    file = names(*(f"t{number * 7919 % count}" for number in range(count)))
    expected = [f"t{number}" for number in range(count)]
    assert sorted_names(file, Column.NAME) == expected
    assert sorted_names(file, Column.NAME, descending=True) == expected[::-1]


@given(st.lists(st.text(alphabet="aB019._é", max_size=6), unique=True, max_size=12))
def test_the_natural_order_is_total_and_by_number(texts: list[str]) -> None:
    assert len({natural_key(text) for text in texts}) == len(texts)

    def reference(text: str) -> list[tuple[int, str, int]]:
        parts = re.split("([0-9]+)", text.casefold())
        return [
            (1, "", int(part)) if number % 2 else (0, part, 0) for number, part in enumerate(parts)
        ]

    plain = sorted({text for text in texts if re.fullmatch("[a-z]+[0-9]+", text)}, key=reference)
    assert plain == sorted(plain, key=natural_key)
    for text in texts:
        assert natural_key(f"{text}_2") < natural_key(f"{text}_10")


# Totals and words


def test_totals_count_shared_bytes_once_and_say_so() -> None:
    storage = Storage(NoSource(), 0, 24, "0")
    file = opened(
        [
            tensor("a", storage=storage),
            tensor("b", storage=storage),
            tensor("c", dtype="int8", storage=Storage(NoSource(), 0, 6, "1")),
        ]
    )
    rows = unfolded(file)
    assert (rows.totals.nbytes, rows.totals.stored) == (54, 30)
    assert dict(rows.totals.by_dtype) == {"float32": (2, 48), "int8": (1, 6)}
    texts = totals_texts(rows.totals, None)
    assert texts[0] == "3 tensors · 18 parameters · 54 B (float32 48 B, int8 6 B) · 30 B stored"
    assert texts[-1] == "3 tensors"
    assert "shares its storage with b" in tooltip(rows.at(1))
    some = unfolded(file, text="a")
    assert totals_texts(some.totals, some.shown)[-1] == "1 of 3 tensors"


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (32 * 1024**2, "32.0 MiB"),
        (1002 * 1024**2, "1,002 MiB"),
        (1024**3 - 1, "1.0 GiB"),
        (7 * 1024**4, "7.0 TiB"),
    ],
)
def test_bytes(nbytes: int, text: str) -> None:
    assert bytes_text(nbytes) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (9_600, "9,600"),
        (12_345, "12.3 K"),
        (340_000_000, "340 M"),
        (7_240_000_000, "7.2 B"),
        (999_960_000, "1.0 B"),
        (2 * 10**15, "2,000 T"),
    ],
)
def test_amounts(number: int, text: str) -> None:
    assert amount_text(number) == text


def test_numbers_that_no_file_can_mean() -> None:
    assert bytes_text(10**5000) == "about 10^4982 EiB"
    assert amount_text(10**5000) == "about 10^4988 T"
    row = unfolded(opened([tensor("x", shape=(10**5000, 2))])).at(1)
    assert cell_text(row, Column.SHAPE) == "about 10^5000 × 2"
    assert tooltip(row)


def test_short_dtypes() -> None:
    assert short_dtype("bfloat16") == "bf16"
    assert short_dtype("float8_e4m3fn") == "f8_e4m3fn"
