"""MNIST and Fashion-MNIST from raw files: whole, packed, missing, damaged or not to be had."""

import gzip

import numpy as np
import pytest
from safetensors.numpy import load_file

from trialwatt.config.catalogue import DATASETS
from trialwatt.errors import TrialwattError
from trialwatt.workload import prepared, sources
from trialwatt.workload.sources import SOURCES, prepare

BOTH = ["mnist", "fashion-mnist"]


def test_every_dataset_of_the_catalogue_has_a_source():
    assert set(DATASETS) == set(SOURCES)


@pytest.mark.parametrize("dataset", BOTH)
def test_raw_files_become_one_file_whose_test_set_is_the_official_one(raw_files, tmp_path, dataset):
    prepare(dataset, tmp_path / "made", str(raw_files.folder))
    facts, arrays = prepared.facts(tmp_path / "made"), load_file(str(tmp_path / "made"))
    assert (facts.name, facts.height, facts.width, facts.scale) == (dataset, 28, 28, 255)
    for ours, theirs in (("train", "train"), ("test", "t10k")):
        images = raw_files.path(dataset, f"{theirs}-images-idx3-ubyte").read_bytes()[16:]
        labels = raw_files.path(dataset, f"{theirs}-labels-idx1-ubyte").read_bytes()[8:]
        assert arrays[f"{ours}_images"].tobytes() == images
        assert arrays[f"{ours}_labels"].tobytes() == labels


def test_packed_raw_files_give_the_same_and_the_data_folder_is_left_alone(raw_files, tmp_path):
    prepare("mnist", tmp_path / "plain", str(raw_files.folder))
    for name in raw_files.sizes:
        path = raw_files.path("mnist", name)
        path.with_name(f"{name}.gz").write_bytes(gzip.compress(path.read_bytes()))
        path.unlink()
    before = sorted(raw_files.folder.rglob("*"))
    prepare("mnist", tmp_path / "packed", str(raw_files.folder))
    assert (tmp_path / "packed").read_bytes() == (tmp_path / "plain").read_bytes()
    assert sorted(raw_files.folder.rglob("*")) == before


def test_the_folder_may_come_from_the_environment(raw_files, tmp_path, monkeypatch):
    monkeypatch.setenv("TRIALWATT_DATA", str(raw_files.folder))
    prepare("fashion-mnist", tmp_path / "made")
    assert prepared.facts(tmp_path / "made").name == "fashion-mnist"


def cut(content):
    return content[:-1]


def flip(content):
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("dataset", BOTH)
@pytest.mark.parametrize(
    ("damage", "said"), [(cut, "is truncated"), (flip, "wrong checksum")], ids=["cut", "flipped"]
)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_damaged_raw_file_is_named_and_nothing_is_written(
    raw_files, tmp_path, dataset, damage, said, packed
):
    path = raw_files.path(dataset, "train-images-idx3-ubyte")
    content = damage(path.read_bytes())
    if packed:
        path.unlink()
        path = path.with_name(f"{path.name}.gz")
        content = gzip.compress(content)
    path.write_bytes(content)
    with pytest.raises(TrialwattError, match=f"{path}: {said}"):
        prepare(dataset, tmp_path / "made", str(raw_files.folder))
    assert not (tmp_path / "made").exists()


def test_labels_and_images_of_different_length_are_refused(raw_files, tmp_path):
    raw_files.put("t10k-labels-idx1-ubyte", np.arange(19) % 10)
    with pytest.raises(TrialwattError, match="20 test images but 19 labels"):
        prepare("mnist", tmp_path / "made", str(raw_files.folder))
    assert not (tmp_path / "made").exists()


def test_a_missing_file_is_answered_with_all_four_and_their_checksums(raw_files, tmp_path):
    raw_files.path("mnist", "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(TrialwattError, match="t10k-labels-idx1-ubyte: the file is missing") as said:
        prepare("mnist", tmp_path / "made", str(raw_files.folder))
    for name, md5 in raw_files.md5["mnist"].items():
        assert name in str(said.value) and md5 in str(said.value)


@pytest.mark.parametrize(
    ("dataset", "kind"), [("mnist", "MNIST"), ("fashion-mnist", "FashionMNIST")]
)
def test_without_folder_and_network_the_four_files_are_named(
    raw_files, tmp_path, monkeypatch, dataset, kind
):
    """The download is torchvision's; here its server is a port of this machine that is closed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRIALWATT_DATA", raising=False)
    monkeypatch.setattr(
        getattr(sources.torchvision_datasets(), kind), "mirrors", ["http://127.0.0.1:9/"]
    )
    with pytest.raises(TrialwattError, match=f"{dataset} could not be downloaded") as said:
        prepare(dataset, tmp_path / "made")
    for name, md5 in raw_files.md5[dataset].items():
        assert name in str(said.value) and md5 in str(said.value)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("dataset", BOTH)
def test_the_published_files_are_whole(real_raw_files, tmp_path, dataset):
    prepare(dataset, tmp_path / "made", str(real_raw_files))
    prepared.check(tmp_path / "made")
    facts, arrays = prepared.facts(tmp_path / "made"), load_file(str(tmp_path / "made"))
    assert arrays["train_images"].shape == (60_000, 784)
    assert np.bincount(arrays["test_labels"]).sum() == 10_000
    assert sum(facts.train_per_class) == 60_000 and min(facts.train_per_class) > 5000
