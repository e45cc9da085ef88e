"""Record files that are sealed into one: they come back byte by byte, or are refused by name."""

import io
import json
import os
import signal
import struct
import subprocess
import sys
import time

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trialwatt.errors import TrialwattError
from trialwatt.records import sealed
from trialwatt.records.sealed import Sealed, record_file, record_files, seal

CONTENTS = st.dictionaries(
    st.sampled_from(["harness.jsonl", "worker-0.jsonl", "worker-1.jsonl", "0/stderr"]),
    st.binary(max_size=300),
    min_size=1,
)


def written(folder, contents, inner="records"):
    for name, content in contents.items():
        file = folder / inner / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return folder


def forge(folder, index, packed=b"", inner="records"):
    text = json.dumps(index).encode()
    head = struct.pack("<II", 0x184D2A50, len(text))
    (folder / f"{inner}.zst").write_bytes(head + text + packed)


@settings(deadline=None)
@given(CONTENTS, st.integers(1, 100), st.integers(0, 310))
def test_every_file_comes_back_from_frames_of_any_size(tmp_path_factory, contents, size, at):
    folder = written(tmp_path_factory.mktemp("run"), contents)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sealed, "_FRAME_BYTES", size)
        seal(folder)
    assert [path.name for path in folder.iterdir()] == ["records.zst"]
    right_in_it = sorted(name for name in contents if "/" not in name)
    assert [file.name for file in record_files(folder, "records")] == right_in_it
    for name, content in contents.items():
        found = record_file(folder, f"records/{name}")
        assert found.is_file() and found.read_bytes() == content
        with found.open("rb") as file:
            assert file.seek(at) == at and file.read(40) == content[at : at + 40]
            assert file.seek(0, io.SEEK_END) == len(content)
            file.seek(0)
            assert file.readlines() == io.BytesIO(content).readlines()


def test_any_program_for_zstandard_reads_the_files_one_after_another(tmp_path):
    folder = written(tmp_path, {"a": b"one\n", "b": b"two\n"})
    seal(folder)
    with pa.input_stream(str(folder / "records.zst"), compression="zstd") as stream:
        assert stream.read() == b"one\ntwo\n"


def test_the_same_records_are_the_same_bytes_and_smaller(tmp_path):
    line = b'{"t":1,"m":%d,"run":"r","who":"worker-0","kind":"trial"}\n'
    contents = {"worker-0.jsonl": b"".join(line % number for number in range(2000))}
    for name in ("a", "b"):
        seal(written(tmp_path / name, contents))
    one, two = ((tmp_path / name / "records.zst").read_bytes() for name in ("a", "b"))
    assert one == two and len(one) < len(contents["worker-0.jsonl"]) / 5


def test_each_folder_is_sealed_by_itself_and_files_beside_them_stay(tmp_path):
    written(written(tmp_path, {"harness.jsonl": b"x"}), {"usage.csv": b""}, "samples")
    (tmp_path / "empty").mkdir()
    (tmp_path / "job.json").write_text("{}")
    seal(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"job.json", "records.zst", "samples.zst"}
    assert record_file(tmp_path, "samples/usage.csv").read_bytes() == b""


def test_a_file_that_is_not_in_it_is_not_taken_from_beside_it(tmp_path):
    seal(written(tmp_path, {"harness.jsonl": b"x"}))
    written(tmp_path, {"worker-9.jsonl": b"forged"})
    found = record_file(tmp_path, "records/worker-9.jsonl")
    assert not found.is_file()
    with pytest.raises(FileNotFoundError, match=r"records\.zst holds no worker-9"):
        found.read_bytes()
    assert [file.name for file in record_files(tmp_path, "records")] == ["harness.jsonl"]


def test_a_file_that_was_cut_off_is_refused_by_its_name(tmp_path):
    seal(written(tmp_path, {"harness.jsonl": os.urandom(300)}))
    whole = (tmp_path / "records.zst").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "records.zst").write_bytes(whole[:length])
        with pytest.raises(TrialwattError, match=r"records\.zst: damaged"):
            Sealed.read(tmp_path / "records.zst")


