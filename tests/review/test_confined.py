"""The process that reads a stranger's files takes no more than it may."""

import tempfile
from dataclasses import replace

import psutil
import pytest

from trialwatt.errors import TrialwattError
from trialwatt.review.confined import in_a_fresh_process, limits_of
from trialwatt.review.tree import Tree


@pytest.fixture
def tree(unpacked):
    return Tree(unpacked.folder, unpacked / "results", is_archive=True)


def test_limits_grow_with_the_results(tree):
    before = limits_of(tree)
    assert before.seconds >= 600 and before.memory_bytes >= 4 << 30
    (tree.results / "more").write_bytes(bytes(3 << 20))
    after = limits_of(tree)
    assert after.seconds == before.seconds + 180
    assert after.memory_bytes == before.memory_bytes + (96 << 20)


def test_one_that_takes_too_much_time_is_ended_and_said(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # stands in its command line
    limits = replace(limits_of(tree), seconds=1)
    with pytest.raises(TrialwattError, match=r"1 s of CPU time"):
        in_a_fresh_process("remake", tree, tmp_path / "work", limits)
    assert not [one for one in psutil.process_iter() if str(tmp_path) in _command(one)]


def test_one_that_takes_too_much_memory_is_told(tree, tmp_path):
    limits = replace(limits_of(tree), memory_bytes=200 << 20)
    with pytest.raises(TrialwattError, match=r"200 MB|MemoryError|exit code"):
        in_a_fresh_process("remake", tree, tmp_path / "work", limits)


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended since it was listed
        return ""
