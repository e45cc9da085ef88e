"""How a rule's script ends."""

import errno
import os

import pytest

from trialwatt.lifecycle.script import user_errors

FULL = os.strerror(errno.ENOSPC)


@pytest.mark.parametrize(("filename", "said"), [(None, FULL), ("a/file", f"a/file: {FULL}")])
def test_a_full_disk_is_said_where_the_log_is_on_it_too(capsys, filename, said):
    with pytest.raises(SystemExit) as ended, user_errors("/dev/full"):
        raise OSError(errno.ENOSPC, FULL, filename)
    assert ended.value.code == 1
    assert capsys.readouterr().err.strip() == said


def test_a_fault_of_ours_keeps_its_traceback_though_it_cannot_be_logged():
    with pytest.raises(KeyError), user_errors("/dev/full"):
        raise KeyError("ours")
