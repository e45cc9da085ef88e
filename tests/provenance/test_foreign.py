import hashlib
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trialwatt.errors import TrialwattError
from trialwatt.provenance.foreign import (
    Missing,
    Unreadable,
    checksum,
    names_below,
    opened,
    parse_json,
    read_bytes,
    read_json,
    read_text,
)

READERS = [read_bytes, read_text, read_json, checksum, lambda *file: opened(*file).close()]


def test_a_plain_file_is_read(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{"a": [1, 2.5, null, "ü", {"b": true}]}', encoding="utf-8")
    assert read_json(file) == {"a": [1, 2.5, None, "ü", {"b": True}]}
    assert read_text(file).encode() == read_bytes(file) == file.read_bytes()
    assert checksum(file) == hashlib.sha256(file.read_bytes()).hexdigest()
    (tmp_path / "link").symlink_to(file)
    assert read_bytes(tmp_path / "link") == file.read_bytes()


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_plain_file_is_refused_before_it_is_opened(tmp_path, read):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name, said in [
        ("pipe", "a pipe or device"),
        ("zero", "a pipe or device"),
        ("", "a folder, where a file should be"),
        ("loop", r"cannot be read \("),
        ("x" * 300, r"cannot be read \("),
    ]:
        with pytest.raises(Unreadable, match=said):
            read(tmp_path / name)
    for name in ("gone", "pipe/inside", "a\0b"):
        with pytest.raises(Missing, match="there is no such file"):
            read(tmp_path / name)


@pytest.mark.parametrize("read", READERS)
def test_a_file_without_the_right_to_read_it(tmp_path, read, monkeypatch):
    file = tmp_path / "closed"
    file.write_text("{}")

    def refused(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refused)  # whoever runs the tests may read everything
    with pytest.raises(Unreadable, match=r"closed: cannot be read \(Permission denied\)"):
        read(file)


@pytest.mark.parametrize("read", READERS)
def test_size_is_bounded_before_anything_is_read(tmp_path, read):
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(Unreadable, match="larger than"):
        read(tmp_path / "sparse")
    (tmp_path / "small").write_bytes(b"{}")
    read(tmp_path / "small", 2)
    with pytest.raises(Unreadable, match="larger than 1 bytes"):
        read(tmp_path / "small", 1)


def test_a_name_is_shown_and_not_obeyed(tmp_path):
    with pytest.raises(Missing) as error:
        read_bytes(tmp_path / "a\n\x1b[2JVerified.")
    assert str(error.value).isprintable()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff{}", "not UTF-8 .at byte 0"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b"[" * 100_000, "nested deeper than 100 levels"),
        (b"[" * 101 + b"]" * 101, "nested deeper than 100 levels"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested deeper than 100 levels"),
        (b"9" * 5_000, "5000 digits; 64 bits"),
        (b"9" * 20, "20 digits; 64 bits"),
        (b'{"a": 1, "b": 2, "a": 3}', "the key 'a' stands twice"),
        (b'["\\ud800"]', "not JSON"),
        (b'{"\\udfff": 1}', "not JSON"),
        (b"[" + b"1," * 2_000_000 + b"1]", "over 2000000 values"),
    ],
)
def test_json_that_a_reader_could_trip_over(text, said):
    with pytest.raises(Unreadable, match=f"here: damaged, .*{said}") as error:
        parse_json(text, "here")
    assert str(error.value).isprintable() and len(str(error.value)) < 400


def test_what_nests_as_deeply_as_allowed():
    value = parse_json("[" * 99 + "1" + "]" * 99, "here")
    assert json.dumps(value).count("[") == 99


def test_keys_of_a_stranger_are_shown_in_the_message():
    with pytest.raises(Unreadable) as error:
        parse_json('{"\\u001b\\n": 1, "\\u001b\\n": 2}', "here")
    assert str(error.value).isprintable()


@given(st.binary())
def test_any_bytes_are_a_value_or_an_error_in_words(data):
    try:
        parse_json(data, "here")
    except TrialwattError as error:
        assert str(error).isprintable()


def test_what_lies_below_a_folder(tmp_path):
    deep = tmp_path
    for _ in range(300):
        deep = deep / "abc"
        deep.mkdir()
    (deep / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert names_below(tmp_path) == ["abc/" * 300 + "file", "loop", "pipe"]
    with pytest.raises(Unreadable, match="holds over 200 files and folders"):
        names_below(tmp_path, most=200)
    with pytest.raises(Missing):
        names_below(tmp_path / "gone")
    with pytest.raises(Missing):
        names_below(deep / "file")
