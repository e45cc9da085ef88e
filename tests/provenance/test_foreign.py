import os

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.provenance.foreign import read_json


def test_a_pipe_a_device_and_a_folder_are_refused_without_being_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero", "."):
        with pytest.raises(TrialwattError, match="cannot be read"):
            read_json(tmp_path / name)


def test_a_file_of_more_bytes_than_it_may_have_is_refused(tmp_path):
    (tmp_path / "f").write_text("[1]")
    assert read_json(tmp_path / "f", 3) == [1]
    with pytest.raises(TrialwattError, match="It has more than 2 bytes"):
        read_json(tmp_path / "f", 2)


@pytest.mark.parametrize("text", ["", "{", "[" * 5000, '{"a": 1, "a": 2}'])
def test_what_is_no_json_is_named(tmp_path, text):
    (tmp_path / "f.json").write_text(text)
    with pytest.raises(TrialwattError, match=r"f\.json: damaged, not JSON"):
        read_json(tmp_path / "f.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TrialwattError, match=r"f\.json: missing"):
        read_json(tmp_path / "f.json")
