import numpy as np
import pytest

from trialwatt.errors import TrialwattError
from trialwatt.workload import prepared
from trialwatt.workload.sources import prepare


def test_digits_are_whole_and_split_without_overlap(digits):
    facts = prepared.facts(digits)
    assert (facts.name, facts.pixels, facts.classes, facts.scale) == ("digits", 64, 10, 16)
    from safetensors.numpy import load_file

    arrays = load_file(str(digits))
    assert len(arrays["train_images"]) + len(arrays["test_images"]) == 1797
    assert arrays["train_images"].dtype == np.uint8
    assert arrays["train_images"].max() == 16
    assert sum(facts.train_per_class) == len(arrays["train_labels"])
    prepared.check(digits)


def test_preparing_twice_gives_the_same_bytes(digits, tmp_path):
    prepare("digits", tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == digits.read_bytes()


def test_a_changed_byte_is_found(digits, tmp_path):
    data = bytearray(digits.read_bytes())
    data[-1] ^= 1
    (tmp_path / "digits.safetensors").write_bytes(data)
    with pytest.raises(TrialwattError, match="checksum is wrong"):
        prepared.check(tmp_path / "digits.safetensors")


def test_a_truncated_file_is_refused(digits, tmp_path):
    (tmp_path / "cut.safetensors").write_bytes(digits.read_bytes()[:1000])
    with pytest.raises(TrialwattError, match="not a prepared dataset"):
        prepared.facts(tmp_path / "cut.safetensors")


def arrays(images, labels):
    rng = np.random.default_rng(0)
    part = {
        "images": rng.integers(0, 255, (images, 4, 4)).astype(np.uint8),
        "labels": (np.arange(labels) % 3).astype(np.uint8),
    }
    return {f"{split}_{kind}": value for split in ("train", "test") for kind, value in part.items()}


def test_images_and_labels_of_different_length_are_refused(tmp_path):
    with pytest.raises(TrialwattError, match="6 train images but 5 labels"):
        prepared.write(tmp_path / "x", "odd", arrays(6, 5), 4, 4, 3, 255)
    assert list(tmp_path.iterdir()) == []


def test_labels_beyond_the_classes_are_refused(tmp_path):
    with pytest.raises(TrialwattError, match=r"labels are not in 0\.\.1"):
        prepared.write(tmp_path / "x", "odd", arrays(6, 6), 4, 4, 2, 255)


def test_an_unknown_dataset_is_named(tmp_path):
    with pytest.raises(TrialwattError, match="no dataset 'cifar'; there are: digits, mnist"):
        prepare("cifar", tmp_path / "x")


def test_a_folder_without_the_raw_files_is_named(tmp_path):
    with pytest.raises(TrialwattError, match="train-images-idx3-ubyte"):
        prepare("mnist", tmp_path / "x", folder=str(tmp_path))
    assert not (tmp_path / "x").exists()
