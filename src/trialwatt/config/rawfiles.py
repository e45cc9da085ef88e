"""The raw IDX files of MNIST and Fashion-MNIST: are they there, whole, and the published ones?"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path

IMAGES, LABELS = 16, 8  # bytes of an IDX header

SIZES = {
    "train-images-idx3-ubyte": IMAGES + 60_000 * 28 * 28,
    "train-labels-idx1-ubyte": LABELS + 60_000,
    "t10k-images-idx3-ubyte": IMAGES + 10_000 * 28 * 28,
    "t10k-labels-idx1-ubyte": LABELS + 10_000,
}

FOLDERS = {"mnist": "MNIST/raw", "fashion-mnist": "FashionMNIST/raw"}
"""Where torchvision expects the files below the data folder."""

MD5 = {
    "mnist": {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    "fashion-mnist": {
        "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
        "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
        "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
        "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
    },
}
"""Published checksums of the uncompressed files."""


def raw_file_problems(dataset: str, folder: str | Path) -> list[str]:
    """What is wrong with the raw files of a dataset below the data folder; empty if nothing.

    Each file may be there as it is or as `.gz`. A dataset without raw files has no problems.
    """
    if dataset not in MD5:
        return []
    raw = Path(folder) / FOLDERS[dataset]
    if not Path(folder).is_dir():
        return [f"{folder}: there is no such folder"]
    if not raw.is_dir():
        return [f"{raw}: there is no such folder; it must hold {', '.join(SIZES)}"]
    problems = (_problem(raw / name, SIZES[name], md5) for name, md5 in MD5[dataset].items())
    return [problem for problem in problems if problem]


def published(dataset: str) -> str:
    """What the data folder must hold, a line for each file."""
    return "\n".join(
        f"  {FOLDERS[dataset]}/{name} (or .gz): {SIZES[name]:,} bytes, MD5 {md5}"
        for name, md5 in MD5[dataset].items()
    )


def unpack_raw_files(dataset: str, folder: Path, target: Path) -> None:
    """Put the raw files below `target` as torchvision expects them: links, or unpacked `.gz`."""
    raw, made = folder / FOLDERS[dataset], target / FOLDERS[dataset]
    made.mkdir(parents=True)
    for name in MD5[dataset]:
        if (raw / name).is_file():
            (made / name).symlink_to((raw / name).resolve())
        else:
            (made / name).write_bytes(gzip.decompress((raw / f"{name}.gz").read_bytes()))


def _problem(path: Path, size: int, md5: str) -> str:
    packed = path.with_name(path.name + ".gz")
    try:
        if path.is_file():
            found = path.stat().st_size
            if found != size:
                return f"{path}: {_amount(found, size)}"
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "md5").hexdigest()
        elif packed.is_file():
            path = packed
            with gzip.open(packed) as file:
                content = file.read(size + 1)  # no more: a few bytes can stand for gigabytes
            if len(content) > size:
                return f"{path}: is too long: must be {size:,} bytes when unpacked"
            if len(content) < size:
                return f"{path}: {_amount(len(content), size)} when unpacked"
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
        else:
            return f"{path}: the file is missing"
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return f"{path}: is truncated or not a gzip file ({error})"
    except OSError as error:
        return f"{path}: cannot be read ({error.strerror})"
    if digest != md5:
        return f"{path}: wrong checksum (MD5 {digest}, published {md5})"
    return ""


def _amount(found: int, size: int) -> str:
    word = "is truncated" if found < size else "is too long"
    return f"{word}: {found:,} bytes, must be {size:,}"
