import subprocess
import sys
import time

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.locks import hold_results, measuring

HOLDER = """
import sys, time
from trialwatt.lifecycle.locks import hold_results, measuring
hold_results(sys.argv[1])
with measuring():
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder, seconds):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), str(seconds)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_workflow_on_the_same_results_is_refused(tmp_path):
    process = holder(tmp_path, 60)
    try:
        with pytest.raises(TrialwattError, match=f"process {process.pid}"):
            hold_results(tmp_path)
    finally:
        process.kill()
        process.wait()
    hold_results(tmp_path)  # free again, though nobody gave it back


def test_measuring_waits_for_its_turn(tmp_path, capfd):
    process = holder(tmp_path, 1)
    began = time.monotonic()
    with measuring():
        waited = time.monotonic() - began
    process.wait()
    assert waited > 0.5
    assert "another measuring run" in capfd.readouterr().err
