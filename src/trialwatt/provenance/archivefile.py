"""An archive as one file: written so that the same content gives the same bytes, and unpacked as
what it is, a stranger's. And the files of one that lies unpacked.

Refused are paths that leave the folder, links and other things that are no plain file, names that
occur twice, encryption, and more, larger or deeper files than there is reason or room for,
whatever the archive says of their sizes. Nothing in it is executed or unpickled.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trialwatt.files import whole
from trialwatt.printed import shown
from trialwatt.provenance.bounds import LIMITS, Amount, BadArchive, Limits, fault_of_name, named
from trialwatt.provenance.company import is_company
from trialwatt.provenance.zipcheck import BoundedFile, checked

_DATE = (1980, 1, 1, 0, 0, 0)
_MODE = stat.S_IFREG | 0o644
_UNIX = 3
_PIECE = 1 << 20
_DAMAGE_SHOWN = 200
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    MemoryError,
    OverflowError,
    RuntimeError,  # NotImplementedError and RecursionError too
    ValueError,  # UnicodeError too
)
"""What Python's zipfile raises for files that are none, or not wholly."""


@dataclass(frozen=True)
class Content:
    """Names, relative and sorted. company: what file managers and editors left, never a part."""

    files: list[str]
    company: list[str]


def write_archive(path: Path, contents: Mapping[str, Path | bytes]) -> Path:
    """Write a zip file of these contents (name → file or bytes); appears whole or not at all.

    Order, times and modes are fixed, so the same contents give the same bytes (with one zlib).
    """
    with (
        whole(path) as part,
        zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for name in sorted(contents):
            content = contents[name]
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = _UNIX, _MODE << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            data = content if isinstance(content, bytes) else content.read_bytes()
            archive.writestr(entry, data)
    return path


def unpack(path: Path, folder: Path, limits: Limits = LIMITS) -> Content:
    """Unpack an archive into an empty folder, which is made where it is not there; returns what is
    there now, and what was skipped.

    Raises BadArchive where it is damaged, cut off, holds what an archive must not hold, or does
    not fit: all but damage inside a file is said before anything is unpacked.
    """
    try:
        if not path.is_file():  # a pipe would keep us waiting
            said = "is no file" if path.exists() else "there is no such file"
            raise BadArchive(f"{path}: {said}")
        folder.mkdir(parents=True, exist_ok=True)
        with BoundedFile(path, limits) as file, zipfile.ZipFile(file) as archive:
            entries, company = checked(path, archive, folder, limits)
            for entry in entries:
                _unpack_one(path, archive, entry, folder)
    except _DAMAGED as error:
        said = shown(str(error) or type(error).__name__, _DAMAGE_SHOWN)
        raise BadArchive(
            f"{path}: damaged or cut off, it cannot be unpacked ({said}); fetch it again"
        ) from error
    except OSError as error:
        raise BadArchive(f"{path}: cannot be unpacked into {folder} ({error.strerror})") from error
    return Content(sorted(entry.filename for entry in entries), sorted(company))


def plain_files(folder: Path, limits: Limits = LIMITS) -> list[str]:
    """The files of an unpacked archive, relative and sorted, without harmless company.

    Raises BadArchive for links and the like, and for more than an archive may hold. Opens nothing.
    """
    return content_of(folder, limits).files


def content_of(folder: Path, limits: Limits = LIMITS) -> Content:
    """As plain_files, with the company."""
    amount, files, company = Amount(folder, limits), [], []
    waiting = [""]
    while waiting:
        for name, found in _below(folder, waiting.pop(), follow=False):
            if found is None:
                amount.add_file(name)
                company.append(name)
            elif fault := fault_of_name(name, limits):
                raise BadArchive(f"{folder}: {named(name)}: {fault}")
            elif stat.S_ISDIR(found.st_mode):
                amount.add_folder(name)
                waiting.append(name)
            elif stat.S_ISREG(found.st_mode):
                amount.add_file(name, found.st_size)
                files.append(name)
            else:
                raise BadArchive(
                    f"{folder}: {named(name)}: a link or special file, an archive has plain files"
                )
    return Content(sorted(files), sorted(company))


def company_in_results(folder: Path, limits: Limits = LIMITS) -> list[str]:
    """The harmless company in a folder that is worked in, in which links to files and folders are
    common; relative and sorted.

    Raises BadArchive where something is a device, a pipe or the like, or a link to one, or links
    to itself, and for more than there is reason for. Opens nothing; each folder is looked at once.
    """
    amount, company = Amount(folder, limits), []
    waiting, seen = [""], set()
    while waiting:
        for name, found in _below(folder, waiting.pop(), follow=True):
            if found is None:
                amount.add_file(name)
                company.append(name)
            elif stat.S_ISREG(found.st_mode):
                amount.add_file(name)
            elif not stat.S_ISDIR(found.st_mode):
                raise BadArchive(
                    f"{folder}: {named(name)}: a device, a pipe or a link to one; results are "
                    "plain files, remove it"
                )
            elif (found.st_dev, found.st_ino) not in seen:
                seen.add((found.st_dev, found.st_ino))
                amount.add_folder(name)
                waiting.append(name)
    return sorted(company)


def _below(folder: Path, above: str, follow: bool) -> Iterator[tuple[str, os.stat_result | None]]:
    """Name (from `folder` on) and state of what is in folder/above; None for company, whatever it
    is. follow: the state is that of a link's target; links to nothing are as good as nothing."""
    name = above
    try:
        with os.scandir(folder / above) as entries:
            for entry in entries:
                name = f"{above}/{entry.name}" if above else entry.name
                if is_company(name):
                    yield name, None
                    continue
                with suppress(FileNotFoundError):
                    yield name, entry.stat(follow_symlinks=follow)
    except FileNotFoundError:
        return  # it went away just now
    except OSError as error:
        said = f"cannot be looked into ({error.strerror})"
        raise BadArchive(f"{folder}: {named(name or '.')}: {said}") from error


def _unpack_one(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path) -> None:
    """Never more than the size that was checked, even where the entry holds more."""
    place = folder / entry.filename
    place.parent.mkdir(parents=True, exist_ok=True)
    left = entry.file_size
    with archive.open(entry) as packed, place.open("xb") as file:
        while piece := packed.read(_PIECE):
            left -= len(piece)
            if left < 0:
                raise BadArchive(f"{path}: {named(entry.filename)}: holds more than it says")
            file.write(piece)
    if left:
        raise BadArchive(f"{path}: {named(entry.filename)}: is cut off")
