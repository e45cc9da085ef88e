"""Folders of ours where others may make some, too."""

import os
from pathlib import Path

import pytest
from tests.users import ALICE, BOB, needs_users, process_of, said_by

from trialwatt.errors import TrialwattError
from trialwatt.platforms import liveness
from trialwatt.private import made_private, remove_folder, remove_private
from trialwatt.suts.ray import Ray
from trialwatt.suts.ray_node import SUT
from trialwatt.suts.services import scratch


def test_a_folder_is_made_for_its_user_alone_and_found_again(tmp_path):
    folder = tmp_path / "ours"
    before = os.umask(0)
    try:
        assert made_private(folder) == folder
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert made_private(folder) == folder
    with pytest.raises(TrialwattError, match="is there already: name another"):
        made_private(folder, new=True, remedy="name another")


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        ("link", "is no folder but a link"),
        ("dangling", "is no folder but a link"),
        ("file", "is no folder but a file"),
        ("open", "can be written to by others"),
        ("group", "can be written to by others"),
        pytest.param("foreign", f"belongs to the user {ALICE}", marks=needs_users),
    ],
)
def test_what_is_not_ours_alone_is_not_taken(tmp_path, kind, problem):
    folder, other = tmp_path / "ours", tmp_path / "other"
    other.mkdir(mode=0o700)
    make = {
        "link": lambda: folder.symlink_to(other),
        "dangling": lambda: folder.symlink_to(tmp_path / "none"),
        "file": folder.touch,
        "open": lambda: (folder.mkdir(), folder.chmod(0o777)),
        "group": lambda: (folder.mkdir(), folder.chmod(0o770)),
        "foreign": lambda: (folder.mkdir(), os.chown(folder, ALICE, ALICE)),
    }
    make[kind]()
    with pytest.raises(TrialwattError, match=f"{folder}: {problem}.*do this"):
        made_private(folder, remedy="do this")


def test_one_that_cannot_be_made_is_said(tmp_path):
    with pytest.raises(TrialwattError, match="cannot be made"):
        made_private(tmp_path / "none" / "ours")


def test_no_link_is_followed_when_one_is_removed(tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "file").write_text("kept")
    folder, link = tmp_path / "ours", tmp_path / "link"
    folder.mkdir()
    (folder / "inside").symlink_to(mine)
    link.symlink_to(mine)
    with pytest.raises(TrialwattError, match="it is a link"):
        remove_folder(link)
    with pytest.raises(TrialwattError, match="link"):
        remove_private(tmp_path / "link" / "file", in_link=False)
    remove_private(folder)
    remove_private(folder)  # nothing is there any more
    remove_folder(tmp_path / "none" / "nothing")
    assert not folder.exists()
    assert (mine / "file").read_text() == "kept"


@needs_users
def test_another_users_folder_is_not_removed(tmp_path):
    folder = tmp_path / "theirs"
    folder.mkdir()
    os.chown(folder, ALICE, ALICE)
    with pytest.raises(TrialwattError, match=f"left alone: it belongs to the user {ALICE}"):
        remove_private(folder)
    remove_private(folder, owners=[ALICE])
    assert not folder.exists()


RUNTIME = """
from trialwatt.errors import TrialwattError
from trialwatt.platforms.liveness import runtime_folder
try:
    print(runtime_folder())
except TrialwattError as error:
    print(error)
"""


@needs_users
def test_the_records_of_runs_are_not_where_another_user_was_first(monkeypatch):
    monkeypatch.delenv(liveness.VARIABLE, raising=False)
    folder = Path("/var/tmp", f"trialwatt-{ALICE}")
    try:
        said_by(BOB, "os.symlink('/tmp', sys.argv[2])", folder)
        said = said_by(ALICE, RUNTIME)
        assert f"{folder}: is no folder but a link" in said and liveness.VARIABLE in said
        folder.unlink()
        said_by(BOB, "os.mkdir(sys.argv[2])", folder)
        assert f"{folder}: belongs to the user {BOB}" in said_by(ALICE, RUNTIME)
        folder.rmdir()
        assert said_by(ALICE, RUNTIME) == f"{folder}\n"
    finally:
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            folder.rmdir()


NODE = """
sys.argv = ["ray_node", sys.argv[2], "127.0.0.1:1", ""]
from trialwatt.suts.ray_node import main
main()
"""


@needs_users
def test_the_scratch_folder_of_a_run_is_not_where_another_user_was_first(run_config, tmp_path):
    from trialwatt.suts.base import Job

    run_id = f"run-{os.getpid()}"
    folder = scratch(SUT, run_id)
    job = Job(run_id, run_config("ray"), 1, 0, str(tmp_path), "", 1, 1.0)
    try:
        said_by(BOB, "os.mkdir(sys.argv[2])", folder)
        process = process_of(ALICE, NODE, run_id)
        error = process.stderr.read()  # it would end with its stdin, too
        assert process.wait(60) == 1
        assert error.startswith(f"{folder}: belongs to the user {BOB}")
        with pytest.raises(TrialwattError, match="left alone"):
            Ray().clean(job)
        assert folder.is_dir()
    finally:
        folder.rmdir()
