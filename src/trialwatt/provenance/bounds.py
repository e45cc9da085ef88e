"""What an archive may be at most, packed or unpacked, and which names its files may have."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown

BLOCK = 4096
"""Bytes on the disk that the smallest file, and a folder, take."""
_MB = 1 << 20
_NAME_SHOWN = 120

_FOLDERS = re.compile(
    r"__MACOSX|\.Spotlight-V100|\.Trashes|\.Trash-\d+|\.fseventsd|\.TemporaryItems"
    r"|\.DocumentRevisions-V100|\.AppleDouble|\$RECYCLE\.BIN|System Volume Information|@eaDir"
    r"|\.idea|\.vscode"
)
_FILES = re.compile(
    r"\.DS_Store|\.localized|\.apdisk|\.VolumeIcon\.icns|Icon\r|\._.+"  # macOS
    r"|(?i:thumbs\.db|ehthumbs\.db|desktop\.ini)|~\$.+"  # Windows, and its office programs
    r"|\.directory|\.nfs[0-9a-f]+|\.fuse_hidden[0-9a-f]+|\.~lock\..+#"  # Linux, LibreOffice
    r"|\.#.+|#.+#|.+~|\..+\.sw[a-p]|\..+\.kate-swp",  # Emacs, Vim, Kate
    re.DOTALL,
)


@dataclass(frozen=True)
class Limits:
    """What an archive may be at most.

    files, folders: how many. depth: folders in each other. file_bytes: of one file. total_bytes:
    on the disk, in whole blocks. ratio: unpacked to packed size, of any file over 1 MiB.
    directory_bytes: of a zip file's own list of its files. spare_bytes: free disk that must be
    left beside what is unpacked.
    """

    files: int = 500_000
    folders: int = 50_000
    depth: int = 24
    file_bytes: int = 2 << 30
    total_bytes: int = 16 << 30
    ratio: int = 200
    name_letters: int = 400
    directory_bytes: int = 128 << 20
    spare_bytes: int = 64 << 20


LIMITS = Limits()


class BadArchive(TrialwattError):
    """A file or folder is no archive that can be used: damaged, not safe, or too much for here."""


class Amount:
    """How much there is of an archive; refuses it at the first file or folder that is too much."""

    def __init__(self, where: Path, limits: Limits):
        self._where, self._limits = where, limits
        self.files = self.folders = self.bytes = 0

    def add_file(self, name: str, size: int = 0) -> None:
        """size: in bytes. Raises BadArchive."""
        limits = self._limits
        self.files += 1
        if self.files > limits.files:
            raise BadArchive(f"{self._where}: holds {self.files} files, more than {limits.files}")
        if size > limits.file_bytes:
            raise BadArchive(
                f"{self._where}: {named(name)}: has {megabytes(size)}, too large a file: at most "
                f"{megabytes(limits.file_bytes)}"
            )
        self._add_bytes(-(-size // BLOCK) * BLOCK)

    def add_folder(self, name: str) -> None:
        """Raises BadArchive."""
        limits = self._limits
        self.folders += 1
        if self.folders > limits.folders:
            raise BadArchive(
                f"{self._where}: holds {self.folders} folders, more than {limits.folders}"
            )
        if name.count("/") >= limits.depth:
            raise BadArchive(
                f"{self._where}: {named(name)}: lies deeper than {limits.depth} folders"
            )
        self._add_bytes(BLOCK)

    def _add_bytes(self, size: int) -> None:
        self.bytes += size
        if self.bytes > self._limits.total_bytes:
            most = megabytes(self._limits.total_bytes)
            raise BadArchive(f"{self._where}: takes more than {most} of disk when unpacked")


def fault_of_name(name: str, limits: Limits = LIMITS) -> str:
    """Why no file of an archive may have this name (relative, with `/`); empty where it may."""
    parts = name.split("/")
    if not name.isprintable() or "\\" in name or ":" in name:
        return "its name has letters that a name must not have"
    if len(name) > limits.name_letters or any(len(part.encode()) > 255 for part in parts):
        return "its name is too long"
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "its path leaves the archive's folder"
    return ""


def named(name: str) -> str:
    """A name of a stranger's file for a message: visible, and not too long."""
    return shown(name, _NAME_SHOWN)


def megabytes(size: int) -> str:
    """A size for people, rounded up."""
    return f"{-(-size // _MB):,} MB"


def is_company(name: str) -> bool:
    """Whether a file (or folder) of this name is harmless company; name: relative, with `/`."""
    *folders, last = name.rstrip("/").split("/")
    return any(map(_FOLDERS.fullmatch, (*folders, last))) or bool(_FILES.fullmatch(last))


def left_behind(folder: str, names: Iterable[str]) -> set[str]:
    """Those of the names that are company; to be given to shutil.copytree as `ignore`."""
    return {name for name in names if is_company(name)}


def note_on(name: str) -> str:
    """What is said to the user of a file that is company; the name is to be shown by `printed`."""
    return f"{name}: left by a file manager or an editor; not part of the archive, ignored"
