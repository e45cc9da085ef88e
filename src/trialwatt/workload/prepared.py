"""The prepared dataset: one memory-mapped uint8 file whose pages all workers share.

A safetensors file with `train_images` (N, pixels), `train_labels` (N,), `test_images` and
`test_labels`, all uint8; its metadata holds, as JSON, name, height, width, classes, scale (the
value of a white pixel), the number of training images per class and the SHA-256 of the four arrays.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from trialwatt.errors import TrialwattError
from trialwatt.files import whole

ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")
PUBLISHED = {
    "digits": "533ece3364fad18ec1f6ed80ba95104ff4b95b35c462a5b462b3e0f70e5ac3d9",
    "mnist": "52ea5b844f4603e715f9011f35da3a1155104af7fab4078ff45774219337ea36",
    "fashion-mnist": "a9771adaf1ce4ed3cbb5f22c5d9d7d99b54adadbe43b88e558d055c74c299706",
}
"""SHA-256 of the four arrays as they are prepared from the published files."""


@dataclass(frozen=True)
class DatasetFacts:
    """What can be known of a prepared dataset without reading its images."""

    name: str
    height: int
    width: int
    classes: int
    scale: int
    train_per_class: tuple[int, ...]
    sha256: str

    @property
    def pixels(self) -> int:
        return self.height * self.width


def write(path: Path, name: str, arrays: dict[str, np.ndarray], height, width, classes, scale):
    """Write the prepared file atomically. Raises TrialwattError if the arrays do not fit."""
    from safetensors.numpy import save_file

    for split in ("train", "test"):
        images, labels = arrays[f"{split}_images"], arrays[f"{split}_labels"]
        if len(images) != len(labels):
            raise TrialwattError(
                f"{name}: {len(images)} {split} images but {len(labels)} labels; "
                "the raw files do not belong together"
            )
        if len(labels) == 0 or labels.max() >= classes:
            raise TrialwattError(f"{name}: the {split} labels are not in 0..{classes - 1}")
    flat = {
        key: np.ascontiguousarray(value.reshape(len(value), -1).squeeze(), dtype=np.uint8)
        for key, value in arrays.items()
    }
    counts = np.bincount(flat["train_labels"], minlength=classes)
    known = DatasetFacts(name, height, width, classes, scale, counts.tolist(), _digest(flat))
    # One key only: safetensors keeps several in an order that changes from file to file.
    metadata = {"facts": json.dumps(asdict(known), sort_keys=True)}
    with whole(path) as partial:
        save_file(flat, partial, metadata=metadata)


def facts(path: str | Path) -> DatasetFacts:
    """The facts of a prepared file, from its header. Raises TrialwattError if it is not one."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="numpy") as file:
            known = json.loads(file.metadata()["facts"])
    except (OSError, SafetensorError, KeyError, TypeError) as error:
        raise TrialwattError(
            f"{path}: not a prepared dataset ({error}); delete it and run again to make it anew"
        ) from error
    return DatasetFacts(**known | {"train_per_class": tuple(known["train_per_class"])})


def check(path: str | Path) -> None:
    """Raise TrialwattError unless the arrays still have the checksum they were written with."""
    from safetensors.numpy import load_file

    expected = facts(path).sha256
    if _digest(load_file(str(path))) != expected:
        raise TrialwattError(
            f"{path}: its checksum is wrong, the file has changed since it was made; "
            "delete it and run again to make it anew"
        )


def _digest(arrays: dict[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for key in ARRAYS:
        digest.update(f"{key}{arrays[key].shape}".encode())
        digest.update(arrays[key].data)
    return digest.hexdigest()
