"""`trialwatt measure -- program`: the whole process tree, its exit status, and its end."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

TRIALWATT = [sys.executable, "-m", "trialwatt.cli", "measure"]
BUSY = "import time\nwhile time.process_time() < 0.4: pass"


def test_a_grandchild_counts_and_the_status_is_the_programs(tmp_path):
    told = tmp_path / "result.json"
    command = f"{sys.executable} -c '{BUSY}'; exit 7"
    done = subprocess.run(
        [*TRIALWATT, "--region", "FR", "--json", told, "--", "sh", "-c", command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert done.stderr.startswith("trialwatt: ") and "modelled" in done.stderr
    found = json.loads(told.read_text())
    assert found["cpu_s"] == pytest.approx(0.45, abs=0.25)
    assert found["region"] == "FRA" and found["trials"] == []


def test_options_of_the_program_are_its_own():
    done = subprocess.run(
        [*TRIALWATT, "echo", "--region", "x"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "--region x\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-program"], "no-such-program: there is no such program"),
        (["--region", "FRB", "true"], 'measure: region: there is no entry "FRB"'),
        (["--json", "nowhere/x.json", "true"], "there is no folder"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(arguments, said, tmp_path):
    done = subprocess.run(
        [*TRIALWATT, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1 and said in done.stderr and "J (" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_measured_till_a_signal_is_said(number, tmp_path):
    begun = tmp_path / "begun"
    process = subprocess.Popen(
        [*TRIALWATT, "--", "sh", "-c", f"touch {begun}; exec sleep 60"],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.05)
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does
    else:
        process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "trialwatt: " in said and "Traceback" not in said
