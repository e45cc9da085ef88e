"""Where the images come from: scikit-learn's embedded digits, or torchvision's dataset classes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from trialwatt.config.catalogue import DATASETS
from trialwatt.config.rawfiles import published, raw_file_problems, unpack_raw_files
from trialwatt.errors import TrialwattError
from trialwatt.workload import prepared
from trialwatt.workload.torchvision_guard import torchvision_datasets

DOWNLOADS = "data"
"""Folder for downloads, where neither the configuration nor TRIALWATT_DATA names one."""


def prepare(dataset: str, path: Path, folder: str | None = None) -> None:
    """Make the prepared file of a dataset. `folder`: the configuration's data folder, if any."""
    if dataset not in SOURCES:
        raise TrialwattError(f"no dataset {dataset!r}; there are: {', '.join(SOURCES)}")
    arrays, shape = SOURCES[dataset](folder), DATASETS[dataset]
    size = shape.height, shape.width, shape.classes, shape.scale
    prepared.write(path, dataset, arrays, *size)


def _digits(_folder: str | None):
    """scikit-learn's digits: 1,797 scans of 8 × 8 pixels, 17 grey levels.

    The set comes without a test set; a fixed, stratified fifth of it is ours.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(
        images, labels, test_size=0.2, stratify=labels, random_state=0
    )
    arrays = dict(
        train_images=train_x, train_labels=train_y, test_images=test_x, test_labels=test_y
    )
    return {key: value.astype(np.uint8) for key, value in arrays.items()}


def _torchvision(dataset: str, class_name: str) -> Callable:
    def load(folder: str | None):
        given = folder or os.environ.get("TRIALWATT_DATA")
        if not given:
            _download(dataset, class_name)
        root = Path(given or DOWNLOADS)
        problems = raw_file_problems(dataset, root)
        if problems:
            raise TrialwattError("\n".join([*problems, f"{root} must hold:", published(dataset)]))
        with tempfile.TemporaryDirectory() as unpacked:
            unpack_raw_files(dataset, root, Path(unpacked))
            kind = getattr(torchvision_datasets(), class_name)
            train, test = kind(unpacked, train=True), kind(unpacked, train=False)
        return {
            "train_images": train.data.numpy(),
            "train_labels": train.targets.numpy(),
            "test_images": test.data.numpy(),
            "test_labels": test.targets.numpy(),
        }

    return load


def _download(dataset: str, class_name: str) -> None:
    try:
        getattr(torchvision_datasets(), class_name)(DOWNLOADS, download=True)
    except (OSError, RuntimeError) as error:
        raise TrialwattError(
            f"{dataset} could not be downloaded ({error}); put these files into a folder and "
            f"name it in TRIALWATT_DATA or in the configuration (data):\n{published(dataset)}"
        ) from error


SOURCES: dict[str, Callable] = {
    "digits": _digits,
    "mnist": _torchvision("mnist", "MNIST"),
    "fashion-mnist": _torchvision("fashion-mnist", "FashionMNIST"),
}
