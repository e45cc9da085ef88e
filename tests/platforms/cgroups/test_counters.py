import os
from pathlib import Path

import pytest

from trialwatt.platforms.cgroups.counters import CounterFile


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_it_is_opened_once_and_always_read_anew(tmp_path):
    path, before = tmp_path / "usage", open_files()
    counter = CounterFile(path)
    assert open_files() == before
    for value in (5, 1234567, 8):
        path.write_text(f"{value}\n")
        assert counter.number() == value
        assert open_files() == before + 1
    counter.close()
    counter.close()
    assert open_files() == before


def test_a_field_is_a_whole_word_on_its_own_line(tmp_path):
    path = tmp_path / "memory.events"
    path.write_text("oom 9\noom_kill 2\noom_group_kill 1\n")
    counter = CounterFile(path)
    assert [counter.field(name) for name in (b"oom", b"oom_kill", b"kill")] == [9, 2, 0]
    counter.close()


def test_a_file_that_comes_later_is_found_then(tmp_path):
    counter = CounterFile(tmp_path / "memory.peak")
    with pytest.raises(FileNotFoundError):
        counter.number()
    (tmp_path / "memory.peak").write_text("7\n")
    assert counter.number() == 7
    counter.close()


def test_it_is_not_handed_to_children(tmp_path):
    (tmp_path / "usage").write_text("1\n")
    counter = CounterFile(tmp_path / "usage")
    counter.number()
    assert not os.get_inheritable(counter._descriptor)
    counter.close()
