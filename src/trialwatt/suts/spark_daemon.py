"""The process of a Spark master or worker: Spark's own daemon, as it is installed where this runs.

Called as `python -m trialwatt.suts.spark_daemon SCRATCH HOST CLASS ARGUMENTS…`. The settings that
differ between machines are made here, and in a driver by `variables`: it reads them from its
environment.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

from trialwatt.address import bracketed
from trialwatt.errors import TrialwattError
from trialwatt.private import made_private

# Daemons that live for minutes: the first compiler level halves the CPU time of their start, the
# serial collector keeps them small, and without performance data nothing is left in /tmp.
JVM_OPTIONS = "-XX:-UsePerfData -XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def main() -> None:
    scratch, host, name, *arguments = sys.argv[1:]
    try:
        made_private(Path(scratch))  # the daemons believe what is written there
    except TrialwattError as error:
        sys.exit(str(error))
    os.environ.update(variables(Path(scratch)))
    program = str(Path(os.environ["SPARK_HOME"], "bin", "spark-class"))
    os.execv(program, [program, name, "--host", bracketed(host), *arguments])


def variables(scratch: Path) -> dict[str, str]:
    """Where Spark and Python are on this machine, and that it stays in that folder of the run."""
    pyspark = importlib.util.find_spec("pyspark")
    assert pyspark and pyspark.origin, "the SUT is not available without it"
    return {
        "SPARK_HOME": str(Path(pyspark.origin).parent),
        "SPARK_CONF_DIR": str(scratch),  # a person's own settings have no part in a run
        "SPARK_LOCAL_DIRS": str(scratch),
        "JDK_JAVA_OPTIONS": f'{JVM_OPTIONS} -Djava.io.tmpdir="{scratch}"',
        "PYSPARK_PYTHON": sys.executable,
        "PYSPARK_DRIVER_PYTHON": sys.executable,
    }


if __name__ == "__main__":
    main()
