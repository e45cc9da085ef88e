"""A file is whole, or not there."""

import hashlib

import pytest

from trialwatt.files import sha256, whole, write_whole


@pytest.mark.parametrize("data", ["é\n", b"\xff\x00"])
def test_a_file_is_written_with_its_folder(tmp_path, data):
    path = tmp_path / "a" / "b.txt"
    write_whole(path, data)
    expected = data.encode() if isinstance(data, str) else data
    assert path.read_bytes() == expected
    assert sha256(path) == hashlib.sha256(expected).hexdigest()
    assert list(path.parent.iterdir()) == [path]


def test_the_name_of_what_is_half_written_is_never_the_same(tmp_path):
    """Nobody can put a link there first."""
    with whole(tmp_path / "a.txt") as one, whole(tmp_path / "a.txt") as other:
        assert one.parent == other.parent == tmp_path
        assert one != other
        one.write_text("one")
        other.write_text("other")


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    write_whole(path, "old")

    def fail():
        with whole(path) as part:
            part.write_text("ne")
            raise OSError("the disk is full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
