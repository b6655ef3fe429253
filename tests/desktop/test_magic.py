"""Which files a registered desktop takes for checkpoints: asked of the real tools."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from user_session import environment_of, needs, program, run

pytestmark = needs("update-mime-database", "update-desktop-database", "gio", "xdg-mime")

TORCH = "application/x-torch-checkpoint"
LEGACY = "application/x-torch-legacy-checkpoint"
SCRIPT = "application/x-torchscript"
SAFETENSORS = "application/x-safetensors"
GGUF = "application/x-gguf"
OURS = (TORCH, LEGACY, SCRIPT, SAFETENSORS, GGUF)

STATE = {"weight": torch.arange(12.0).reshape(3, 4)}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A user who has registered the program."""
    made = environment_of(tmp_path_factory.mktemp("home"))
    done = program(made, "--register")
    assert (done.returncode, done.stderr) == (0, "")
    return made


def type_of(session: dict[str, str], path: Path) -> str:
    """What the desktop takes a file for; xdg-mime and gio agree."""
    asked = run(session, "gio", "info", "-a", "standard::content-type", path)
    found = asked.stdout.rpartition("standard::content-type: ")[2].strip()
    assert found
    assert run(session, "xdg-mime", "query", "filetype", path).stdout.strip() == found
    return found


class Layer(torch.nn.Module):
    """A module with parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x)


class Code(torch.nn.Module):
    """A module without any."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + 1


def _legacy(path: Path) -> None:
    torch.save(STATE, path, _use_new_zipfile_serialization=False)


def _from_buffer(path: Path) -> None:
    with path.open("wb") as file:
        torch.save(STATE, file)


def _scripted(module: torch.nn.Module) -> Callable[[Path], None]:
    return lambda path: torch.jit.script(module).save(str(path))


def _gguf(path: Path) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tensor("weight", np.ones((2, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "write", "kind"),
    [
        *(
            (name, lambda path: torch.save(STATE, path), TORCH)
            for name in ("a.pt", "model.pth", "last.ckpt", "pytorch_model.bin", "no suffix")
        ),
        pytest.param(f"{'n' * 240}.pt", lambda path: torch.save(STATE, path), TORCH, id="240"),
        pytest.param(f"{'重' * 84}.pt", lambda path: torch.save(STATE, path), TORCH, id="84"),
        pytest.param("n" * 255, lambda path: torch.save(STATE, path), TORCH, id="255"),
        ("nothing.pt", lambda path: torch.save({}, path), TORCH),
        ("buffer.pt", _from_buffer, TORCH),
        ("old.pt", _legacy, LEGACY),
        ("old.bin", _legacy, LEGACY),
        ("script.pt", _scripted(Layer()), SCRIPT),
        ("code.pt", _scripted(Code()), SCRIPT),
        pytest.param(f"{'s' * 240}.pt", _scripted(Code()), SCRIPT, id="code 240"),
        ("a.safetensors", lambda path: save_file(STATE, path), SAFETENSORS),
        ("b.bin", lambda path: save_file(STATE, path, {"format": "pt"}), SAFETENSORS),
        ("none.safetensors", lambda path: save_file({}, path), SAFETENSORS),
        ("a.gguf", _gguf, GGUF),
    ],
)
def test_checkpoints_are_recognised_by_what_is_in_them(
    session: dict[str, str],
    tmp_path: Path,
    name: str,
    write: Callable[[Path], None],
    kind: str,
) -> None:
    path = tmp_path / name
    write(path)
    assert type_of(session, path) == kind
    asked = run(session, "xdg-mime", "query", "default", kind)
    assert asked.stdout.strip() == "tensor-inspector.desktop"


def _zipped(*names: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, b"\x80\x02}q\x00.")

    return write


def _data(data: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(data)

    return write


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("plain.zip", _zipped("readme.txt", "notes.txt")),
        ("plain archive", _zipped("readme.txt")),
        ("looks alike.pt", _zipped("model/data.pkl", "model/data/0")),
        ("letter.docx", _zipped("[Content_Types].xml", "word/document.xml")),
        ("program.jar", _zipped("META-INF/MANIFEST.MF")),
        ("package-1.0-py3-none-any.whl", _zipped("package/__init__.py", "package/data.pkl")),
        ("torch.zip", lambda path: torch.save(STATE, path)),
        ("site.pth", _data(b"import site; site.addsitedir('/usr/lib')\n/usr/lib/extra\n")),
        ("random.bin", _data(bytes(range(256)) * 8)),
        ("zeros.bin", _data(bytes(4096))),
        ("text.pt", _data(b"point one\npoint two\n")),
        ("data.json", _data(json.dumps({"weight": [1, 2, 3]}).encode())),
        ("text", _data(b'var x = {"a": 1}')),
        ("numbers", _data(b"\x10\x00\x00\x00\x01\x00\x00\x00" + b'{"')),
        ("words", _data(b"GGUF is a format of files.")),
        ("array.npy", lambda path: np.save(path, np.ones(3))),
        ("arrays.npz", lambda path: np.savez(path, data=np.ones(3))),
        ("plain.pkl", _data(b"\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94K\x01a.")),
        ("empty.pt", _data(b"")),
    ],
)
def test_what_is_no_checkpoint_stays_what_it_is(
    session: dict[str, str], tmp_path: Path, name: str, write: Callable[[Path], None]
) -> None:
    path = tmp_path / name
    write(path)
    stranger = environment_of(tmp_path / "stranger")
    found = type_of(session, path)
    assert found not in OURS
    assert found == type_of(stranger, path)


@pytest.mark.parametrize("kind", ["application/zip", "application/octet-stream", "text/plain"])
def test_general_types_are_not_taken_over(session: dict[str, str], kind: str) -> None:
    assert run(session, "xdg-mime", "query", "default", kind).stdout.strip() != (
        "tensor-inspector.desktop"
    )
    asked = run(session, "gio", "mime", kind)
    assert "tensor-inspector" not in asked.stdout


def test_an_archive_manager_may_still_open_a_checkpoint(session: dict[str, str]) -> None:
    """Every torch zip is a zip archive: what opens those is offered too, after us."""
    data = Path(session["XDG_DATA_HOME"])
    subclasses = (data / "mime" / "subclasses").read_text().split("\n")
    assert f"{TORCH} application/zip" in subclasses
    assert f"{LEGACY} application/zip" not in subclasses


def test_the_icon_of_checkpoints_is_ours(session: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(STATE, path)
    asked = run(session, "gio", "info", "-a", "standard::icon", path)
    assert "tensor-inspector-document" in asked.stdout
    icons = Path(session["XDG_DATA_HOME"]) / "icons" / "hicolor"
    found = sorted(path.relative_to(icons) for path in icons.rglob("tensor-inspector-document.*"))
    assert Path("scalable/mimetypes/tensor-inspector-document.svg") in found
    assert Path("48x48/mimetypes/tensor-inspector-document.png") in found


def test_the_suffix_of_a_name_claims_nothing(session: dict[str, str]) -> None:
    globs = Path(session["XDG_DATA_HOME"]) / "mime" / "globs2"
    assert [line for line in globs.read_text().splitlines() if not line.startswith("#")] == []
