import gzip
import hashlib
import tracemalloc

import pytest

from trialwatt.config import rawfiles
from trialwatt.config.rawfiles import raw_file_problems

SMALL = {"one": b"\x01" * 100, "two": b"\x02" * 50}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A dataset of two small files, whole and published."""
    sums = {name: hashlib.md5(content).hexdigest() for name, content in SMALL.items()}
    monkeypatch.setattr(rawfiles, "SIZES", {name: len(c) for name, c in SMALL.items()})
    monkeypatch.setattr(rawfiles, "MD5", {"mnist": sums})
    raw = tmp_path / "MNIST/raw"
    raw.mkdir(parents=True)
    for name, content in SMALL.items():
        (raw / name).write_bytes(content)
    return tmp_path, raw


def test_whole_files_have_no_problem_packed_or_not(small):
    folder, raw = small
    assert raw_file_problems("mnist", folder) == []
    (raw / "one").unlink()
    (raw / "one.gz").write_bytes(gzip.compress(SMALL["one"]))
    assert raw_file_problems("mnist", str(folder)) == []


def test_a_changed_byte_is_a_wrong_checksum(small):
    folder, raw = small
    (raw / "two").write_bytes(b"\x02" * 49 + b"\x03")
    (problem,) = raw_file_problems("mnist", folder)
    assert problem.startswith(f"{raw / 'two'}: wrong checksum (MD5 ")


@pytest.mark.parametrize(
    ("content", "end"),
    [(b"", "is truncated: 0 bytes, must be 50"),
     (b"\x02" * 51, "is too long: 51 bytes, must be 50")],
)  # fmt: skip
def test_a_wrong_size_is_named(small, content, end):
    folder, raw = small
    (raw / "two").write_bytes(content)
    assert raw_file_problems("mnist", folder) == [f"{raw / 'two'}: {end}"]


def test_a_packed_file_that_is_cut_off_or_none_is_named(small):
    folder, raw = small
    (raw / "two").unlink()
    packed = gzip.compress(SMALL["two"])
    for content in (packed[:-9], packed[:12], b"not packed", b"\x1f\x8b"):
        (raw / "two.gz").write_bytes(content)
        (problem,) = raw_file_problems("mnist", folder)
        assert problem.startswith(f"{raw / 'two.gz'}: is truncated or not a gzip file (")
    (raw / "two.gz").write_bytes(gzip.compress(b"short"))
    (problem,) = raw_file_problems("mnist", folder)
    assert problem.endswith("is truncated: 5 bytes, must be 50 when unpacked")


def test_a_dataset_without_raw_files_needs_no_folder(tmp_path):
    assert raw_file_problems("digits", tmp_path / "nowhere") == []


def test_both_published_sets_name_four_files():
    assert set(rawfiles.MD5) == {"mnist", "fashion-mnist"} == set(rawfiles.FOLDERS)
    assert all(set(sums) == set(rawfiles.SIZES) for sums in rawfiles.MD5.values())
    assert rawfiles.SIZES["train-images-idx3-ubyte"] == 47_040_016


def test_a_small_file_that_stands_for_much_is_not_unpacked_whole(small):
    folder, raw = small
    (raw / "two").unlink()
    (raw / "two.gz").write_bytes(gzip.compress(bytes(50 << 20)))
    tracemalloc.start()
    problems = raw_file_problems("mnist", folder)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert any("is too long: must be" in problem for problem in problems)
    assert most < 5 << 20
