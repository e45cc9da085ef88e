import os
import socket
import stat
import struct
import zipfile
import zlib

import pytest

from trialwatt.provenance.archivefile import (
    BadArchive,
    Limits,
    company_in_results,
    content_of,
    plain_files,
    unpack,
    write_archive,
)


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
    assert unpack(one, place).files == ["a", "x/b"] == plain_files(place)
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
        (Limits(ratio=10**6, spare_bytes=1 << 62), "make room there"),
    ):
        with pytest.raises(BadArchive, match=said):
            unpack(archive, place, limits)
    assert list(place.iterdir()) == []


def test_folders_count_and_how_deep_they_lie(tmp_path, place):
    wide = zipped(tmp_path / "wide.zip", *((f"{n}/a/x", b"1") for n in range(10)))
    deep = zipped(tmp_path / "deep.zip", ("/".join("abcdefgh"), b"1"))
    with pytest.raises(BadArchive, match="holds 11 folders, more than 10"):
        unpack(wide, place, Limits(folders=10))
    with pytest.raises(BadArchive, match="lies deeper than 6 folders"):
        unpack(deep, place, Limits(depth=6))
    assert list(place.iterdir()) == []
    assert unpack(wide, place, Limits(folders=20)).files == plain_files(place)
    with pytest.raises(BadArchive, match="holds 11 folders, more than 10"):
        plain_files(place, Limits(folders=10))
    unpack(deep, place, Limits(depth=7))
    with pytest.raises(BadArchive, match="lies deeper than 6 folders"):
        plain_files(place, Limits(depth=6))


def test_57000_folders_are_refused_before_the_first_is_made(tmp_path, place):
    names = ("/".join([str(n), *["d"] * 190, "x"]) for n in range(300))
    with pytest.raises(BadArchive, match="deeper"):
        unpack(zipped(tmp_path / "x.zip", *((name, b"") for name in names)), place)
    assert list(place.iterdir()) == []


def test_a_small_file_takes_a_block_of_the_disk(tmp_path, place):
    archive = zipped(tmp_path / "x.zip", *((str(n), b"1") for n in range(20)))
    with pytest.raises(BadArchive, match="of disk when unpacked"):
        unpack(archive, place, Limits(total_bytes=19 * 4096))
    assert len(unpack(archive, place, Limits(total_bytes=20 * 4096)).files) == 20
    with pytest.raises(BadArchive, match="of disk when unpacked"):
        plain_files(place, Limits(total_bytes=19 * 4096))


def test_a_list_of_too_many_files_is_refused_as_it_is_read(tmp_path, place):
    archive = zipped(tmp_path / "x.zip", *((str(n), b"") for n in range(100)))
    with pytest.raises(BadArchive, match="lists 100 files and folders, more than 60"):
        unpack(archive, place, Limits(files=50, folders=10))
    with pytest.raises(BadArchive, match=r"the list of its files has 1 MB, more than"):
        unpack(archive, place, Limits(directory_bytes=1000))


def test_one_that_says_its_list_has_four_gigabytes(tmp_path, place):
    archive = zipped(tmp_path / "x.zip", ("a", b"1"))
    data = bytearray(archive.read_bytes())
    data[-10:-6] = b"\xfe\xff\xff\xff"  # size of the central directory in the end record
    archive.write_bytes(data)
    with pytest.raises(BadArchive, match=r"4,096 MB, more than 128 MB|damaged"):
        unpack(archive, place)


def overlapping(path, count: int):
    """Fifield's bomb: each file's packed bytes are the next one's header (quoted as a stored block)
    and all that follows it, so that one kernel is unpacked again and again."""
    kernel = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = kernel.compress(bytes(1 << 20)) + kernel.flush()
    crc, size, body, central = zlib.crc32(bytes(1 << 20)), 1 << 20, packed, b""
    plain = bytes(1 << 20)
    entries = []
    for number in range(count):
        name = b"%06d" % number
        header = struct.pack(
            "<4s5HLLL2H", b"PK\3\4", 20, 0, 8, 0, 0, crc, len(body), size, len(name), 0
        )
        entries.append((name, crc, len(body), size, len(body) + len(header) + len(name)))
        whole = header + name + body
        quoted = struct.pack("<BHH", 0, len(header + name), len(header + name) ^ 0xFFFF)
        plain = header + name + plain
        crc, size = zlib.crc32(plain), len(plain)
        body = quoted + whole
    content = body[5:]
    for name, crc, packed_size, size, from_end in entries:
        central += struct.pack(
            "<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 8, 0, 0, crc, packed_size, size, len(name),
            0, 0, 0, 0, 0, len(content) - from_end,
        ) + name  # fmt: skip
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(central), len(content), 0)
    path.write_bytes(content + central + end)
    return path


