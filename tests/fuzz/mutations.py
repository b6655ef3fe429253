"""Changes to a file that keep it nearly right.

Bytes alone rarely get past a checksum, a length or a directory, so what is recognised by its
content is taken apart, changed inside, and put together again: the members of an archive, the JSON
of a safetensors header, the instructions of a pickle, the fields of a protobuf, what is compressed.
Nothing here knows the program; all randomness comes from the `random.Random` that is passed in.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import pickletools
import re
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any, Final

Mutator = Callable[[Random, bytes], bytes]

#: Larger files are not made: duplication would double them again and again.
MAX_SIZE: Final = 1 << 20

#: Where code that counts goes wrong.
EXTREMES: Final = (
    *(0, 1, 2, -1, -2, 3, 7, 8, 63, 64, 65, 127, 128, 255, 256),
    *(2**15, 2**16 - 1, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53, 2**61, 2**62),
    *(2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63)),
)

#: Words that mean something to one of the formats.
TOKENS: Final = (
    *(b"PK\3\4", b"PK\1\2", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\x80\x02", b"\x80\x05", b"GGUF"),
    *(b"\x89HDF\r\n\x1a\n", b"OHDR", b"OCHK", b"TREE", b"SNOD", b"HEAP", b"FRHP", b"BTHD"),
    *(b"\x93NUMPY", b"ustar", b"__metadata__", b"data.pkl", b"data/0", b"../", b"/etc/passwd"),
    *(b"descr", b"fortran_order", b"shape", b"|O", b">f8", b"<U999999999", b"\xff" * 8, bytes(8)),
    *(b"{", b"}", b"[", b"]", b'"', b",", b"\n", b"\\u202e", b"1e999", b"NaN", b"-0", b"(", b"."),
)

#: Whole instructions of a pickle that may stand anywhere.
INSTRUCTIONS: Final = (
    *(b"(", b"0", b"1", b"2", b")", b"]", b"}", b"\x8f", b"\x85", b"\x86", b"\x87", b"t", b"l"),
    *(b"d", b"a", b"e", b"s", b"u", b"\x90", b"\x91", b"b", b"R", b"\x81", b"\x92", b"o", b"Q"),
    *(b"N", b"\x88", b"\x89", b"K\0", b"K\1", b"J\xff\xff\xff\xff", b"h\0", b"h\1", b"h\5"),
    *(
        b"q\0",
        b"q\1",
        b"r\xff\xff\0\0",
        b"\x94",
        b"\x93",
        b"\x97",
        b"\x98",
        b".",
        b"C\0",
        b"B\0\0\0\0",
    ),
    *(b"X\1\0\0\0a", b"\x8c\0", b"cos\nsystem\n", b"ctorch._utils\n_rebuild_tensor_v2\n"),
    *(b"ctorch._utils\n_rebuild_parameter\n", b"cnumpy\ndtype\n", b"c_codecs\nencode\n"),
    *(b"ccollections\nOrderedDict\n", b"G\x7f\xf0\0\0\0\0\0\0", b"\x8a\x09" + bytes(8) + b"\x01"),
    *(
        b"\x8a\0",
        b"I01\n",
        b"L5L\n",
        b"S'a'\n",
        b"Va\n",
        b"Px\n",
        b"\x82\1",
        b"icollections\ndeque\n",
    ),
)


def mutate(rng: Random, data: bytes, others: tuple[bytes, ...] = (), depth: int = 0) -> bytes:
    """Change a file in one to some places.

    Parameters
    ----------
    rng
        Decides all.
    others
        Other files, whose parts may be put into this one.
    depth
        How many layers (an archive in an archive) this lies within another one.

    Returns
    -------
    bytes
        Up to `MAX_SIZE`; sometimes the same.
    """
    structured = _structured(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if structured and depth < 3 and rng.random() < 0.75:
            data = _inside(rng, structured, data, depth)
        elif others and rng.random() < 0.1:
            data = _spliced(rng, data, rng.choice(others))
        else:
            data = rng.choice(_BLIND)(rng, data)
    return data[:MAX_SIZE]


def _inside(
    rng: Random, change: Callable[[Random, bytes, int], bytes], data: bytes, depth: int
) -> bytes:
    """A change within a structure; a blind one, if an earlier change has destroyed that."""
    try:
        return change(rng, data, depth)
    except Exception:  # noqa: BLE001 - readers of damaged files raise anything
        return rng.choice(_BLIND)(rng, data)


def _structured(data: bytes) -> Callable[[Random, bytes, int], bytes] | None:
    """What can change the inside of this, by how it begins."""
    if data.startswith(b"PK\3\4"):
        return _zip
    if data[8:9] == b"{":
        return _safetensors
    if data.startswith(b"\x93NUMPY"):
        return _npy
    if data[257:262] == b"ustar":
        return _tar
    if data.startswith((b"\x1f\x8b", b"BZh")) or data[:1] == b"\x78":
        return _compressed
    if data[:1] == b"\x80" or data[:2] in (b"(d", b"}q", b"(l"):
        return _pickle
    if data[:1] in b"{[" and data:
        return _json
    if data[:1] == b"\x08" and len(data) > 8:
        return _protobuf
    return None


# Blind changes: any bytes.


def _place(rng: Random, data: bytes) -> int:
    return rng.randrange(len(data) + 1)


def _run(rng: Random, data: bytes) -> tuple[int, int]:
    """Begin and end of a run, mostly a short one."""
    begin = _place(rng, data)
    longest = rng.choice((1, 4, 16, 64, 1024, len(data)))
    return begin, min(len(data), begin + rng.randint(0, longest))


def _flip(rng: Random, data: bytes) -> bytes:
    if not data:
        return b"\0"
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def _set(rng: Random, data: bytes) -> bytes:
    at = _place(rng, data)
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _number(rng: Random, data: bytes) -> bytes:
    """Replace some bytes by a number, or add to the number that they are."""
    width, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "little", "big"))
    at = _place(rng, data)
    value = rng.choice(EXTREMES)
    if rng.random() < 0.3:
        value = int.from_bytes(data[at : at + width], order) + rng.randint(-8, 8)
    raw = (value % (1 << (8 * width))).to_bytes(width, order)
    return data[:at] + raw + data[at + width :]


def _token(rng: Random, data: bytes) -> bytes:
    at, token = _place(rng, data), rng.choice(TOKENS)
    end = at + len(token) if rng.random() < 0.5 else at
    return data[:at] + token + data[end:]


def _delete(rng: Random, data: bytes) -> bytes:
    begin, end = _run(rng, data)
    return data[:begin] + data[end:]


def _duplicate(rng: Random, data: bytes) -> bytes:
    begin, end = _run(rng, data)
    times = rng.choice((2, 2, 3, 100))
    if (end - begin) * times > MAX_SIZE:
        return data
    return data[:begin] + data[begin:end] * times + data[end:]


def _move(rng: Random, data: bytes) -> bytes:
    begin, end = _run(rng, data)
    at = _place(rng, data)
    return data[:at] + data[begin:end] + data[at + (end - begin) :]


def _truncate(rng: Random, data: bytes) -> bytes:
    return data[: _place(rng, data)]


def _append(rng: Random, data: bytes) -> bytes:
    return data + rng.choice((b"\0", b"\0" * 100, rng.choice(TOKENS), data[:64]))


def _digits(rng: Random, data: bytes) -> bytes:
    """Replace a number in text."""
    found = list(re.finditer(rb"-?\d+", data[: 1 << 16]))
    if not found:
        return _number(rng, data)
    match = rng.choice(found)
    new = rng.choice((str(rng.choice(EXTREMES)).encode(), b"9" * 5000, b"1e9", b"", b"0x1"))
    return data[: match.start()] + new + data[match.end() :]


def _spliced(rng: Random, data: bytes, other: bytes) -> bytes:
    begin, end = _run(rng, other)
    at, stop = _run(rng, data)
    return data[:at] + other[begin:end] + data[stop:]


_BLIND: Final[tuple[Mutator, ...]] = (
    *(_flip, _set, _set, _number, _number, _number, _token, _delete, _duplicate, _move),
    *(_truncate, _append, _digits),
)


# Changes inside of a structure.


def _zip(rng: Random, data: bytes, depth: int) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    names = [info.filename for info, _ in members]
    at = rng.randrange(len(members))
    if rng.random() < 0.6:
        # Mostly what describes the rest: the pickle, the JSON.
        telling = [i for i, name in enumerate(names) if name.endswith((".pkl", ".json", ".npy"))]
        at = rng.choice(telling or [at])
    info, content = members[at]
    action = rng.randrange(10)
    if action < 7:
        members[at] = (info, mutate(rng, content, (), depth + 1))
    elif action == 7:
        members.insert(rng.randrange(len(members) + 1), rng.choice(members))
    elif action == 8:
        del members[at]
    else:
        names[at] = rng.choice((*names, "../" + names[at], "/" + names[at], "", names[at] * 20))
        members[at] = (zipfile.ZipInfo(names[at]), content)
    out = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with warnings.catch_warnings(), zipfile.ZipFile(out, "w", method) as archive:
        warnings.simplefilter("ignore")  # about two members of one name
        for info, content in members:
            archive.writestr(info.filename, content)
    return out.getvalue()


def _tar(rng: Random, data: bytes, depth: int) -> bytes:
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(data)) as old,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        members = old.getmembers()
        at = rng.randrange(len(members))
        for number, member in enumerate(members):
            file = old.extractfile(member)
            content = file.read() if file is not None else b""
            if number == at:
                if rng.random() < 0.1:
                    continue
                content = mutate(rng, content, (), depth + 1)
                if rng.random() < 0.2:
                    member.name = rng.choice(("pickle", "../storages", "tensors", "a" * 300))
            member.size = len(content)
            member.pax_headers = {}
            new.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _compressed(rng: Random, data: bytes, depth: int) -> bytes:
    if data.startswith(b"\x1f\x8b"):
        return gzip.compress(mutate(rng, gzip.decompress(data), (), depth + 1), 1, mtime=0)
    if data.startswith(b"BZh"):
        return bz2.compress(mutate(rng, bz2.decompress(data), (), depth + 1), 1)
    return zlib.compress(mutate(rng, zlib.decompress(data), (), depth + 1), 1)


def _safetensors(rng: Random, data: bytes, _depth: int) -> bytes:
    (length,) = struct.unpack_from("<Q", data)
    header = _json(rng, data[8 : 8 + length], 0)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def _npy(rng: Random, data: bytes, _depth: int) -> bytes:
    layout, begin = ("<H", 10) if data[6] == 1 else ("<I", 12)
    (length,) = struct.unpack_from(layout, data, 8)
    header = rng.choice((_digits, _token, _delete, _set, _duplicate))(
        rng, data[begin : begin + length]
    )
    size = struct.pack("<I", len(header))[: begin - 8]
    return data[:8] + size + header + data[begin + length :]


def _json(rng: Random, data: bytes, _depth: int) -> bytes:
    tree = json.loads(data)
    if rng.random() < 0.2:
        return rng.choice((_digits, _token, _delete, _set))(rng, data)
    places: list[tuple[Any, Any]] = []
    _places(tree, places)
    if not places:
        return _set(rng, data)
    holder, key = rng.choice(places)
    action = rng.randrange(6)
    if action < 3:
        holder[key] = _any_json(rng)
    elif action == 3:
        other, its = rng.choice(places)
        holder[key] = other[its]
    elif action == 4:
        del holder[key]
    elif isinstance(holder, dict):
        holder[rng.choice((f"{key}\n", "", "__metadata__", "\ud800", "a/../b", key * 50))] = holder[
            key
        ]
    else:
        holder.insert(rng.randrange(len(holder) + 1), holder[key])
    try:
        return json.dumps(tree, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):  # a tree in itself
        return data


def _places(tree: object, places: list[tuple[Any, Any]]) -> None:
    if isinstance(tree, dict):
        for key, value in tree.items():
            places.append((tree, key))
            _places(value, places)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            places.append((tree, index))
            _places(value, places)


def _any_json(rng: Random) -> Any:
    if rng.random() < 0.5:
        return rng.choice(EXTREMES)
    return rng.choice(
        (
            *(
                None,
                True,
                -1.5,
                1e308,
                "",
                "F32",
                "BF16",
                "F4",
                "\x00\n\u202e",
                "../../x",
                "a" * 999,
            ),
            *([], [1], [0] * 70, [[1]], [2**62, 2**62], [0, 2**40], {}, {"a": {}}),
        )
    )


def _pickle(rng: Random, data: bytes, _depth: int) -> bytes:
    """Change the instructions of one or several pickles; what follows them stays."""
    parts, end = _instructions(data)
    if len(parts) < 2:
        return rng.choice(_BLIND)(rng, data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(parts))
        action = rng.randrange(8)
        if action == 0:
            del parts[at]
        elif action == 1:
            parts.insert(at, rng.choice(INSTRUCTIONS))
        elif action == 2:
            parts[at] = rng.choice(INSTRUCTIONS)
        elif action == 3:
            parts.insert(at, rng.choice(parts))
        elif action == 4:
            other = rng.randrange(len(parts))
            parts[at], parts[other] = parts[other], parts[at]
        elif action == 5:
            stop = min(len(parts), at + rng.randint(1, 30))
            parts[at:at] = parts[at:stop] * rng.choice((1, 1, 2, 50))
        else:
            parts[at] = _argument(rng, parts[at])
        if len(parts) < 2:
            break
    return b"".join(parts) + data[end:]


def _argument(rng: Random, instruction: bytes) -> bytes:
    """Another argument of the same width."""
    code, argument = instruction[:1], instruction[1:]
    if not argument:
        return rng.choice(INSTRUCTIONS)
    if code in b"KMJhjqr" or code == b"\x8a":
        value = rng.choice(EXTREMES) % (1 << (8 * len(argument)))
        if code in b"JM" or rng.random() < 0.5:
            return code + value.to_bytes(len(argument), "little")
        return b"\x8a\x09" + rng.choice(EXTREMES).to_bytes(9, "little", signed=True)
    return code + rng.choice((_flip, _set, _number, _digits))(rng, argument)


def _instructions(data: bytes) -> tuple[list[bytes], int]:
    """The instructions of the pickles that follow one another, and where they end."""
    parts: list[bytes] = []
    end = 0
    while end < len(data) and len(parts) < 20_000:
        try:
            places = [place for _, _, place in pickletools.genops(data[end:])]
        except Exception:  # noqa: BLE001 - no pickle any more
            break
        if len(places) < 2 or (end and data[end : end + 1] != b"\x80"):
            break
        places = [end + place for place in places if place is not None]
        bounds = [*places[1:], places[-1] + 1]
        parts += [data[begin:stop] for begin, stop in zip(places, bounds, strict=True)]
        end = bounds[-1]
    return parts, end


def _protobuf(rng: Random, data: bytes, depth: int) -> bytes:
    fields = _fields(data)
    if not fields:
        return rng.choice(_BLIND)(rng, data)
    at = rng.randrange(len(fields))
    number, wire, value = fields[at]
    action = rng.randrange(10)
    if action == 0:
        del fields[at]
    elif action == 1:
        fields.insert(rng.randrange(len(fields) + 1), fields[at])
    elif action == 2:
        fields[at] = (rng.choice((1, 2, 5, 8, 9, 13, 14, 2**28)), wire, value)
    elif wire == 0:
        fields[at] = (number, 0, _varint(rng.choice(EXTREMES) % 2**64))
    elif wire == 2:
        inner = _fields(value) if depth < 8 else None
        if inner and rng.random() < 0.8:
            changed = _protobuf(rng, value, depth + 1)
        else:
            changed = rng.choice(_BLIND)(rng, value)
        fields[at] = (number, 2, changed)
    else:
        fields[at] = (number, wire, _number(rng, value)[: len(value)])
    return b"".join(
        _varint(number << 3 | wire) + (_varint(len(value)) if wire == 2 else b"") + value
        for number, wire, value in fields
    )


def _fields(data: bytes) -> list[tuple[int, int, bytes]] | None:
    """Number, wire type and content of each field; None if it is no message."""
    fields, at = [], 0
    while at < len(data):
        key, at = _read_varint(data, at)
        number, wire = key >> 3, key & 7
        begin = at
        if wire == 0:
            _, at = _read_varint(data, at)
        elif wire == 2:
            length, begin = _read_varint(data, at)
            at = begin + length
        elif wire in (1, 5):
            at += 8 if wire == 1 else 4
        else:
            return None
        if number == 0 or at > len(data):
            return None
        fields.append((number, wire, data[begin:at]))
    return fields


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while at < len(data) and shift < 64:
        value |= (data[at] & 127) << shift
        shift += 7
        at += 1
        if data[at - 1] < 128:
            return value, at
    return 0, len(data) + 1


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
