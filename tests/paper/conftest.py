"""A small project as the workflow leaves it, of which a paper can be made."""

from pathlib import Path

import pytest
from tests.review.conftest import Project

from trialwatt.config import handover
from trialwatt.figures.make import source_of
from trialwatt.paper.make import make_paper

ROOT = Path(__file__).resolve().parents[2]


class Paper:
    """What make_paper is given; paths are relative to the project, which is the current folder."""

    def __init__(self, project: Project):
        self.project, self.results = project, Path("results")
        plan = project.plan
        self.sections = handover.report_sections(plan)
        self.sources = [
            source_of(handover.source(plan, name) | {"code": {"version": "0.1.0"}})
            for name in plan.experiments
        ]

    def make(self, source: Path = ROOT / "paper") -> list[Path]:
        return make_paper(source, self.sources, self.sections)


@pytest.fixture(scope="module")
def paper(tmp_path_factory, synthetic) -> Paper:
    project = Project(tmp_path_factory.mktemp("paper") / "project", synthetic)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        project.make()
        yield Paper(project)
