"""Names and paths that may be a stranger's: none of them leads out of the folder that it is for."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import AfterValidator, Field

from trialwatt.printable import shown

_PATH_LETTERS, _NAME_BYTES = 400, 255
"""What a file system would refuse is no path of ours."""


def _stays_inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    windows = "\\" in path or ":" in path.split("/")[0]
    if not parts or path.startswith("/") or ".." in parts or windows or not path.isprintable():
        raise ValueError(f"not a path inside the project: {shown(path, 100)!r}")
    if len(path) > _PATH_LETTERS or any(len(part.encode()) > _NAME_BYTES for part in parts):
        raise ValueError(f"its path is too long: {shown(path, 100)!r}")
    return path


RelativePath = Annotated[str, AfterValidator(_stays_inside)]
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
RunFolder = Annotated[str, Field(pattern=r"^runs(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}){2}$")]
"""Of a configuration, below the results folder."""
Measured = Annotated[
    str,
    Field(
        pattern=r"^(runs(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}){2}/rep[0-9]{1,6}"
        r"|scouts(/[A-Za-z0-9_][A-Za-z0-9._+-]{0,199}){2})$"
    ),
]
"""A repetition, or a run that a sweep has scouted."""


def placed(file: Path, base: Path) -> str:
    """How a plan, a chain and an archive call a file: its path under `base`, or the bare name of a
    file elsewhere, as absolute paths mean nothing."""
    file, base = file.resolve(), base.resolve()
    return file.relative_to(base).as_posix() if file.is_relative_to(base) else file.name
