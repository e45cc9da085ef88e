"""SUTs of another package that fail for a reason which is not their treatment's."""

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

    class Lacking(Plain):
        name = "lacking"
        is_control = False

        def prepare(self, job):
            import a_module_that_is_not_installed

    class Outside(Plain):
        name = "outside"
        is_control = False

        def work(self, job, index, trials):
            for number in range(2):
                trials.run({"lr": -1.0}, number)
"""
SUTS = ("faulty", "lacking", "outside")


def install(site: Path) -> None:
    """What pip would make of it, in a folder for PYTHONPATH."""
    info = site / "faulty_sut-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "faulty_sut.py").write_text(textwrap.dedent(MODULE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-sut\nVersion: 1.0\n")
    lines = [f"{name} = faulty_sut:{name.title()}\n" for name in SUTS]
    (info / "entry_points.txt").write_text("[trialwatt.suts]\n" + "".join(lines))
