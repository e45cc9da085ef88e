import subprocess
import sys
from pathlib import Path

import pytest

TRIALWATT = Path(sys.executable).parent / "trialwatt"
REFUSED = {
    "verify gone.zip": "gone.zip: there is no such file",
    "verify .": "neither an unpacked archive",
    "remake other.zip --output x": "other.zip: damaged or cut off",
    "import other.zip --name lab": "other.zip: damaged or cut off",
    "import other.zip --name ../lab": "must be made of lower-case letters",
}


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """Each command in a folder of its own; side by side, since each takes seconds to be there."""
    found = {}
    for command in REFUSED:
        folder = tmp_path_factory.mktemp("command")
        (folder / "other.zip").write_text("no zip file")
        found[command] = (
            subprocess.Popen(
                [TRIALWATT, *command.split()],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ),
            folder,
        )
    yield found
    for process, _ in found.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize(("command", "said"), REFUSED.items())
def test_what_cannot_be_used_is_said_without_a_traceback(started, command, said):
    process, folder = started[command]
    _, error = process.communicate()
    assert process.returncode == 1
    assert said in error and "Traceback" not in error
    assert not (folder / "x").exists()