@settings(deadline=None)
@given(st.integers(0), st.binary(min_size=1, max_size=4))
def test_damage_anywhere_is_refused_in_words_or_changes_bytes(tmp_path_factory, at, damage):
    folder = written(tmp_path_factory.mktemp("run"), {"a": b"one\n" * 9, "b": b"two\n"})
    seal(folder)
    holder = folder / "records.zst"
    data = bytearray(holder.read_bytes())
    at %= len(data)
    data[at : at + len(damage)] = damage
    holder.write_bytes(data)
    try:
        for file in record_files(folder, "records"):
            assert len(file.read_bytes()) <= 40
    except TrialwattError as error:
        assert "records.zst" in str(error)


INDEX = {
    "format": 1,
    "files": [{"name": "a", "bytes": 4}],
    "frames": [{"bytes": 4, "packed": 13}],
}
PACKED = pa.Codec("zstd").compress(b"abcd", asbytes=True)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "format"),
        ({"more": 1}, "more"),
        ({"files": [{"name": "../a", "bytes": 4}]}, "contradicts itself"),
        ({"files": [{"name": "/a", "bytes": 4}]}, "contradicts itself"),
        ({"files": [{"name": "a", "bytes": 5}]}, "contradicts itself"),
        ({"files": [{"name": "a", "bytes": 2}, {"name": "a", "bytes": 2}]}, "contradicts itself"),
        ({"files": [{"name": "a", "bytes": -4}]}, "files.0.bytes"),
        ({"files": [{"name": "a", "bytes": 4.0}]}, "files.0.bytes"),
        ({"files": [{"name": "a", "bytes": 2**40}]}, "files.0.bytes"),
        ({"frames": [{"bytes": 5 << 20, "packed": 13}]}, "frames.0.bytes"),
        ({"frames": [{"bytes": 4, "packed": 12}]}, "by its index"),
        ({"frames": []}, "by its index"),
    ],
)
def test_an_index_that_cannot_be_is_refused(tmp_path, change, said):
    assert len(PACKED) == 13
    forge(tmp_path, INDEX, PACKED)
    assert record_file(tmp_path, "records/a").read_bytes() == b"abcd"
    forge(tmp_path, INDEX | change, PACKED)
    with pytest.raises(TrialwattError, match=rf"records\.zst: damaged.*{said}"):
        record_file(tmp_path, "records/a")


@pytest.mark.parametrize("bytes_", [3, 5])
def test_frames_that_unpack_to_more_or_less_than_they_say_are_refused(tmp_path, bytes_):
    files, frames = [{"name": "a", "bytes": bytes_}], [{"bytes": bytes_, "packed": 13}]
    forge(tmp_path, {"format": 1, "files": files, "frames": frames}, PACKED)
    with pytest.raises(TrialwattError, match=r"records\.zst: damaged"):
        record_file(tmp_path, "records/a").read_bytes()


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    frame = pa.Codec("zstd").compress(b"0" * (4 << 20), asbytes=True)
    frames = [{"bytes": 4 << 20, "packed": len(frame)}] * 500
    files = [{"name": "usage.csv", "bytes": (4 << 20) * 500}]
    forge(tmp_path, {"format": 1, "files": files, "frames": frames}, frame * 500, "samples")
    started = time.monotonic()
    with pytest.raises(TrialwattError, match=r"samples\.zst: unpacks to 2,000 MB, over 200 times"):
        record_file(tmp_path, "samples/usage.csv").read_bytes()
    assert time.monotonic() - started < 1


KILLED = """
import os, signal, sys
from pathlib import Path
from trialwatt.records.sealed import seal
left = int(sys.argv[2])
def trace(event, arguments):
    global left
    if event in ("open", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.scandir"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(trace)
seal(Path(sys.argv[1]))
"""


def test_whenever_it_is_killed_every_file_is_there_and_sealing_goes_on(tmp_path):
    contents = {"harness.jsonl": b"one\n", "worker-0.jsonl": b"two\n"}

    def check_all(folder):
        for name, content in contents.items():
            assert record_file(folder, f"records/{name}").read_bytes() == content
        assert record_file(folder, "samples/usage.csv").read_bytes() == b"t,m"

    killed, step = 0, 0
    while True:
        folder = written(written(tmp_path / str(step), contents), {"usage.csv": b"t,m"}, "samples")
        command = [sys.executable, "-c", KILLED, folder, str(step)]
        done = subprocess.run(command, check=False).returncode
        check_all(folder)
        seal(folder)
        check_all(folder)
        assert {path.suffix for path in folder.iterdir() if path.name[0] != "."} == {".zst"}
        if done == 0:
            break
        assert done == -signal.SIGKILL
        killed, step = killed + 1, step + 3
    assert killed > 3
