"""A SUT of another package that fails for a reason which is not its treatment's."""

import textwrap
from pathlib import Path

MODULE = """
    from trialwatt.suts.plain import Plain

    class Faulty(Plain):
        name = "faulty"
        is_control = False

        def best(self, job):
            if job.repetition == 0:
                return super().best(job)
            raise RuntimeError("the framework lost its results")
"""


def install(site: Path) -> None:
    """What pip would make of it, in a folder for PYTHONPATH."""
    info = site / "faulty_sut-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "faulty_sut.py").write_text(textwrap.dedent(MODULE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-sut\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trialwatt.suts]\nfaulty = faulty_sut:Faulty\n")
