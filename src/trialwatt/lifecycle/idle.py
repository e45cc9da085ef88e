"""The record of a local testbed: this machine, and its power while nobody uses it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.quiet import wait_until_quiet
from trialwatt.meters.choose import open_available
from trialwatt.meters.coefficients import PowerParameters
from trialwatt.meters.machine import MOST_FOREIGN
from trialwatt.records.testbed_facts import describe, measure_idle, write_testbed


def describe_machine(
    name: str, testbed: Testbed, power: PowerParameters | None, output: Path
) -> None:
    """Write the record. Idle power that is measured is that of a quiet machine.

    Where others used more than MOST_FOREIGN of it meanwhile it is measured again, as long as the
    testbed waits for a quiet machine (quiet_wait_s). Then raises TrialwattError, unless the testbed
    allows a busy machine: every run with such a record is flagged.
    """
    over_at = time.monotonic() + testbed.quiet_wait_s
    with open_available(testbed, power) as chosen:
        while True:
            wait_until_quiet(testbed, name)
            idle = measure_idle(chosen.meters, testbed.idle_s, testbed.sample_hz)
            share = idle["busy_share"] or 0.0
            if share <= MOST_FOREIGN:
                break
            said = f"idle power was measured while {share:.0%} of the machine was busy"
            if testbed.allow_busy_machine:
                print(f"warning: {said}; each run is flagged", file=sys.stderr, flush=True)
                break
            if time.monotonic() >= over_at:
                raise TrialwattError(
                    f"{said}, at most {MOST_FOREIGN:.0%} is idle; nothing was written. End what is "
                    f"busy; or, in config/testbeds/{name}.yaml, raise quiet_wait_s, or set "
                    "allow_busy_machine: true, which results tell"
                )
            print(f"{said}: it is measured again", file=sys.stderr, flush=True)
        facts = describe(name, testbed, power, chosen.facts(), idle)
    write_testbed(output, facts)
