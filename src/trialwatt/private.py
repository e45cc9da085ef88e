"""Folders with names that others can foresee, in places where they may make one: /tmp, /var/tmp,
a shared results folder. Nothing is believed of what somebody else has put there first."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from collections.abc import Collection
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.printable import shown

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def made_private(folder: Path, new: bool = False, remedy: str = "") -> Path:
    """Make a folder into which its user alone can write, or take one that is so already.

    new: one that is there is not taken. Raises TrialwattError, with the `remedy`, where it cannot
    be made, or where its name belongs to a link, to another user, or to something that others
    can change.
    """
    what_to_do = remedy or f"remove {folder}, or have its owner do so"
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        if new:
            raise TrialwattError(f"{folder}: is there already: {what_to_do}") from None
    except OSError as error:
        raise TrialwattError(
            f"{folder}: cannot be made ({error.strerror}): {what_to_do}"
        ) from error
    if problem := _problem(folder):
        raise TrialwattError(f"{folder}: {problem}, so that it cannot be trusted: {what_to_do}")
    return folder


def remove_private(folder: Path, owners: Collection[int] = (), in_link: bool = True) -> None:
    """Remove a folder that we have made, or another of the user ids `owners`; where there is none
    this does nothing. in_link: also where a link leads to the folder that it is in.

    Raises TrialwattError where it is no folder of theirs, or something in it cannot be removed.
    """
    try:
        found = folder.lstat()
    except FileNotFoundError:
        return
    if not is_owned(found, owners):
        raise TrialwattError(f"{folder}: left alone: it belongs to {user_of(found.st_uid)}")
    remove_folder(folder, in_link)


def remove_folder(folder: Path, in_link: bool = True) -> None:
    """Remove a folder, whosever it is, following no link in its place or within it; where there is
    none this does nothing. Raises TrialwattError where it cannot be removed."""
    follow = 0 if in_link else os.O_NOFOLLOW
    try:
        parent = os.open(folder.parent, os.O_RDONLY | os.O_DIRECTORY | follow)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _left(folder, error) from error
    try:
        shutil.rmtree(folder.name, dir_fd=parent)
    except FileNotFoundError as error:
        if folder.name != error.filename:
            raise _left(folder, error) from error
    except (OSError, RecursionError) as error:
        raise _left(folder, error) from error
    finally:
        os.close(parent)


def is_owned(found: os.stat_result, owners: Collection[int] = ()) -> bool:
    """Whether a file is ours, or of one of these users."""
    return found.st_uid in {os.geteuid(), *owners}


def user_name(uid: int) -> str:
    """The name of a user; the number where it has none here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def user_of(uid: int) -> str:
    """A user as one says it: "the user alice"."""
    return f"the user {user_name(uid)}"


def _problem(folder: Path) -> str:
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode):
        return f"is no folder but a {'link' if stat.S_ISLNK(found.st_mode) else 'file'}"
    if not is_owned(found):
        return f"belongs to {user_of(found.st_uid)}"
    if found.st_mode & _OTHERS_WRITE:
        return f"can be written to by others (chmod go-w {folder})"
    return ""


def _left(folder: Path, error: OSError | RecursionError) -> TrialwattError:
    if isinstance(error, RecursionError):
        why = "its folders lie too deep in each other"
    elif folder.is_symlink():
        why = "it is a link"
    else:
        within = f"{error.filename}: " if isinstance(error.filename, str) else ""
        why = f"{within}{error.strerror or error}"
    return TrialwattError(shown(f"{folder}: cannot be removed ({why}): remove it"))
