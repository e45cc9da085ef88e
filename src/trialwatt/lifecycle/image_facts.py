"""Printed in a pod of a worker image: what the image has, and which processor is under it."""

from __future__ import annotations

import json
import platform
import sys

from trialwatt import suts
from trialwatt.lifecycle.versions import versions_of_all
from trialwatt.records.testbed_facts import cpu_model


def image_facts() -> dict:
    """Versions, what the SUTs lack (name → sentence), and the node below."""
    lacking = {name: suts.get(name).available() for name in suts.names()}
    return {
        "python": platform.python_version(),
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "cpu_model": cpu_model(),
        "packages": versions_of_all(),
        "suts_lacking": {name: reason for name, reason in lacking.items() if reason},
    }


if __name__ == "__main__":
    json.dump(image_facts(), sys.stdout)
    print()
