"""Every kind of bypass that scanners of pickles fell for: nothing runs, and each is named.

After the public collections of picklescan, fickling and modelscan; all files are made here.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import tarfile
import zipfile
from pathlib import Path

import hostile_pickles as made
import pytest
import torch
from hostile_calls import (
    P2,
    P4,
    Call,
    assert_named,
    byte_string,
    call,
    checked,
    dangers,
    stack_global,
    touch,
)

from inspector.checkpoints import open_checkpoint
from inspector.values.reading import StoredTensor
from inspector.values.regions import Region

#: Functions that run, load, fetch or write something, as "module name".
GADGETS = [
    *("os system", "posix system", "nt system", "os popen", "os execv", "posix posix_spawn"),
    *("subprocess Popen", "subprocess check_output", "_posixsubprocess fork_exec", "pty spawn"),
    *("builtins eval", "builtins exec", "builtins compile", "builtins open", "builtins globals"),
    *("builtins __import__", "builtins breakpoint", "builtins setattr", "__builtin__ execfile"),
    *("__builtin__ apply", "__builtin__ input", "__builtin__ file", "importlib import_module"),
    *("runpy run_path", "runpy _run_code", "code interact", "code InteractiveInterpreter.runcode"),
    *("codeop compile_command", "bdb Bdb.run", "pdb run", "profile run", "profile Profile.runctx"),
    *(
        "cProfile run",
        "cProfile runctx",
        "trace Trace.run",
        "timeit timeit",
        "doctest debug_script",
    ),
    *("pydoc locate", "pydoc pipepager", "pkgutil resolve_name", "inspect getattr_static"),
    *("idlelib.pyshell ModifiedInterpreter.runcode", "idlelib.run Executive.runcode"),
    *("idlelib.calltip get_entity", "idlelib.autocomplete AutoComplete.get_entity"),
    *("lib2to3.pgen2.grammar Grammar.loads", "lib2to3.pgen2.pgen ParserGenerator.make_label"),
    *("ensurepip _run_pip", "venv create", "pip main", "pip._internal main", "site main"),
    *("setuptools setup", "distutils.file_util write_file", "distutils.spawn spawn"),
    *("_osx_support _read_output", "_aix_support _read_cmd_output", "uuid _get_command_stdout"),
    *("_pyrepl.pager pipe_pager", "imaplib IMAP4_stream", "smtplib SMTP", "ftplib FTP"),
    *("test.support.script_helper assert_python_ok", "webbrowser open", "antigravity fly"),
    *("asyncio.unix_events _UnixSubprocessTransport._start", "asyncio create_subprocess_shell"),
    *("multiprocessing.util spawnv_passfds", "concurrent.futures ProcessPoolExecutor"),
    *("threading Thread", "_thread start_new_thread", "signal signal", "atexit register"),
    *("ctypes CDLL", "ctypes.util find_library", "_ctypes dlopen", "mmap mmap", "gc get_objects"),
    *("types CodeType", "types FunctionType", "marshal loads", "typing get_type_hints"),
    *("operator attrgetter", "operator methodcaller", "_operator methodcaller"),
    *("pickle loads", "_pickle loads", "cPickle loads", "pickle Unpickler", "dill loads"),
    *("cloudpickle.cloudpickle _make_function", "cloudpickle.cloudpickle subimport"),
    *("jsonpickle.unpickler decode", "joblib load", "joblib.numpy_pickle load"),
    *("pandas.io.pickle read_pickle", "shelve open", "dbm open", "sqlite3 connect"),
    *("torch load", "torch.serialization load", "torch.hub load", "torch.jit load"),
    *("torch from_file", "torch.package package_importer.PackageImporter.import_module"),
    *("torch.utils.model_zoo load_url", "torch.utils.cpp_extension load_inline"),
    *("torch.utils.collect_env run", "torch.utils.bottleneck.__main__ run_cprofile"),
    *(
        "torch.utils._config_module ConfigModule.load_config",
        "torch._dynamo.guards GuardBuilder.get",
    ),
    *("torch.utils.data.datapipes.utils.decoder basichandlers", "torch.ops load_library"),
    *("torch._inductor.codecache compile_file", "torch.jit.unsupported_tensor_ops execWrapper"),
    *("torch.fx.experimental.symbolic_shapes ShapeEnv.evaluate_guards_expression",),
    *("torch.fx.graph_module reduce_graph_module", "torch.multiprocessing.spawn spawn"),
    *(
        "torch._utils _import_dotted_name",
        "torch.distributed.elastic.multiprocessing start_processes",
    ),
    *("numpy load", "numpy fromfile", "numpy genfromtxt", "numpy savetxt"),
    *("numpy.testing._private.utils runstring", "numpy.testing measure"),
    *("numpy.f2py.crackfortran getlincoef", "numpy.distutils.exec_command exec_command"),
    *("numpy.ctypeslib load_library", "io open", "io FileIO", "_io FileIO", "codecs open"),
    *("pathlib Path.write_text", "pathlib Path.unlink", "shutil rmtree", "tempfile mkstemp"),
    *("logging FileHandler", "logging.config dictConfig", "gzip open", "zipfile ZipFile"),
    *("socket create_connection", "ssl get_server_certificate", "urllib.request urlopen"),
    *("http.client HTTPSConnection", "httplib HTTPSConnection", "requests.api get"),
    *("aiohttp.client ClientSession", "httpx get", "paramiko.client SSHClient"),
    *(
        "sys exit",
        "sys modules.clear",
        "sys _getframe",
        "commands getoutput",
    ),
    # modules that are reached through others
    *("torch serialization.os.system", "torch os", "numpy __builtins__", "collections _sys"),
    *("linecache os.system", "transformers.utils.hub os.system", "my.module subprocess.Popen"),
]


@pytest.mark.parametrize("gadget", GADGETS)
def test_gadgets_are_dangers(tmp_path: Path, gadget: str) -> None:
    module, name = gadget.split(" ")
    data = P4 + call(module, name, touch(tmp_path / "ran")) + b"."
    found = dangers(made.archive(tmp_path / "a.pt", data))
    assert found == [f"This file asks to run `{module}.{name}`; nothing was run."]


def test_getattr_leads_to_harm(tmp_path: Path) -> None:
    data = P4 + stack_global("builtins", "getattr") + b"(" + call("builtins", "__import__", "os")
    data += made.text("system") + b"tR" + made.text(touch(tmp_path / "ran")) + b"\x85R."
    path = made.archive(tmp_path / "a.pt", data)
    assert "builtins.__import__" in dangers(path)[0]
    checkpoint = checked(path)
    assert checkpoint is not None
    assert any("getattr" in finding.message for finding in checkpoint.findings)


def ways(module: str, name: str) -> dict[str, bytes]:
    """The ways to ask for a call of a function with the text "x"."""
    what = f"{module}\n{name}\n".encode()
    names = made.text(module) + made.text(name)
    short = b"U%c%s" % (len(module), module.encode()), b"U%c%s" % (len(name), name.encode())
    escaped = f"V\\u{ord(module[0]):04x}{module[1:]}\nV{name}\n".encode()
    quoted = f"S'\\x{ord(module[0]):02x}{module[1:]}'\nS\"{name}\"\n".encode()
    long = b"".join(
        b"\x8d" + struct.pack("<Q", len(part)) + part.encode() for part in (module, name)
    )
    tail = made.text("x") + b"\x85R"
    body = b"c" + what + tail + b"."
    frame = b"\x95" + struct.pack("<Q", len(body))
    return {
        "REDUCE": P2 + body,
        "INST": b"(S'x'\ni" + what + b".",
        "OBJ": P2 + b"(c" + what + made.text("x") + b"o.",
        "STACK_GLOBAL": P4 + names + b"\x93" + tail + b".",
        "STACK_GLOBAL, BINUNICODE8": P4 + long + b"\x93" + tail + b".",
        "STACK_GLOBAL, UNICODE with escapes": escaped + b"\x93" + tail + b".",
        "STACK_GLOBAL, STRING with escapes": P2 + quoted + b"\x93" + tail + b".",
        "STACK_GLOBAL, SHORT_BINSTRING": P2 + b"".join(short) + b"\x93" + tail + b".",
        "names by memo": P4
        + made.text(name)
        + b"\x940"
        + made.text(module)
        + b"\x940h\x01h\x00\x93"
        + tail
        + b".",
        "names that are replaced in the memo": P4
        + b"N"
        + made.put(9)
        + b"0"
        + made.text(module)
        + made.put(9)
        + b"0h\x09"
        + made.text(name)
        + b"\x93"
        + tail
        + b".",
        "DUP of a name": P4 + made.text(module) + b"20" + made.text(name) + b"\x93" + tail + b".",
        "thrown away": P2 + b"c" + what + tail + b"0N.",
        "thrown away with its mark": P2 + b"N(c" + what + tail + b"1.",
        "OBJ thrown away": P4 + b"(c" + what + made.text("x") + b"o0N.",
        "only named": P2 + b"c" + what + b".",
        "as a key": P2 + b"}c" + what + tail + b"Ns.",
        "in a frame": P4 + frame + body,
        "PROTO again and again": (P2 + P4) * 50 + body,
        "no PROTO": body,
        "behind a hundred thousand POPs": P2 + b"N0" * 10**5 + body,
    }


@pytest.mark.parametrize("way", ways("os", "system"))
def test_ways_to_call(tmp_path: Path, way: str) -> None:
    path = made.archive(tmp_path / "a.pt", ways("os", "system")[way])
    assert any("`os.system`" in message for message in dangers(path))
    # That it is a way: Python goes it, with a function that does no harm.
    pickle.loads(ways("builtins", "repr")[way])


HIDDEN = {
    "NEWOBJ": P2 + b"cos\nsystem\nX\x01\0\0\0x\x85\x81.",
    "NEWOBJ_EX": P4 + b"cos\nsystem\nX\x01\0\0\0x\x85}\x92.",
    "a state": P2 + b"cmy\nNet\n)R}X\x01\0\0\0fcos\nsystem\n)Rsb.",
    "a persistent id": P2 + b"cos\nsystem\n)RQ.",
    "the class of a storage": P2 + made.tensor(kind=b"cos\nsystem\n") + b".",
    "the hooks of a tensor": P2
    + made.tensor().replace(b"ccollections\nOrderedDict\n)R", b"cos\nsystem\n)R")
    + b".",
    "the dtype of a tensor": P2
    + b"ctorch._utils\n_rebuild_meta_tensor_no_storage\n(cos\nsystem\n))\x89tR.",
    "a parameter": P2 + b"ctorch._utils\n_rebuild_parameter\n(cos\nsystem\n)R\x88NtR.",
    "a subclass": P2 + b"ctorch._tensor\n_rebuild_from_type_v2\n(cos\nsystem\ncmy\nTensor\n)NtR.",
    "a frame that lies": P4 + b"\x95" + struct.pack("<Q", 2) + b"cos\nsystem\n)R.",
}


@pytest.mark.parametrize("place", HIDDEN)
def test_places_to_hide_a_call(tmp_path: Path, place: str) -> None:
    path = made.archive(tmp_path / "a.pt", HIDDEN[place], s0=bytes(8))
    assert any("`os.system`" in message for message in dangers(path))


#: Pickles that run before they fail, and end the reading of scanners that believe them.
BROKEN = {
    "no STOP": b"",
    "cut off in a text": b"X\xff\x00\x00\x00ab",
    "a memo that was never stored": b"h\x63.",
    "a name that is a number": b"K\x2a\x8c\x02os\x93.",
    "an unknown instruction": b"\xff.",
    "an empty stack": b"0000.",
    "a mark without its values": b"t.",
    "text that is no text": b"X\x02\x00\x00\x00\xff\xfe.",
    "a number that is none": b"Iabc\n.",
    "a text without its end": b"S'abc\n.",
    "a protocol to come": b"\x80\x63.",
}


@pytest.mark.parametrize("damage", BROKEN)
def test_broken_pickles_that_run_before_they_fail(tmp_path: Path, damage: str) -> None:
    data = P4 + call("os", "system", touch(tmp_path / "ran")) + b"0" + BROKEN[damage]
    (tmp_path / "a.pkl").write_bytes(data)
    for path in (made.archive(tmp_path / "a.pt", data), tmp_path / "a.pkl"):
        assert dangers(path) == ["This file asks to run `os.system`; nothing was run."]


def test_a_call_in_front_of_a_harmless_checkpoint(tmp_path: Path) -> None:
    """Python drops what is below the result on the stack; it has run it by then."""
    plain = tmp_path / "plain.pt"
    torch.save({"weight": torch.arange(3.0)}, plain)
    with zipfile.ZipFile(plain) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    harmless = members["plain/data.pkl"]
    members["plain/data.pkl"] = P2 + call("os", "system", touch(tmp_path / "ran")) + harmless[2:]
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert dangers(tmp_path / "a.pt") == ["This file asks to run `os.system`; nothing was run."]
    checkpoint = open_checkpoint(tmp_path / "a.pt")
    assert [entry.name for entry in checkpoint.entries] == ["weight"]
    assert any("a value beside its own" in found.message for found in checkpoint.findings)


def test_what_comes_before_the_damage_is_listed(tmp_path: Path) -> None:
    torch.save({f"weight{i}": torch.full((2,), float(i)) for i in range(9)}, tmp_path / "plain.pt")
    data = bytearray((tmp_path / "plain.pt").read_bytes())
    place = data.index(b"weight6") - 5
    data[place] = 0xFF  # an instruction that does not exist
    (tmp_path / "a.pt").write_bytes(data)
    checkpoint = open_checkpoint(tmp_path / "a.pt")
    assert [entry.name for entry in checkpoint.entries] == [f"weight{i}" for i in range(6)]
    for i, entry in enumerate(checkpoint.entries):
        values = StoredTensor(entry).read(Region.whole((2,)))
        assert values.tolist() == [i, i]
    (found,) = checkpoint.findings
    assert "What comes before is listed." in found.message
    assert "data.pkl, byte" in found.where


def test_names_that_are_computed(tmp_path: Path) -> None:
    """``operator.itemgetter`` over an alphabet makes names that no scanner sees."""
    getter = stack_global("operator", "itemgetter") + b"(K\x00K\x01tR"
    join = stack_global("builtins", "getattr") + b"(" + made.text("") + made.text("join") + b"tR"
    name = join + getter + made.text("os") + b"\x85R\x85R"
    data = P4 + name + made.text("system") + b"\x93" + made.text("x") + b"\x85R."
    checkpoint = checked(made.archive(tmp_path / "a.pt", data))
    assert checkpoint is not None
    assert {found.name for found in checkpoint.imports} == {
        "builtins.getattr",
        "operator.itemgetter",
    }
    assert any("computes the name" in found.message for found in checkpoint.findings)


def test_a_package_as_a_value_is_surprising(tmp_path: Path) -> None:
    """Its attributes can be set, and what it imports can be reached."""
    data = P4 + stack_global("torch", "_utils") + b"}" + made.text("os") + made.text("x") + b"sb."
    checkpoint = checked(made.archive(tmp_path / "a.pt", data))
    assert checkpoint is not None
    assert [(found.name, found.judgement) for found in checkpoint.imports] == [
        ("torch._utils", "warning")
    ]


def test_extension_codes_are_not_looked_up(tmp_path: Path) -> None:
    import copyreg

    copyreg.add_extension("os", "system", 0x70)
    try:
        for code in (b"\x82\x70", b"\x83\x70\x00", b"\x84\x70\x00\x00\x00"):
            data = P2 + code + made.text(touch(tmp_path / "ran")) + b"\x85R."
            checkpoint = checked(made.archive(tmp_path / "a.pt", data))
            assert checkpoint is not None
            assert "112" in checkpoint.values[0].text + checkpoint.values[0].type_name
            (tmp_path / "a.pt").unlink()
    finally:
        copyreg.remove_extension("os", "system", 0x70)


def test_a_pickle_in_a_pickle(tmp_path: Path) -> None:
    inner = pickle.dumps(Call(os.system, touch(tmp_path / "ran")))
    for module, name in (("pickle", "loads"), ("_pickle", "loads"), ("torch", "load")):
        data = P4 + stack_global(module, name) + byte_string(inner) + b"\x85R."
        assert dangers(made.archive(tmp_path / f"{module}.pt", data))


def test_pickles_that_follow_are_mentioned(tmp_path: Path) -> None:
    hostile = pickle.dumps(Call(os.system, touch(tmp_path / "ran")))
    checkpoint = checked(made.archive(tmp_path / "a.pt", P2 + b"N." + hostile))
    assert checkpoint is not None
    assert any("follow its end" in finding.message for finding in checkpoint.findings)


def test_states_change_no_class_of_ours(tmp_path: Path) -> None:
    from inspector.checkpoints import model, pickle_nodes

    for where, name in (
        ("inspector.checkpoints.model", "TensorEntry"),
        ("inspector.checkpoints.pickle_nodes", "GlobalNode"),
        ("builtins", "dict"),
        ("sys", "modules"),
    ):
        before = dict(vars(model.TensorEntry)), dict(vars(pickle_nodes.GlobalNode))
        data = P4 + stack_global(where, name) + b"}" + made.text("name") + b"Ns"
        data += b"N}" + made.text("module") + b"Ns\x86b" + b"b."
        checked(made.archive(tmp_path / "a.pt", data))
        checked(made.archive(tmp_path / "a.pt", P4 + stack_global(where, name) + b"}NNsb."))
        assert (dict(vars(model.TensorEntry)), dict(vars(pickle_nodes.GlobalNode))) == before
        (tmp_path / "a.pt").unlink()


# Archives


def _hostile(mark: Path) -> bytes:
    return P2 + call("os", "system", touch(mark)) + b"."


def _zipped(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    "names",
    [
        ("archive/data.pkl", "archive/version"),
        ("data.pkl", "version"),
        ("decoy/other.txt", "archive/data.pkl"),
        ("decoy/version", "deep/er/data.pkl"),
        ("archive/version", "archive/data.pkl"),
        ("archive/data/0", "archive/data.pkl"),
    ],
)
def test_wherever_the_pickle_is(tmp_path: Path, names: tuple[str, str]) -> None:
    members = [
        (name, _hostile(tmp_path / "ran") if name.endswith("data.pkl") else b"3") for name in names
    ]
    assert dangers(_zipped(tmp_path / "a.pt", *members))


def test_pickles_under_other_names(tmp_path: Path) -> None:
    for name in ("archive/data.config", "archive/DATA.PKL", "archive/data.pkl/x", "data.pkl\0.txt"):
        path = _zipped(tmp_path / "a.pt", (name, _hostile(tmp_path / "ran")))
        assert_named(path)
        path.unlink()


@pytest.mark.parametrize("order", [0, 1])
def test_of_two_pickles_of_one_name_neither_passes_in_silence(tmp_path: Path, order: int) -> None:
    path = tmp_path / "a.pt"
    contents = [_hostile(tmp_path / "ran"), P2 + b"N."]
    with pytest.warns(UserWarning, match="Duplicate"):
        _zipped(path, *[("a/data.pkl", contents[order ^ number]) for number in (0, 1)])
    checkpoint = checked(path)
    assert checkpoint is not None
    assert any("there twice" in finding.message for finding in checkpoint.findings)


def test_two_roots(tmp_path: Path) -> None:
    path = _zipped(
        tmp_path / "a.pt",
        ("first/data.pkl", _hostile(tmp_path / "ran")),
        ("first/version", b"3"),
        ("b/data.pkl", P2 + b"N."),
    )
    assert dangers(path)


@pytest.mark.parametrize("flag", [0x1, 0x20, 0x40, 0x2000, 0x8, 0x800])
@pytest.mark.parametrize("everywhere", [False, True])
def test_flags_that_stop_other_readers(tmp_path: Path, flag: int, everywhere: bool) -> None:
    path = made.archive(tmp_path / "a.pt", _hostile(tmp_path / "ran"))
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    struct.pack_into("<H", data, at + 8, flag)
    if everywhere:
        struct.pack_into("<H", data, 6, flag)
    path.write_bytes(data)
    assert_named(path)


def test_checksums_that_are_wrong(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "a.pt", _hostile(tmp_path / "ran"))
    data = bytearray(path.read_bytes())
    for place in (14, data.index(b"PK\x01\x02") + 16):
        struct.pack_into("<I", data, place, 0xDEADBEEF)
    path.write_bytes(data)
    with zipfile.ZipFile(path) as archive, pytest.raises(zipfile.BadZipFile):
        archive.read("archive/data.pkl")
    assert dangers(path)


def test_names_that_differ_between_the_headers(tmp_path: Path) -> None:
    path = made.archive(tmp_path / "a.pt", _hostile(tmp_path / "ran"))
    path.write_bytes(path.read_bytes().replace(b"archive/data.pkl", b"archive/data.txt", 1))
    assert_named(path)


def test_extra_fields_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    with zipfile.ZipFile(path, "w") as archive:
        info = zipfile.ZipInfo("archive/data.pkl")
        info.extra = (
            struct.pack("<HH", 0x7075, 30) + b"\x01" + bytes(4) + b"archive/harmless.txt" + b"_" * 5
        )
        info.comment = b"PK\x05\x06" + bytes(18)
        archive.writestr(info, _hostile(tmp_path / "ran"))
        archive.comment = b"PK\x01\x02" + bytes(60)
    assert dangers(path)


def test_bytes_around_an_archive(tmp_path: Path) -> None:
    whole = made.archive(tmp_path / "a.pt", _hostile(tmp_path / "ran")).read_bytes()
    for before, after in ((b"", b"x" * 100), (b"x" * 100, b""), (_hostile(tmp_path / "ran"), b"")):
        (tmp_path / "a.pt").write_bytes(before + whole + after)
        assert_named(tmp_path / "a.pt")


@pytest.mark.parametrize("wrap", ["7z", "tar", "gzip", "zip", "bz2", "xz"])
def test_archives_of_other_kinds(tmp_path: Path, wrap: str) -> None:
    import bz2
    import gzip
    import lzma

    hostile = _hostile(tmp_path / "ran")
    path = tmp_path / f"a.{wrap}"
    if wrap == "tar":
        with tarfile.open(path, "w") as archive:
            member = tarfile.TarInfo("model.pkl")
            member.size = len(hostile)
            archive.addfile(member, io.BytesIO(hostile))
    elif wrap == "zip":
        inner = made.archive(tmp_path / "inner.pt", hostile).read_bytes()
        (tmp_path / "inner.pt").unlink()
        _zipped(path, ("model.pt", inner))
    else:
        pack = {"gzip": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(wrap)
        path.write_bytes(pack(hostile) if pack else b"7z\xbc\xaf\x27\x1c\x00\x04" + hostile)
    assert_named(path)


@pytest.mark.parametrize("suffix", [".pt", ".bin", ".pkl", ".ckpt", ".json", ".safetensors", ""])
@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_by_itself_under_any_name(tmp_path: Path, suffix: str, protocol: int) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps(Call(os.system, touch(tmp_path / "ran")), protocol))
    assert_named(path)


def test_old_files_of_torch(tmp_path: Path) -> None:
    harm = Call(os.system, touch(tmp_path / "ran"))
    path = tmp_path / "old.pt"
    torch.save({"w": torch.ones(2), "x": harm}, path, _use_new_zipfile_serialization=False)
    assert_named(path)


def test_a_magic_number_that_is_computed(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    harm = Call(os.system, touch(tmp_path / "ran"))
    parts = [Call(eval, "0x1950A86A20F9469CFC6C"), 1001, {"little_endian": True}, harm, []]
    path.write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    assert_named(path)


# Geometry


@pytest.mark.parametrize("index", [2**62, -1, 10**6])
def test_sparse_indices_out_of_range_are_only_numbers(tmp_path: Path, index: int) -> None:
    """``to_dense`` of them ends the process; here they are listed and read as they are."""
    path = tmp_path / "a.pt"
    indices = torch.tensor([[index]])
    tensor = torch.sparse_coo_tensor(indices, torch.ones(1), (3,), check_invariants=False)
    torch.save({"s": tensor}, path)
    checkpoint = checked(path)
    assert checkpoint is not None
    (entry,) = checkpoint.entries
    assert (entry.kind, entry.shape, entry.problem) == ("sparse_coo", (3,), "")


def test_a_terabyte_of_one_element_is_read_as_one(tmp_path: Path) -> None:
    path = tmp_path / "a.pt"
    torch.save({"w": torch.ones(1).expand(10**6, 10**6)}, path)
    checkpoint = checked(path)
    assert checkpoint is not None
    assert (checkpoint.entries[0].shape, checkpoint.entries[0].problem) == ((10**6, 10**6), "")


def test_views_of_a_storage_that_is_enlarged_by_a_claim(tmp_path: Path) -> None:
    """A lying count and a view beyond the member's end, with another member behind it."""
    data = P2 + b"}(" + made.text("lie")
    data += made.tensor("0", count=b"K\x64", offset=b"K\x02", shape=b"K\x0a\x85")
    data += made.text("truth") + made.tensor("1") + b"u."
    checkpoint = checked(made.archive(tmp_path / "a.pt", data, s0=bytes(8), s1=b"\xff" * 8))
    assert checkpoint is not None
    lie, truth = checkpoint.entries
    assert "of which the file has 8" in lie.problem
    assert not truth.problem
