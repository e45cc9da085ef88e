"""The keywords in a PDF's information dictionary, read in a process of its own.

What a PDF says of its parts may send a parser in circles or make it unpack any amount of data, so
it gets limits on time and memory, and whatever it dies of is one message.
`python -I -m trialwatt.provenance.pdftext FILE` prints the keywords.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown
from trialwatt.provenance.foreign import JSON_BYTES, opened

PDF_BYTES = 256 << 20
_CPU_S, _WALL_S = 20, 60
_MEMORY_BYTES = 2 << 30
_FAILED = 3


def keywords(path: Path) -> str | None:
    """`Keywords` of a PDF; None where there are none.

    Raises TrialwattError where it is no PDF, or reading it takes over 20 s or 2 GiB.
    """
    with opened(path, PDF_BYTES) as file:
        command = [sys.executable, "-I", "-m", __name__]
        try:
            done = subprocess.run(
                command, stdin=file, capture_output=True, timeout=_WALL_S, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise _damaged(path, f"it takes over {_WALL_S} s to read") from error
    if done.returncode == _FAILED:
        raise _damaged(path, done.stdout.decode("utf-8", "replace"))
    if done.returncode:
        raise _damaged(path, f"it takes over {_CPU_S} s or {_MEMORY_BYTES >> 30} GiB to read")
    return done.stdout.decode("utf-8", "replace") or None


def _damaged(path: Path, why: str) -> TrialwattError:
    return TrialwattError(f"{shown(path, 500)}: damaged, not a PDF file ({shown(why, 200)})")


def _limit() -> None:
    try:
        import resource
    except ImportError:
        return  # not a Unix: the time on the wall is what is left
    for kind, most in ((resource.RLIMIT_CPU, _CPU_S), (resource.RLIMIT_AS, _MEMORY_BYTES)):
        with contextlib.suppress(ValueError, OSError):  # below what is allowed already
            resource.setrlimit(kind, (most, most))


def _main() -> int:
    """Of the file on stdin; its keywords, or what is wrong with it, to stdout."""
    import io

    from pypdf import PdfReader

    data = sys.stdin.buffer.read()
    _limit()
    try:
        info = PdfReader(io.BytesIO(data)).metadata
        said = str(info["/Keywords"]) if info and "/Keywords" in info else ""
        if len(said) > JSON_BYTES:
            raise ValueError("its keywords are too long")
    except Exception as error:  # a parser of a stranger's file may raise anything
        said = f"{type(error).__name__}: {error}"[:500]
        sys.stdout.buffer.write(said.encode("utf-8", "backslashreplace"))
        return _FAILED
    sys.stdout.buffer.write(said.encode("utf-8", "backslashreplace"))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
