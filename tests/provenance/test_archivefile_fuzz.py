"""Damaged and hostile zip files: unpacked, or refused with a sentence, and nothing else."""

import io
import random
import shutil
import zipfile
from collections.abc import Callable

import pytest
from tests.fuzz import fuzz

from trialwatt.provenance.archivefile import BadArchive, Limits, unpack, write_archive

LIMITS = Limits(files=2_000, folders=2_000, total_bytes=64 << 20)
EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFE, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFE, 0xFFFF_FFFF)
FIELDS = {
    b"PK\1\2": (
        4,
        6,
        8,
        10,
        12,
        14,
        (16, 4),
        (20, 4),
        (24, 4),
        28,
        30,
        32,
        34,
        36,
        (38, 4),
        (42, 4),
    ),
    b"PK\3\4": (4, 6, 8, 10, 12, (14, 4), (18, 4), (22, 4), 26, 28),
    b"PK\5\6": (4, 6, 8, 10, (12, 4), (16, 4), 20),
    b"PK\6\6": ((4, 8), 12, 14, (16, 4), (20, 4), (24, 8), (32, 8), (40, 8), (48, 8)),
    b"PK\6\7": ((4, 4), (8, 8), (16, 4)),
}
"""Record of a zip file → places of its fields, of 2 bytes where no other width is named."""


def zipped(*entries, method=zipfile.ZIP_DEFLATED, comment=b"", into=None) -> bytes:
    file = into or io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.comment = comment
        for name, data in entries:
            archive.writestr(name, data)
    return file.getvalue()


class NoSeek(io.BytesIO):
    """What is written to it has sizes and checksums behind the data, as from a pipe."""

    def seekable(self):
        return False

    def seek(self, *arguments):
        raise OSError

    def tell(self):
        raise OSError


def with_zip64(data: bytes) -> bytes:
    """The same with the end record of large archives."""
    end = data.rindex(b"PK\5\6")
    count, size, start = (
        int.from_bytes(data[end + at : end + at + width], "little")
        for at, width in ((10, 2), (12, 4), (16, 4))
    )
    numbers = (44, 8), (45, 2), (45, 2), (0, 4), (0, 4), (count, 8), (count, 8), (size, 8)
    record = b"PK\6\6" + b"".join(n.to_bytes(w, "little") for n, w in (*numbers, (start, 8)))
    locator = b"PK\6\7" + bytes(4) + end.to_bytes(8, "little") + (1).to_bytes(4, "little")
    return data[:end] + record + locator + data[end : end + 8] + b"\xff" * 12 + bytes(2)


def without_a_name(data: bytes) -> bytes:
    """The same, of one file whose name has one letter, but that the name has none."""
    central, end = data.index(b"PK\1\2"), data.index(b"PK\5\6")
    local = data[:26] + bytes(2) + data[28:30] + data[31:central]
    entry = data[central : central + 28] + bytes(2) + data[central + 30 : central + 46]
    sizes = len(entry).to_bytes(4, "little") + len(local).to_bytes(4, "little")
    return local + entry + data[end : end + 12] + sizes + bytes(2)


@pytest.fixture
def corpus(tmp_path) -> dict[str, bytes]:
    """Small zip files of every kind that may come along, and such as once were a fault."""
    words = b"the same words " * 40
    ours = {"ro-crate-metadata.json": b"{}", "results/plan.json": words, "Snakefile": b""}
    whole = write_archive(tmp_path / "ours.zip", ours).read_bytes()
    stored = zipped(("a/b", bytes(range(256))), ("a/c", b"x"), method=zipfile.ZIP_STORED)
    entries = [("lab/", b""), ("lab/größe", b"1"), ("__MACOSX/lab/._x", b"2"), ("lab/x", words)]
    small = zipped(("a", b"1"))
    return {
        "ours": whole,
        "stored": stored,
        "one folder down": zipped(*entries),
        "with a comment": zipped(("a", words), comment=b"PK\1\2 PK\3\4 " * 20),
        "with an end in its comment": zipped(("a", words), comment=b"PK\5\6"),
        "from a pipe": zipped(("a", words), ("b", b""), into=NoSeek()),
        "zip64": with_zip64(zipped(("a", words), ("b/c", b"1"))),
        "empty": zipped(),
        "after a program": b"#!/bin/sh\n" * 9 + whole,
        "two in one": stored + whole,
        "without a name": without_a_name(small),
        "an offset below zero": small[:-6] + b"\xff\xff\xff\x7f\0\0",
        "no zip file": b"PK",
    }


def set_a_field(data: bytearray, rng: random.Random) -> None:
    """One field of one record becomes an extreme, or a number that is off by a little."""
    starts = [
        (at, mark)
        for mark in FIELDS
        for at in range(len(data) - 3)
        if data[at] == 0x50 and data[at : at + 4] == mark
    ]
    if starts:
        at, mark = rng.choice(starts)
        field = rng.choice(FIELDS[mark])
        offset, width = field if isinstance(field, tuple) else (field, 2)
        place = slice(at + offset, at + offset + width)
        now = int.from_bytes(data[place], "little")
        new = rng.choice((*EXTREMES, now + 1, now - 1, now ^ 1 << rng.randrange(8 * width)))
        data[place] = (new % (1 << 8 * width)).to_bytes(width, "little")


@pytest.fixture
def attempt(tmp_path) -> Callable[[bytes], None]:
    """Unpack an input; what it leaves outside its folder is a fault."""
    place = tmp_path / "place"
    place.mkdir()
    archive, folder = place / "x.zip", place / "unpacked"

    def one(data: bytes) -> None:
        archive.write_bytes(data)
        folder.mkdir()
        try:
            found = unpack(archive, folder, LIMITS)
            assert all((folder / name).is_file() for name in found.files)
        finally:
            there = sorted(file.name for file in place.iterdir())
            assert there == ["unpacked", "x.zip"], there
            shutil.rmtree(folder)

    return one


def check(corpus, attempt, inputs: int, seed: int) -> None:
    tokens = (b"../", b"/", b"\0", b"\xff\xfe", *FIELDS)
    outcome = fuzz(
        corpus, attempt, BadArchive, inputs, seed=seed, tokens=tokens, special=set_a_field
    )
    assert not outcome.unclean, "\n".join(outcome.unclean[:5])
    assert inputs < 50 or 0.3 < outcome.refused / outcome.inputs < 0.99
    print(f"{outcome.inputs} inputs, {outcome.refused} refused, slowest {outcome.slowest_s:.2f} s")


def test_the_corpus_itself(corpus, attempt):
    refused = []
    for name, data in corpus.items():
        try:
            attempt(data)
        except BadArchive:
            refused.append(name)
    assert refused == [
        "with an end in its comment",
        "without a name",
        "an offset below zero",
        "no zip file",
    ]


def test_a_damaged_zip_file_is_unpacked_or_refused(corpus, attempt):
    check(corpus, attempt, inputs=600, seed=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
def test_many_damaged_zip_files_are_unpacked_or_refused(corpus, attempt, seed):
    check(corpus, attempt, inputs=10_000, seed=seed)
