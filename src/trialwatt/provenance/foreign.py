"""Files that may be a stranger's: read in bounds, or refused in words."""

from __future__ import annotations

from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.plainfile import read_plain
from trialwatt.provenance.jsontext import parse_json

MOST_BYTES = 64 << 20


def read_json(path: Path, most: int = MOST_BYTES) -> object:
    """The value in a JSON file of at most `most` bytes.

    Raises TrialwattError naming the file where it is missing, no plain file, larger, or no JSON
    that a file of ours could hold (see provenance.jsontext).
    """
    try:
        return parse_json(read_plain(path, most))
    except FileNotFoundError as error:
        raise TrialwattError(f"{path}: missing") from error
    except OSError as error:
        raise TrialwattError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TrialwattError(f"{path}: damaged, not JSON ({error})") from error
