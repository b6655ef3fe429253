"""The command line: the window, and everything that needs no screen."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from inspector import __version__
from inspector.checkpoints.errors import InspectorError
from inspector.display import has_no_display
from inspector.export.formats import FORMATS

#: Exit codes.
FAILED = 1
WRONG_USAGE = 2
INTERRUPTED = 130

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
        wrong usage; 130 after Ctrl+C.
    """
    _print_anything()
    parser = _parser()
    options = parser.parse_args(arguments)
    wrong = _wrong_usage(options)
    if wrong:
        parser.error(wrong)
    try:
        return _run(options)
    except InspectorError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return _fail("Interrupted.", INTERRUPTED)
    except BrokenPipeError:
        # Whoever reads our output has seen enough. Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _print_anything() -> None:
    """Have what standard output's encoding lacks written as ``\\u6f22``, as on standard error.

    A pipe on Windows, or an old locale, has no ``×``, let alone a file's names.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("tensor-inspector", description=_DESCRIPTION)
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", type=Path, help="a checkpoint, or a folder"
    )
    parser.add_argument(
        "--version", action=_ShowVersion, nargs=0, help="show the versions of all parts, and end"
    )
    what = parser.add_argument_group("without a screen").add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the tensors of PATH")
    what.add_argument(
        "--export",
        metavar="PATTERN",
        nargs="+",
        help='write the tensors of these names, or that match patterns such as "layers.*.weight"',
    )
    what.add_argument(
        "--screenshot",
        metavar="OUT.png",
        type=Path,
        help="write the window as a picture, once everything in it is final",
    )
    what.add_argument(
        "--register",
        action="store_true",
        help="have checkpoints open with this program by double-click, for this user",
    )
    what.add_argument("--unregister", action="store_true", help="take that back, without a trace")
    parser.add_argument("--json", action="store_true", help="with --list: as JSON")
    export = parser.add_argument_group("with --export")
    export.add_argument(
        "--output", metavar="OUT", type=Path, help="where to; a name without a suffix is a folder"
    )
    export.add_argument(
        "--format",
        choices=[known.name for known in FORMATS],
        help="in which format (otherwise the suffix of OUT says so)",
    )
    export.add_argument(
        "--region", metavar="INDEX", help='a part of each tensor, such as "[3, :, ::2]"'
    )
    export.add_argument(
        "--form",
        metavar="FORM",
        help="in another form than the values: raw (the stored bits), real, imaginary ...",
    )
    parser.add_argument("--tensor", metavar="NAME", help="choose this tensor in the window")
    parser.add_argument(
        "--theme",
        choices=("system", "light", "dark"),
        help="a new window's colours, in place of those of the settings",
    )
    parser.add_argument(
        "--new-window",
        action="store_true",
        help="open a window in any case, instead of having PATH opened in the one that is there",
    )
    parser.add_argument(
        "--memory",
        metavar="MB",
        type=_megabytes,
        help="what a new window may take for tensors (400); with more, it keeps more pictures",
    )
    parser.add_argument(
        "--size",
        metavar="WIDTHxHEIGHT",
        type=_size,
        help="with --screenshot: the window's size in pixels",
    )
    return parser


class _ShowVersion(argparse.Action):
    """Prints the versions; found only when they are asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from inspector.versions import version_text

        print(version_text())
        parser.exit()


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 1280x800")
    size = int(width), int(height)
    if not all(100 <= side <= 10_000 for side in size):
        raise argparse.ArgumentTypeError("each side has 100 to 10,000 pixels")
    return size


def _megabytes(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10**6:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of megabytes")
    return int(text)


def _wrong_usage(options: argparse.Namespace) -> str:
    """What is wrong with a combination of options, or nothing."""
    alone = options.list or options.export is not None
    registers = options.register or options.unregister
    rules = (
        (registers and options.paths, "--register and --unregister take no PATH"),
        (
            alone and len(options.paths) != 1,
            "--list and --export take exactly one PATH, which comes before them",
        ),
        (options.json and not options.list, "--json goes with --list"),
        ((options.export is None) != (options.output is None), "--export and --output go together"),
        *(
            (value is not None and options.export is None, f"--{name} goes with --export")
            for name in ("region", "format", "form")
            for value in (getattr(options, name),)
        ),
        (options.size is not None and options.screenshot is None, "--size goes with --screenshot"),
        (
            options.memory is not None and (alone or options.screenshot is not None),
            "--memory goes with the window",
        ),
        (
            options.tensor is not None and (alone or len(options.paths) != 1),
            "--tensor goes with one PATH and the window",
        ),
        (
            options.new_window and (alone or registers or options.screenshot is not None),
            "--new-window goes with the window",
        ),
    )
    return next((text for broken, text in rules if broken), "")


def _run(options: argparse.Namespace) -> int:
    if options.register or options.unregister:
        return _register(options.register)
    if options.list:
        return _list(options.paths[0], as_json=options.json)
    if options.export is not None:
        return _export(options)
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
    return _open_window(options)


def _open_window(options: argparse.Namespace) -> int:
    """Open the files in the window that is there, or else a window, which takes much longer."""
    from inspector.desktop.single_instance import arrive
    from inspector.gui.settings import look_at_settings

    alone = options.new_window or not look_at_settings().one_window
    arrival = arrive(options.paths, options.tensor, __version__, new_window=alone)
    if arrival.handed_over:
        if sys.stderr.isatty():
            _tell("Opened in the window that is there; --new-window opens another.")
        return 0
    if arrival.is_frozen:
        _tell("The window that is there does not answer, so this is a new one.")
    from inspector.app import run_window
    from inspector.gui.memory import MemoryBudget

    memory = None if options.memory is None else MemoryBudget(options.memory * 10**6)
    return run_window(arrival, options.tensor, options.theme, memory)


def _register(wanted: bool) -> int:
    from inspector.desktop.association import set_registered

    report = set_registered(wanted)
    for line in report.done:
        print(line)
    sys.stdout.flush()
    for line in report.undone:
        _fail(line)
    return FAILED if report.undone else 0


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


def _export(options: argparse.Namespace) -> int:
    from inspector.cli_export import UsageError, Wanted, export

    wanted = Wanted(
        options.paths[0],
        options.export,
        options.output,
        options.format,
        options.form,
        options.region,
    )
    try:
        export(wanted)
    except UsageError as error:
        return _fail(str(error), WRONG_USAGE)
    return 0


def _fail(text: str, code: int = FAILED) -> int:
    from inspector.checkpoints.naming import display_text

    # Names in the text are the file's, and may hold anything; the message stays whole.
    _tell(display_text(" ".join(text.split()), 10_000))
    return code


def _tell(line: str) -> None:
    print(f"tensor-inspector: {line}", file=sys.stderr)
