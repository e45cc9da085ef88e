"""Results whose configuration lay outside the project: --configfile names any file."""

import json
import shutil

import pytest
from tests.review.conftest import Project

from trialwatt.config.plan import ELSEWHERE
from trialwatt.provenance.plans import write_plan
from trialwatt.provenance.trace import trace
from trialwatt.review.pack import archive_command
from trialwatt.review.verify import verify

MINE = "repetitions: 1\nseed: 7\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory, synthetic):
    """A project that was made with a file from outside; the file is gone since, and with it the
    mapping of its place, which is a matter of the machine."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "mine.yaml").write_text(MINE)
    found = Project(folder / "project", synthetic, (folder / "mine.yaml",))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(found.root)
        found.make()
    (folder / "mine.yaml").unlink()
    return found


def test_they_are_verified_where_they_were_made(made):
    assert "mine.yaml" in json.loads((made.results / "plan.json").read_text())["files"]
    verdict = verify(made.results)
    assert verdict.problems == []


def test_they_are_traced_to_the_file(made):
    found = trace(made.results / "figures/more-cpu/wr.png")
    [mine] = [check for check in found.checks if check.path == "mine.yaml"]
    assert (mine.part, mine.state) == ("config", "agrees")
    assert found.ok


def test_their_archive_has_the_file_and_is_good(made, tmp_path):
    archive_command(made.results, tmp_path / "mine.zip", False, None, ())
    assert verify(tmp_path / "mine.zip").problems == []


def test_a_copy_that_was_changed_is_found(made, tmp_path):
    copy = tmp_path / "project"
    shutil.copytree(made.root, copy)
    (copy / "results" / ELSEWHERE / "mine.yaml").write_text(MINE + "# another\n")
    said = {one["path"]: one["said"] for one in verify(copy / "results").problems}
    assert any("mine.yaml" in path + text for path, text in said.items())
    traced = trace(copy / "results/figures/more-cpu/wr.png")
    assert "mine.yaml: differs (the runs hold what was used)" in traced.warnings


def test_without_its_copy_it_is_said_where_it_belongs(made, tmp_path):
    copy = tmp_path / "project"
    shutil.copytree(made.root, copy)
    (copy / "results" / ELSEWHERE / "mine.yaml").unlink()
    said = [one["said"] for one in verify(copy / "results").problems if one["path"] == "mine.yaml"]
    assert any(f"copy it to results/{ELSEWHERE}/mine.yaml" in each for each in said)


def test_a_new_plan_leaves_no_copy_of_an_older_one(tmp_path):
    (tmp_path / "a.yaml").write_text("a")
    write_plan(tmp_path / "results", "{}", {"a.yaml": tmp_path / "a.yaml"})
    assert (tmp_path / "results" / ELSEWHERE / "a.yaml").read_text() == "a"
    write_plan(tmp_path / "results", "{}", {})
    assert list((tmp_path / "results" / ELSEWHERE).iterdir()) == []
