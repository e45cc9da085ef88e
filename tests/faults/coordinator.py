"""A run as the workflow's rule does it, in a process of its own (scripts/run.py).

Arguments: the configuration as JSON, the repetition, the log, and what `attempt` takes.
"""

import sys

from trialwatt.config.models import RunConfig
from trialwatt.lifecycle.execute import attempt
from trialwatt.lifecycle.script import user_errors

if __name__ == "__main__":
    config, repetition, log, *more = sys.argv[1:]
    with user_errors(log):
        attempt(RunConfig.model_validate_json(config), int(repetition), *more)
