"""Small raw files in the published layout, and the real ones where TRIALWATT_DATA holds them."""

import hashlib
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from trialwatt.config import rawfiles

COUNTS = {"train": 40, "t10k": 20}


def idx(array: np.ndarray) -> bytes:
    """An array of bytes as an IDX file."""
    head = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


class RawFiles:
    """Both published datasets in small, below a data folder; `put` publishes a file anew."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.sizes, self.md5 = {}, {name: {} for name in rawfiles.FOLDERS}
        rng = np.random.default_rng(0)
        for part, count in COUNTS.items():
            self.put(f"{part}-images-idx3-ubyte", rng.integers(0, 256, (count, 28, 28)))
            self.put(f"{part}-labels-idx1-ubyte", np.arange(count) % 10)

    def path(self, dataset: str, name: str) -> Path:
        return self.folder / rawfiles.FOLDERS[dataset] / name

    def put(self, name: str, array: np.ndarray) -> None:
        content = idx(array)
        self.sizes[name] = len(content)
        for dataset, sums in self.md5.items():
            path = self.path(dataset, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            sums[name] = hashlib.md5(content).hexdigest()


@pytest.fixture
def raw_files(tmp_path, monkeypatch) -> RawFiles:
    """Whole small datasets whose checksums stand in for the published ones."""
    made = RawFiles(tmp_path / "images")
    monkeypatch.setattr(rawfiles, "SIZES", made.sizes)
    monkeypatch.setattr(rawfiles, "MD5", made.md5)
    return made


@pytest.fixture
def real_raw_files() -> Path:
    """The data folder with the published files of both datasets."""
    folder = os.environ.get("TRIALWATT_DATA")
    if not folder or any(rawfiles.raw_file_problems(name, folder) for name in rawfiles.MD5):
        pytest.skip("needs MNIST's and Fashion-MNIST's raw files: name their folder in "
                    "TRIALWATT_DATA")  # fmt: skip
    return Path(folder)
