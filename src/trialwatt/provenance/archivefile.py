"""An archive as one file: written so that the same content gives the same bytes, and unpacked as
what it is, a stranger's.

Refused are paths that leave the folder, links and other things that are no plain file, names that
occur twice, encryption, and more or larger files than there is reason for, whatever the archive
says of their sizes. Nothing in it is executed or unpickled.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trialwatt.errors import TrialwattError

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_PIECE = 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Limits:
    """What an archive may be at most. ratio: unpacked to packed size, of any file over 1 MiB."""

    files: int = 500_000
    file_bytes: int = 2 << 30
    total_bytes: int = 16 << 30
    ratio: int = 200
    name_letters: int = 400


LIMITS = Limits()


class BadArchive(TrialwattError):
    """The file is no archive that can be unpacked: damaged, or not safe."""


def write_archive(path: Path, contents: Mapping[str, Path | bytes]) -> Path:
    """Write a zip file of these contents (name → file or bytes); appears whole or not at all.

    Order, times and modes are fixed, so the same contents give the same bytes (with one zlib).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            for name in sorted(contents):
                content = contents[name]
                entry = zipfile.ZipInfo(name, _DATE)
                entry.create_system, entry.external_attr = _UNIX, _MODE << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                data = content if isinstance(content, bytes) else content.read_bytes()
                archive.writestr(entry, data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def unpack(path: Path, folder: Path, limits: Limits = LIMITS) -> list[str]:
    """Unpack an archive into an empty folder; returns the names of its files, sorted.

    Raises BadArchive where it is damaged, cut off, or holds what an archive must not hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            _check(path, entries, limits)
            for entry in entries:
                _unpack_one(path, archive, entry, folder)
    except FileNotFoundError as error:
        raise BadArchive(f"{path}: there is no such file") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise BadArchive(
            f"{path}: damaged or cut off, it cannot be unpacked ({error}); fetch it again"
        ) from error
    return sorted(entry.filename for entry in entries)


def plain_files(folder: Path) -> list[str]:
    """The files below a folder, relative and sorted; raises BadArchive for links and the like."""
    found = []
    for above, folders, files in os.walk(folder):
        for name in (*folders, *files):
            place = Path(above, name)
            mode = place.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise BadArchive(f"{place}: a link or special file, an archive has plain files")
        found += [Path(above, name).relative_to(folder).as_posix() for name in files]
    return sorted(found)


def _check(path: Path, entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    """Everything that can be said before the first byte is unpacked."""
    if len(entries) > limits.files:
        raise BadArchive(f"{path}: holds {len(entries)} files, more than {limits.files}")
    seen: set[str] = set()
    total = 0
    for entry in entries:
        name, shown = entry.filename, ascii(entry.filename)
        if fault := _fault_of_name(entry.orig_filename, limits) or _fault_of_name(name, limits):
            raise BadArchive(f"{path}: {shown}: {fault}")
        if name in seen:
            raise BadArchive(f"{path}: {shown} is in it twice")
        seen.add(name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise BadArchive(f"{path}: {shown}: a link or special file; only plain files may be")
        if entry.flag_bits & 0x1:
            raise BadArchive(f"{path}: {shown}: is encrypted")
        if entry.compress_type not in _METHODS:
            raise BadArchive(f"{path}: {shown}: is packed in another way than deflate")
        if entry.file_size > limits.file_bytes:
            raise BadArchive(f"{path}: {shown}: unpacks to {entry.file_size} bytes, too large")
        packed = max(entry.compress_size, 1)
        if entry.file_size > _PIECE and entry.file_size / packed > limits.ratio:
            raise BadArchive(
                f"{path}: {shown}: unpacks to {entry.file_size // packed} times its size"
            )
        total += entry.file_size
    if total > limits.total_bytes:
        raise BadArchive(f"{path}: unpacks to {total} bytes, more than {limits.total_bytes}")
    folders = {str(above) for name in seen for above in PurePosixPath(name).parents}
    if both := sorted(folders & seen):
        raise BadArchive(f"{path}: {both[0]!a} is a file and a folder")


def _fault_of_name(name: str, limits: Limits) -> str:
    parts = name.split("/")
    if len(name) > limits.name_letters or any(len(part.encode()) > 255 for part in parts):
        return "its name is too long"
    if not name.isprintable() or "\\" in name or ":" in name:
        return "its name has letters that a name must not have"
    if name.startswith("/") or any(part in ("", ".", "..") for part in parts):
        return "its path leaves the archive's folder"
    return ""


def _unpack_one(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    """Never more than the size that was checked, even where the entry holds more."""
    place = folder / entry.filename
    place.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as packed, place.open("xb") as file:
        while piece := packed.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise BadArchive(f"{path}: {entry.filename!a}: holds more than it says")
            file.write(piece)
    if left:
        raise BadArchive(f"{path}: {entry.filename!a}: is cut off")
