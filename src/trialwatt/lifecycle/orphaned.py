"""Whether the workflow that started a rule's script is still there."""

from __future__ import annotations

import os

import psutil

WORKFLOW_PID = "TRIALWATT_WORKFLOW_PID"
"""Environment variable of the rules' scripts: the process whose end ends them too."""


def workflow_is_gone() -> bool:
    """In a rule's script: whether the workflow that started it was killed."""
    pid = os.environ.get(WORKFLOW_PID)
    if pid is None:
        return False
    try:
        return psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
