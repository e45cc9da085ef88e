"""A meter of another package that works until it is told to fail: by a file with one word in it."""

import textwrap
from pathlib import Path

SWITCH = "TRIALWATT_SHAKY"
"""Environment variable: the file. Its words: dies, hangs, nonsense."""
MODULE = """
    import os, time
    from pathlib import Path
    from trialwatt.meters.base import Domain, Meter, Probe

    DOMAIN = Domain("shaky", "cpu", "w", "polled")

    class Shaky(Meter):
        name = "shaky"

        @classmethod
        def probe(cls, testbed, power=None):
            return Probe(True, "", (DOMAIN,))

        @classmethod
        def open(cls, testbed, power=None):
            return cls()

        @property
        def domains(self):
            return (DOMAIN,)

        def read(self, load):
            path = Path(os.environ["TRIALWATT_SHAKY"])
            word = path.read_text() if path.exists() else ""
            if word == "dies":
                raise ConnectionResetError("the meter is gone")
            while word == "hangs":
                time.sleep(1)
            if word == "nonsense":
                return {"shaky": [float("nan"), float("inf"), -1e9, 1e30][time.time_ns() % 4]}
            return {"shaky": 5.0}
"""


def install(site: Path) -> None:
    """What pip would make of it, in a folder for PYTHONPATH."""
    info = site / "shaky_meter-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "shaky_meter.py").write_text(textwrap.dedent(MODULE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shaky-meter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trialwatt.meters]\nshaky = shaky_meter:Shaky\n")
