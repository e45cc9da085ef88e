"""A moment that is told to another process, on this machine and on another one."""

import pickle
import subprocess
import sys
import time

import pytest

from trialwatt.clock import AHEAD, Sent, Stamp, now, sent


def test_on_the_same_machine_it_stays_as_it_was():
    before = now()
    told = pickle.loads(pickle.dumps(sent()))
    assert before.mono_ns <= told.stamp.mono_ns <= now().mono_ns
    time.sleep(0.01)
    assert told.here() == told.stamp


def test_from_another_machine_it_is_as_long_ago_as_utc_says():
    ago_ns, slack_ns = 3_000_000_000, 50_000_000  # UTC is slewed, monotonic time is not
    before = now()
    there = Stamp(before.utc_ns - ago_ns, 17)
    found = Sent(there, "another boot", None).here()
    passed_ns = now().mono_ns - before.mono_ns  # between reading the one clock and the other
    assert found.utc_ns == there.utc_ns
    assert abs(before.mono_ns - found.mono_ns - ago_ns) < slack_ns + passed_ns


def test_where_both_clocks_have_been_measured_utc_does_not_matter(monkeypatch):
    ahead_there, ahead_here = 10**15, -(10**14)  # of the same clock
    monkeypatch.setenv(AHEAD, str(ahead_there))
    told = sent()
    mono_here = told.stamp.mono_ns + ahead_there - ahead_here  # of the moment
    assert told.common_ns == mono_here + ahead_here
    wrong_utc = Stamp(told.stamp.utc_ns - 10**12, told.stamp.mono_ns)
    monkeypatch.setenv(AHEAD, str(ahead_here))
    found = Sent(wrong_utc, "another boot", told.common_ns).here()
    assert found.mono_ns == mono_here
    utc_minus_mono = time.time_ns() - time.monotonic_ns()
    assert abs(found.utc_ns - found.mono_ns - utc_minus_mono) < 50_000_000


AGO = """
import pickle, sys
from trialwatt.clock import now
told = pickle.loads(bytes.fromhex(sys.argv[1]))
print((now().mono_ns - told.here().mono_ns) / 1e9)
"""


def test_a_time_namespace_has_a_monotonic_clock_of_its_own():
    elsewhere = ["unshare", "--time", "--monotonic", "86400", "--fork"]
    if subprocess.run([*elsewhere, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make a time namespace")
    began, told = time.monotonic(), pickle.dumps(sent()).hex()
    ago = subprocess.check_output([*elsewhere, sys.executable, "-c", AGO, told])
    assert -0.05 < float(ago) < time.monotonic() - began + 0.05
