import stat
import struct
import zipfile

import pytest

from trialwatt.provenance.archivefile import BadArchive, Limits, plain_files, unpack, write_archive


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    return folder


def zipped(path, *entries):
    """A zip file of (ZipInfo or name, bytes)."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in entries:
            archive.writestr(entry, data)
    return path


def test_the_same_contents_give_the_same_bytes(tmp_path, place):
    file = tmp_path / "b"
    file.write_bytes(b"2")
    one = write_archive(tmp_path / "one.zip", {"x/b": file, "a": b"1"})
    file.touch()
    file.chmod(0o600)
    other = write_archive(tmp_path / "two.zip", {"a": b"1", "x/b": file})
    assert one.read_bytes() == other.read_bytes()
    assert unpack(one, place) == ["a", "x/b"] == plain_files(place)
    assert (place / "x/b").read_bytes() == b"2"


def test_nothing_half_written(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_archive(tmp_path / "x.zip", {"a": b"", "b": tmp_path / "gone"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["../x", "/etc/x", "a/../../x", "a//x", "./x", "C:/x", "a\\..\\x", "a\x1bx", "x" * 300]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path, place, name):
    archive = zipped(tmp_path / "x.zip", ("good", b"1"), (name, b"2"))
    with pytest.raises(BadArchive, match=r"name|path"):
        unpack(archive, place)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_special_files_are_refused(tmp_path, place, kind):
    entry = zipfile.ZipInfo("link")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    with pytest.raises(BadArchive, match="link or special"):
        unpack(zipped(tmp_path / "x.zip", (entry, b"/etc/passwd")), place)


def test_names_that_collide_are_refused(tmp_path, place):
    with pytest.warns(UserWarning, match="Duplicate"):
        archive = zipped(tmp_path / "x.zip", ("a", b"1"), ("a", b"2"))
    with pytest.raises(BadArchive, match="twice"):
        unpack(archive, place)
    with pytest.raises(BadArchive, match="a file and a folder"):
        unpack(zipped(tmp_path / "y.zip", ("a", b"1"), ("a/b", b"2")), place)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, place):
    archive = zipped(tmp_path / "x.zip", ("zeros", bytes(8 << 20)))
    with pytest.raises(BadArchive, match="times its size"):
        unpack(archive, place)
    for limits, said in (
        (Limits(ratio=10**6, file_bytes=1 << 20), "too large"),
        (Limits(ratio=10**6, total_bytes=1 << 20), "more than"),
        (Limits(ratio=10**6, files=0), "holds 1 files"),
    ):
        with pytest.raises(BadArchive, match=said):
            unpack(archive, place, limits)
    assert list(place.iterdir()) == []


def test_a_bomb_that_lies_about_its_size_is_stopped(tmp_path, place):
    archive = zipped(tmp_path / "x.zip", ("zeros", bytes(4 << 20)))
    data = archive.read_bytes()
    archive.write_bytes(data.replace(struct.pack("<L", 4 << 20), struct.pack("<L", 1000)))
    with pytest.raises(BadArchive):
        unpack(archive, place)
    assert sum(file.stat().st_size for file in place.iterdir()) <= 1000


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_one_that_is_cut_off_is_refused(tmp_path, place, share):
    archive = write_archive(tmp_path / "x.zip", {"a": b"1" * 1000, "b": bytes(range(256)) * 50})
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BadArchive, match="cut off"):
        unpack(archive, place)


def test_one_with_a_damaged_byte_is_refused(tmp_path, place):
    archive = write_archive(tmp_path / "x.zip", {"b": bytes(range(256)) * 50})
    data = bytearray(archive.read_bytes())
    data[60] ^= 0xFF
    archive.write_bytes(bytes(data))
    with pytest.raises(BadArchive, match="damaged"):
        unpack(archive, place)


def test_encryption_and_other_packings_are_refused(tmp_path, place):
    archive = tmp_path / "x.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_BZIP2) as opened:
        opened.writestr("a", b"1" * 100)
    with pytest.raises(BadArchive, match="another way"):
        unpack(archive, place)


def test_what_is_not_there(tmp_path, place):
    with pytest.raises(BadArchive, match="there is no such file"):
        unpack(tmp_path / "gone.zip", place)
