"""A folder of record files as one compressed file, `<folder>.zst`: written once a run is over.

It is a Zstandard file that begins with a skippable frame, which holds an index as JSON; then the
bytes of the files follow one after another in frames of at most 4 MiB, so that any part can be
read alone, and none unpacks to more than is asked for (docs/records.md). `zstd -dc` prints them.
"""

from __future__ import annotations

import io
import json
import shutil
import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal, Protocol, cast

import pyarrow as pa
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trialwatt.files import write_whole
from trialwatt.printable import shown
from trialwatt.provenance.bounds import LIMITS, fault_of_name, is_company, megabytes
from trialwatt.provenance.foreign import Unreadable, opened, parse_json

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

SUFFIX = ".zst"
_SKIPPABLE = struct.Struct("<II")
_MAGIC = 0x184D2A50
"""Of a frame that Zstandard skips, by its RFC 8878."""
_FRAME_BYTES = 4 << 20
"""Unpacked; small enough beside what a reader holds, large enough to be packed well."""
_INDEX_BYTES = 16 << 20
_LARGE_BYTES = 32 << 20
_LEVEL, _LEVEL_OF_LARGE = 15, 3
"""The higher one saves a fifth more, at 5 MB/s: too slow for a run of a million trials."""
_WORTH_A_RATIO = 1 << 20


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _File(_Part):
    name: str
    bytes: Annotated[int, Field(ge=0, le=LIMITS.file_bytes)]


class _Frame(_Part):
    bytes: Annotated[int, Field(ge=1, le=_FRAME_BYTES)]
    packed: Annotated[int, Field(ge=1)]


class _Index(_Part):
    """The files and the frames, in their order; both have the same bytes."""

    format: Literal[1]
    files: Annotated[list[_File], Field(max_length=LIMITS.files)]
    frames: list[_Frame]


def seal(folder: Path) -> None:
    """Put every folder in a run's folder into one file beside it, and remove it.

    At any moment each file is there, plain or sealed. Raises OSError (a full disk, say), and
    Unreadable where a file was written to meanwhile.
    """
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        holder = inner.with_name(inner.name + SUFFIX)
        if not holder.exists():  # else only the removal was cut off
            seal_as(holder, inner)
        shutil.rmtree(inner)


def seal_as(holder: Path, inner: Path) -> None:
    """Put what a folder holds into one file, whole or not at all; nothing of an empty one. It
    raises as seal does."""
    if files := _files_of(inner):
        write_whole(holder, _sealed(inner, files), synced=True)
        Sealed.read(holder)  # a file that was still written to would make it unreadable


def _files_of(folder: Path) -> list[str]:
    names = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(name for name in names if not is_company(name))


def _sealed(folder: Path, names: list[str]) -> bytes:
    sizes = {name: (folder / name).stat().st_size for name in names}
    large = sum(sizes.values()) > _LARGE_BYTES
    codec = pa.Codec("zstd", compression_level=_LEVEL_OF_LARGE if large else _LEVEL)
    frames, packed = [], []
    for content in _contents(folder, sizes):
        packed.append(codec.compress(content, asbytes=True))
        frames.append({"bytes": len(content), "packed": len(packed[-1])})
    files = [{"name": name, "bytes": size} for name, size in sizes.items()]
    index = json.dumps({"format": 1, "files": files, "frames": frames}, separators=(",", ":"))
    return b"".join([_SKIPPABLE.pack(_MAGIC, len(index)), index.encode(), *packed])


def _contents(folder: Path, sizes: dict[str, int]) -> Iterator[bytes]:
    """What goes into each frame: some of the files together, or a part of a large one."""
    together = b""
    for name, size in sizes.items():
        if together and len(together) + size > _FRAME_BYTES:
            yield together
            together = b""
        with (folder / name).open("rb") as file:
            for start in range(0, size, _FRAME_BYTES):
                part = file.read(min(_FRAME_BYTES, size - start))
                if len(together) + len(part) > _FRAME_BYTES:
                    yield together
                    together = b""
                together += part
    if together:
        yield together