def test_files_that_share_their_bytes_are_refused(tmp_path, place):
    whole = overlapping(tmp_path / "one.zip", 1)
    unpack(whole, place, Limits(ratio=2000))  # it is a zip file as any, but for the sharing
    assert (place / "000000").read_bytes() == bytes(1 << 20)
    archive = overlapping(tmp_path / "x.zip", 200)
    with pytest.raises(BadArchive, match="those of another file"):
        unpack(archive, tmp_path / "other", Limits(ratio=2000))
    assert list((tmp_path / "other").iterdir()) == []


def test_harmless_company_is_skipped_and_named(tmp_path, place):
    link = zipfile.ZipInfo("paper/.#main.typ")
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    found = unpack(
        zipped(
            tmp_path / "x.zip",
            ("a", b"1"),
            (".DS_Store", b"x"),
            ("__MACOSX/._a", b"x"),
            ("b/Icon\r", b""),
            (link, b"me@host.1"),
        ),
        place,
    )
    assert found.files == plain_files(place) == ["a"]
    assert found.company == [".DS_Store", "__MACOSX/._a", "b/Icon\r", "paper/.#main.typ"]


def test_company_in_an_unpacked_archive_is_not_looked_at(place):
    (place / "a").write_text("")
    (place / ".hidden").write_text("")
    (place / "__MACOSX").mkdir()
    (place / "__MACOSX/x").symlink_to("/dev/zero")
    (place / ".#a").symlink_to("me@host.1")
    assert content_of(place).files == [".hidden", "a"]
    assert content_of(place).company == [".#a", "__MACOSX"]


def special(kind: str, file) -> None:
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(file))
    elif kind == "device":
        file.symlink_to("/dev/zero")
    else:
        file.symlink_to(file.name)


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "loop"])
@pytest.mark.parametrize("look", [plain_files, company_in_results])
def test_what_is_no_plain_file_is_refused_by_name(place, monkeypatch, kind, look):
    (place / "b").mkdir()
    monkeypatch.chdir(place)  # the path of a socket must be short
    special(kind, (place / "b/x").relative_to(place))
    with pytest.raises(BadArchive, match=r"b/x: (a link|a device|cannot be looked into)"):
        look(place)


def test_links_to_folders_and_files_are_common_where_one_works(tmp_path, place):
    other = tmp_path / "disk"
    (other / "runs").mkdir(parents=True)
    (other / "runs/.DS_Store").write_text("")
    (other / "runs/up").symlink_to(place)
    (place / "runs").symlink_to(other / "runs")
    (place / "again").symlink_to(other / "runs")
    (place / "gone").symlink_to(tmp_path / "gone")
    (place / "file").symlink_to(other / "runs/.DS_Store")
    found = company_in_results(place)
    assert len(found) == 1 and found[0].endswith("/.DS_Store")
    with pytest.raises(BadArchive, match="a link"):
        plain_files(place)
    os.mkfifo(other / "runs/pipe")
    with pytest.raises(BadArchive, match=r"/pipe: a device, a pipe"):
        company_in_results(place)


def test_a_walk_ends_at_the_limit(place):
    for number in range(30):
        (place / str(number)).write_text("")
    for look in (plain_files, company_in_results):
        with pytest.raises(BadArchive, match="holds 11 files, more than 10"):
            look(place, Limits(files=10))


def test_an_archive_that_is_a_pipe_is_not_waited_for(tmp_path, place):
    os.mkfifo(tmp_path / "x.zip")
    with pytest.raises(BadArchive, match="is no file"):
        unpack(tmp_path / "x.zip", place)


def test_paths_that_are_too_long_where_they_go(tmp_path):
    folder = tmp_path
    while len(str(folder)) < 3900:
        folder = folder / ("d" * 100)
    folder.mkdir(parents=True)
    with pytest.raises(BadArchive, match="paths are too long below"):
        unpack(zipped(tmp_path / "x.zip", ("/".join(["e" * 99] * 3), b"1")), folder)
    assert list(folder.iterdir()) == []


def test_a_name_of_a_stranger_is_one_bounded_line(tmp_path, place):
    archive = zipped(tmp_path / "x.zip", ("\x1b[2J\nVerified.\n" + "x" * 10_000, b"1"))
    with pytest.raises(BadArchive) as refused:
        unpack(archive, place)
    said = str(refused.value)
    assert "\x1b" not in said and "\n" not in said and len(said) < 1000


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
