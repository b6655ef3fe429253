"""Fuzzing that is guided by coverage, with the package atheris (which is not a dependency)."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from .cases import Case
from .long_run import say


def run_guided(cases: list[Case], work: Path, hours: float, seed: int, findings: Path) -> int:
    """Start the guided process over the seeds; it ends the process that it runs in.

    Returns
    -------
    int
        Its exit status: not 0 if something was found, or if atheris is missing.
    """
    if importlib.util.find_spec("atheris") is None:
        say("atheris is not installed: pip install atheris")
        return 2
    corpus = work / "corpus"
    corpus.mkdir()
    for number, case in enumerate(cases):
        if len(case.files) == 1:
            (corpus / str(number)).write_bytes(next(iter(case.files.values())))
    options = {"work": str(work / "it"), "findings": str(findings)}
    command = [sys.executable, "-m", f"{__package__}.guided", json.dumps(options), str(corpus)]
    command += [f"-max_total_time={int(3600 * hours)}", f"-seed={seed % 2**31 or 1}"]
    command += ["-max_len=65536", "-timeout=120", "-rss_limit_mb=4096", "-print_final_stats=1"]
    return subprocess.run(command, check=False).returncode


def main() -> None:
    """The guided process. Its first argument holds `run_guided`'s options, the rest is atheris'."""
    import atheris  # not at the top: it is not a dependency

    with atheris.instrument_imports(include=["inspector.checkpoints"]):
        from .findings import keep_finding
        from .target import examine

    from random import Random

    from .mutations import mutate

    options = json.loads(sys.argv.pop(1))
    folder, findings = Path(options["work"]), Path(options["findings"])
    folder.mkdir(parents=True, exist_ok=True)
    known: set[str] = set()

    def one(data: bytes) -> None:
        path = folder / "file"
        path.write_bytes(data)
        complaint = examine(path).complaint
        kind = complaint.partition(": ")[0]
        if complaint and kind not in known and len(known) < 100:
            known.add(kind)
            keep_finding(findings, Case("guided", {"file": data}, "file"), complaint)

    def change(data: bytes, max_size: int, seed: int) -> bytes:
        """Half of the mutations are those that know structure; the rest is libFuzzer's."""
        if seed % 2:
            return mutate(Random(seed), data)[:max_size]
        return bytes(atheris.Mutate(data, max_size))

    atheris.Setup(sys.argv, one, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
