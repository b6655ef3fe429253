"""The command line: the window, and everything that needs no screen."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from inspector import __version__
from inspector.checkpoints.errors import InspectorError
from inspector.display import has_no_display

if TYPE_CHECKING:
    from inspector.checkpoints.model import Checkpoint, TensorEntry

#: Exit codes.
FAILED = 1
WRONG_USAGE = 2

_DESCRIPTION = "Opens any model checkpoint and shows what is inside. Nothing in it is executed."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program.

    Parameters
    ----------
    arguments
        Without the program's name; None takes them from the command line.

    Returns
    -------
    int
        0; 1 if a file could not be read or written (one line on standard error says why); 2 for
        wrong usage.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    wrong = _wrong_usage(options)
    if wrong:
        parser.error(wrong)
    try:
        return _run(options)
    except InspectorError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # Whoever reads our output has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tensor-inspector", description=_DESCRIPTION)
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", type=Path, help="a checkpoint, or a folder"
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    what = parser.add_argument_group("without a screen").add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the tensors of PATH")
    what.add_argument("--export", metavar="NAME", help="write the tensor NAME of PATH to a file")
    what.add_argument(
        "--screenshot",
        metavar="OUT.png",
        type=Path,
        help="write the window as a picture, once everything in it is final",
    )
    parser.add_argument("--json", action="store_true", help="with --list: as JSON")
    parser.add_argument("--output", metavar="OUT.npy", type=Path, help="with --export: where to")
    parser.add_argument(
        "--region", metavar="INDEX", help='with --export: a part, such as "[3, :, ::2]"'
    )
    parser.add_argument("--tensor", metavar="NAME", help="choose this tensor in the window")
    parser.add_argument(
        "--theme",
        choices=("system", "light", "dark"),
        default="system",
        help="the window's colours",
    )
    parser.add_argument(
        "--size",
        metavar="WIDTHxHEIGHT",
        type=_size,
        help="with --screenshot: the window's size in pixels",
    )
    return parser


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1280x800")
    size = int(width), int(height)
    if not all(100 <= side <= 10_000 for side in size):
        raise argparse.ArgumentTypeError("each side has 100 to 10,000 pixels")
    return size


def _wrong_usage(options: argparse.Namespace) -> str:
    """What is wrong with a combination of options, or nothing."""
    alone = options.list or options.export is not None
    rules = (
        (alone and len(options.paths) != 1, "--list and --export take exactly one PATH"),
        (options.json and not options.list, "--json goes with --list"),
        ((options.export is None) != (options.output is None), "--export and --output go together"),
        (options.region is not None and options.export is None, "--region goes with --export"),
        (options.size is not None and options.screenshot is None, "--size goes with --screenshot"),
        (
            options.tensor is not None and (alone or len(options.paths) != 1),
            "--tensor goes with one PATH and the window",
        ),
    )
    return next((text for broken, text in rules if broken), "")


def _run(options: argparse.Namespace) -> int:
    if options.list:
        return _list(options.paths[0], as_json=options.json)
    if options.export is not None:
        return _export(options.paths[0], options.export, options.output, options.region)
    if options.screenshot is not None:
        if has_no_display():
            os.environ["QT_QPA_PLATFORM"] = "offscreen"
        from inspector.app import take_screenshot

        take_screenshot(
            options.paths, options.screenshot, options.tensor, options.theme, options.size
        )
        return 0
    if has_no_display():
        return _fail(
            "There is no display to show a window on. "
            "Use --list or --export, which need none, or set DISPLAY (over ssh: ssh -X)."
        )
    from inspector.app import run_window

    return run_window(options.paths, options.tensor, options.theme)


def _list(path: Path, *, as_json: bool) -> int:
    from inspector.checkpoints import open_checkpoint
    from inspector.checkpoints.listing import to_json, to_text

    checkpoint = open_checkpoint(path)
    if as_json:
        import json

        json.dump(to_json(checkpoint), sys.stdout, ensure_ascii=True, indent=2)
        print()
    else:
        for line in to_text(checkpoint):
            print(line)
    sys.stdout.flush()
    return 0


def _export(path: Path, name: str, target: Path, index: str | None) -> int:
    from inspector.checkpoints import open_checkpoint
    from inspector.export.npy import export_npy
    from inspector.values.regions import Region, parse_region
    from inspector.values.tensors import tensor_source

    checkpoint = open_checkpoint(path)
    source = tensor_source(_entry(checkpoint, name))
    try:
        region = Region.whole(source.shape) if index is None else parse_region(index, source.shape)
    except InspectorError as error:
        return _fail(str(error), WRONG_USAGE)
    result = export_npy(
        source,
        region,
        target,
        protected=checkpoint.files,
        check=lambda: None,
        progress=lambda _: None,
    )
    print(f"{result.path}: {result.dtype}, shape {result.shape}, {result.nbytes:,} bytes")
    print(source.summary)
    return 0


def _entry(checkpoint: Checkpoint, name: str) -> TensorEntry:
    from inspector.values.nested import piece_named

    found = checkpoint.find(name) or piece_named(checkpoint, name)
    if found is not None:
        return found
    near = get_close_matches(name, [entry.name for entry in checkpoint.entries], n=1)
    hint = f" Did you mean {near[0]}?" if near else " Use --list to see the names."
    raise InspectorError(f"{checkpoint.path} holds no tensor named {name}.{hint}")


def _fail(text: str, code: int = FAILED) -> int:
    from inspector.checkpoints.naming import display_text

    # Names in the text are the file's, and may hold anything; the message stays whole.
    line = display_text(" ".join(text.split()), 10_000)
    print(f"tensor-inspector: {line}", file=sys.stderr)
    return code
