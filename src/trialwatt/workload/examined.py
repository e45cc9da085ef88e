"""`python -m trialwatt.workload.examined SOURCE FUNCTION`: import a user's module and look at it.

FUNCTION: config.models.Function as JSON. Exits with 1 and a sentence where it cannot be used.
"""

from __future__ import annotations

import sys
from pathlib import Path

from trialwatt.config.models import Function
from trialwatt.errors import TrialwattError
from trialwatt.workload.functions import examine


def main() -> None:
    source, function = sys.argv[1:]
    try:
        examine(Function.model_validate_json(function), Path(source))
    except TrialwattError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
