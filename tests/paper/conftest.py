"""A small project as the workflow leaves it, with its paper."""

import pytest
from tests.review.conftest import Project


@pytest.fixture(scope="module")
def made(tmp_path_factory, synthetic) -> Project:
    """It is the current folder of the whole module."""
    project = Project(tmp_path_factory.mktemp("paper") / "project", synthetic)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        project.make()
        yield project
