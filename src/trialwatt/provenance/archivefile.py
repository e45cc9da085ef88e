"""An archive as one file: written so that the same content gives the same bytes, and unpacked as
what it is, a stranger's. And the files of one that lies unpacked.

Refused are paths that leave the folder, links and other things that are no plain file, names that
occur twice, encryption, and more, larger or deeper files than there is reason or room for,
whatever the archive says of their sizes. Nothing in it is executed or unpickled.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trialwatt.files import whole
from trialwatt.printable import shown
from trialwatt.provenance.bounds import (
    LIMITS,
    Amount,
    BadArchive,
    Limits,
    fault_of_name,
    is_company,
    megabytes,
    named,
)

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

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENTRY = b"PK\1\2"
_LOCAL_HEADER = 30
_SMALL = 1 << 20
_PATH_BYTES = 4095


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
        with _BoundedFile(path, limits) as file, zipfile.ZipFile(file) as archive:
            entries, company = _checked(path, archive, folder, limits)
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


class _BoundedFile(io.BufferedReader):
    """A zip file as zipfile reads it. It asks for the list of files in one piece, and makes
    objects of all that stands in it: so a list that is too long is refused as it is read."""

    def __init__(self, path: Path, limits: Limits):
        super().__init__(io.FileIO(path))
        self._path, self._limits = path, limits

    def read(self, size: int | None = -1, /) -> bytes:
        limits = self._limits
        if size is not None and size > limits.directory_bytes:
            raise BadArchive(
                f"{self._path}: the list of its files has {megabytes(size)}, more than "
                f"{megabytes(limits.directory_bytes)}"
            )
        data = super().read(size)
        if (entries := data.count(_ENTRY)) > limits.files + limits.folders:
            raise BadArchive(
                f"{self._path}: lists {entries} files and folders, more than "
                f"{limits.files + limits.folders}"
            )
        return data


def _checked(
    path: Path, archive: zipfile.ZipFile, folder: Path, limits: Limits
) -> tuple[list[zipfile.ZipInfo], list[str]]:
    """The entries to be unpacked into `folder`, and the names of what is only company.

    Raises BadArchive where one is not safe or all of them are too much, for an archive or for the
    disk that `folder` is on.
    """
    entries, company, amount = [], [], Amount(path, limits)
    for entry in archive.infolist():
        if is_company(entry.filename):
            company.append(entry.filename)
        elif not entry.filename.endswith("/"):
            amount.add_file(entry.filename, entry.file_size)
            _check_entry(path, entry, limits)
            entries.append(entry)
    _check_names(path, entries, amount)
    _check_places(path, entries, archive.start_dir)
    _check_room(path, entries, folder, amount, limits)
    return entries, company


def _check_entry(path: Path, entry: zipfile.ZipInfo, limits: Limits) -> None:
    where = f"{path}: {named(entry.filename)}"
    for name in (entry.orig_filename, entry.filename):
        if fault := fault_of_name(name, limits):
            raise BadArchive(f"{where}: {fault}")
    if stat.S_IFMT(entry.external_attr >> 16) not in (0, stat.S_IFREG):
        raise BadArchive(f"{where}: a link or special file; only plain files may be")
    if entry.flag_bits & 0x1:
        raise BadArchive(f"{where}: is encrypted")
    if entry.compress_type not in _METHODS:
        raise BadArchive(f"{where}: is packed in another way than deflate")
    times = entry.file_size // max(entry.compress_size, 1)
    if entry.file_size > _SMALL and times > limits.ratio:
        raise BadArchive(f"{where}: unpacks to {times} times its size")


def _check_names(path: Path, entries: list[zipfile.ZipInfo], amount: Amount) -> None:
    """Each name once, none both a file and a folder, and not too many folders."""
    files: set[str] = set()
    folders: set[str] = set()
    for entry in entries:
        if entry.filename in files:
            raise BadArchive(f"{path}: {named(entry.filename)} is in it twice")
        files.add(entry.filename)
        above = entry.filename.rpartition("/")[0]
        while above and above not in folders:
            amount.add_folder(above)
            folders.add(above)
            above = above.rpartition("/")[0]
    if both := folders & files:
        raise BadArchive(f"{path}: {named(min(both))} is a file and a folder")


def _check_places(path: Path, entries: list[zipfile.ZipInfo], end: int) -> None:
    """Files that share bytes of the archive are how a small one unpacks to a huge one."""
    for entry in sorted(entries, key=lambda entry: entry.header_offset, reverse=True):
        start = entry.header_offset
        if start < 0 or start + _LOCAL_HEADER + entry.compress_size > end:
            raise BadArchive(
                f"{path}: {named(entry.filename)}: its bytes are those of another file, or outside "
                "the archive: damaged, or made to deceive"
            )
        end = start


def _check_room(
    path: Path, entries: list[zipfile.ZipInfo], folder: Path, amount: Amount, limits: Limits
) -> None:
    longest = max((len(entry.filename.encode()) for entry in entries), default=0)
    if len(os.fsencode(folder.resolve())) + 1 + longest > _PATH_BYTES:
        raise BadArchive(f"{path}: its paths are too long below {folder}; unpack it higher up")
    free = shutil.disk_usage(folder).free
    if amount.bytes + limits.spare_bytes > free:
        raise BadArchive(
            f"{path}: unpacks to {megabytes(amount.bytes)}, and {folder} has {megabytes(free)} of "
            f"disk free, of which {megabytes(limits.spare_bytes)} are to be left; make room there"
        )
    found = os.statvfs(folder)
    if found.f_files and amount.files + amount.folders > found.f_favail:
        raise BadArchive(
            f"{path}: holds {amount.files + amount.folders} files and folders, and the disk of "
            f"{folder} takes {found.f_favail} more; make room there"
        )
