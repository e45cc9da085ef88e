"""Everything that can be said of a stranger's zip file before its first byte is unpacked.

A zip file says of itself how many files it has, where they are and how large: nothing of that is
believed before it is known to be within reason.
"""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from pathlib import Path

from trialwatt.provenance.bounds import (
    Amount,
    BadArchive,
    Limits,
    fault_of_name,
    megabytes,
    named,
)
from trialwatt.provenance.company import is_company

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENTRY = b"PK\1\2"
_LOCAL_HEADER = 30
_SMALL = 1 << 20
_PATH_BYTES = 4095


class BoundedFile(io.BufferedReader):
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


def checked(
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