@dataclass(frozen=True)
class Sealed:
    """A sealed file. starts: where each frame begins among the unpacked bytes, and their end;
    places: the same in the file itself; files: name → its first and its last unpacked byte."""

    path: Path
    starts: tuple[int, ...]
    places: tuple[int, ...]
    files: dict[str, tuple[int, int]]

    @classmethod
    def read(cls, path: Path) -> Sealed:
        """Read the index of a file that may be a stranger's.

        Raises Missing, or Unreadable where it is damaged, or unpacks to more than an archive may.
        """
        where = shown(path, 500)
        with opened(path, LIMITS.file_bytes) as file:
            head = file.read(_SKIPPABLE.size)
            magic, length = _SKIPPABLE.unpack(head) if len(head) == _SKIPPABLE.size else (0, 0)
            if magic != _MAGIC or length > _INDEX_BYTES:
                raise _damaged(where, "it does not begin with an index")
            text = file.read(length)
            size = file.seek(0, io.SEEK_END)
        try:
            index = _Index.model_validate(parse_json(text, where))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            raise _damaged(where, shown(f"its index: {key}: {first['msg']}", 300)) from error
        starts = tuple(accumulate((frame.bytes for frame in index.frames), initial=0))
        begin = _SKIPPABLE.size + length
        places = tuple(accumulate((frame.packed for frame in index.frames), initial=begin))
        ends = list(accumulate((file.bytes for file in index.files), initial=0))
        names = [file.name for file in index.files]
        if places[-1] != size:
            raise _damaged(where, f"it has {size} bytes, by its index {places[-1]}")
        if ends[-1] != starts[-1] or len({*names}) < len(names) or any(map(fault_of_name, names)):
            raise _damaged(where, "its index contradicts itself")
        return cls(path, starts, places, dict(zip(names, pairwise(ends), strict=True)))

    def frame(self, number: int) -> bytes:
        """The unpacked bytes of a frame. Raises Unreadable where they are not as many as said."""
        place, end = self.places[number : number + 2]
        start, stop = self.starts[number : number + 2]
        with opened(self.path, LIMITS.file_bytes) as file:
            file.seek(place)
            packed = file.read(end - place)
        try:
            return pa.Codec("zstd").decompress(packed, stop - start, asbytes=True)
        except OSError as error:
            raise _damaged(shown(self.path, 500), shown(error, 200)) from error


def _damaged(where: str, said: str) -> Unreadable:
    return Unreadable(
        f"{where}: damaged, no sealed records ({said}); take it from its source again"
    )


@dataclass(frozen=True)
class SealedFile:
    """A file in a sealed one, to be read as a Path is: `name` is its own."""

    sealed: Sealed
    inside: str

    @property
    def name(self) -> str:
        return self.inside.rpartition("/")[2]

    def is_file(self) -> bool:
        return self.inside in self.sealed.files

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Raises FileNotFoundError where there is no such file in it, and Unreadable where it
        unpacks to what no records do."""
        if not self.is_file():
            raise FileNotFoundError(f"{self.sealed.path} holds no {self.inside}")
        unpacked, packed = self.sealed.starts[-1], self.sealed.places[-1]
        if unpacked > max(_WORTH_A_RATIO, LIMITS.ratio * packed):
            raise Unreadable(
                f"{shown(self.sealed.path, 500)}: unpacks to {megabytes(unpacked)}, over "
                f"{LIMITS.ratio} times its size, as no records do; it is not read"
            )
        return io.BufferedReader(_Bytes(self.sealed, *self.sealed.files[self.inside]))

    def read_bytes(self) -> bytes:
        with self.open("rb") as file:
            return file.read()


class _Bytes(io.RawIOBase):
    """The unpacked bytes from `begin` to `end`; the frame that was read last is kept."""

    def __init__(self, sealed: Sealed, begin: int, end: int):
        self._sealed, self._begin, self._end = sealed, begin, end
        self._at, self._number, self._frame = begin, -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: self._begin, io.SEEK_CUR: self._at, io.SEEK_END: self._end}[whence]
        self._at = max(self._begin, base + offset)
        return self._at - self._begin

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        if self._at >= self._end:
            return 0
        number = bisect_right(self._sealed.starts, self._at) - 1
        if number != self._number:
            self._number, self._frame = number, self._sealed.frame(number)
        first = self._at - self._sealed.starts[number]
        part = self._frame[
            first : min(first + len(view), len(self._frame), first + self._end - self._at)
        ]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)


class RecordFile(Protocol):
    """A file of a run as its readers take it: a Path, or one in a sealed file."""

    @property
    def name(self) -> str: ...
    def is_file(self) -> bool: ...
    def open(self, mode: Literal["rb"]) -> BinaryIO: ...
    def read_bytes(self) -> bytes: ...


def record_file(folder: Path, name: str) -> RecordFile:
    """A file of a run's folder by its name (`samples/usage.csv`), sealed or plain, or where it
    would be. Raises Unreadable where what it is sealed in cannot be used."""
    inner, _, inside = name.partition("/")
    holder = folder / (inner + SUFFIX)
    return SealedFile(Sealed.read(holder), inside) if holder.exists() else folder / name


def record_files(folder: Path, inner: str) -> list[RecordFile]:
    """The files right in one folder of a run's (`records`), sealed or plain, sorted; no company."""
    holder = folder / (inner + SUFFIX)
    if holder.exists():
        sealed = Sealed.read(holder)
        return [SealedFile(sealed, name) for name in sorted(sealed.files) if "/" not in name]
    return [folder / inner / name for name in _files_of(folder / inner) if "/" not in name]


def holder_of(folder: Path, file: RecordFile) -> str:
    """The name, below a run's folder, of the file that holds it on the disk."""
    path = file.sealed.path if isinstance(file, SealedFile) else cast(Path, file)
    return path.relative_to(folder).as_posix()
