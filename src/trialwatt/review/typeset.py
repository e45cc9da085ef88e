"""The paper of a stranger's archive: its source is a program, in a language that computes pages.

Typst can read files below its root and nothing else; it starts no program and has no clock. It
fetches packages where a source asks for one, and it may compute for ever. So it works in a process
of its own, in which the kernel refuses connections and programs, on a copy of plain files, with
limits of time, memory and size.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
import signal
from dataclasses import dataclass
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.paper.build import compiled
from trialwatt.provenance.archivefile import plain_files
from trialwatt.review.sandbox import seal


@dataclass(frozen=True)
class Limits:
    """What the paper may take at most."""

    seconds: int = 120
    memory_bytes: int = 4 << 30
    source_files: int = 500
    source_bytes: int = 32 << 20
    pdf_bytes: int = 256 << 20


LIMITS = Limits()


def check_source(source: Path, limits: Limits = LIMITS) -> None:
    """Raises TrialwattError where a paper's source is not what a paper needs: plain files, few."""
    if not source.is_dir():
        raise TrialwattError(f"{source.name}/: missing, the paper's source")
    names = plain_files(source)
    size = sum((source / name).stat().st_size for name in names)
    if len(names) > limits.source_files or size > limits.source_bytes:
        raise TrialwattError(
            f"{source.name}/: {len(names)} files of {size} bytes, more than a paper's source needs "
            f"({limits.source_files} files, {limits.source_bytes} bytes)"
        )


def typeset(place: Path, limits: Limits = LIMITS) -> bytes:
    """As paper.build.compiled, in a process that can do nothing but that, within limits.

    To be called where Typst has compiled nothing yet: its threads do not come along in a fork.
    """
    pdf, said = place.parent / "typeset.pdf", place.parent / "typeset.txt"
    process = multiprocessing.get_context("fork").Process(
        target=_compile, args=(place, pdf, said, limits), daemon=True
    )
    process.start()
    process.join(limits.seconds)
    if process.is_alive():
        process.kill()
        process.join()
        raise TrialwattError(f"the paper was not made within {limits.seconds} s; it was given up")
    if said.is_file():
        raise TrialwattError(said.read_text(encoding="utf-8"))
    if process.exitcode or not pdf.is_file():
        raise TrialwattError(
            f"the paper cannot be made: its compiler ended with {_how(process.exitcode)}; it may "
            f"take {limits.seconds} s and {limits.memory_bytes >> 20} MB"
        )
    return pdf.read_bytes()


def _compile(place: Path, pdf: Path, said: Path, limits: Limits) -> None:
    if unsealed := seal():
        said.write_text(f"the paper is not compiled: {unsealed}", encoding="utf-8")
        return
    import typst  # noqa: F401 (loaded before memory is limited)

    faulthandler.disable()  # one that takes too much is told of by its exit

    with Path("/proc/self/statm").open(encoding="ascii") as file:
        taken = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    for kind, most in (
        (resource.RLIMIT_AS, taken + limits.memory_bytes),
        (resource.RLIMIT_CPU, limits.seconds),
        (resource.RLIMIT_FSIZE, limits.pdf_bytes),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    try:
        pdf.write_bytes(compiled(place))
    except (TrialwattError, OSError, MemoryError) as error:
        pdf.unlink(missing_ok=True)
        said.write_text(str(error) or type(error).__name__, encoding="utf-8")


def _how(code: int | None) -> str:
    return f"signal {signal.Signals(-code).name}" if code and code < 0 else f"exit code {code}"
