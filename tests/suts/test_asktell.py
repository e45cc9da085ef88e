"""Whole jobs of a framework that is asked and told, and what becomes of them when it dies."""

import os
import sys

import pytest

from trialwatt.contract.reading import events, manifest, trials
from trialwatt.errors import TrialwattError
from trialwatt.suts.asktell import AskTell

MODULE = """
import os

from trialwatt.config.space import grid
from trialwatt.suts.asktell import AskTell
from trialwatt.suts.strategies import Strategy


class Search:
    def __init__(self, phis, sampler):
        self.phis, self.sampler = phis, sampler

    def ask(self, number):
        if self.sampler == "outside":
            return {"lr": 7}
        return self.phis[number] if number < len(self.phis) else None

    def tell(self, number, score):
        if self.sampler == "dies":
            print("the last words", flush=True)
            os._exit(3)
        if self.sampler == "breaks":
            raise ValueError("cannot take it")

    def report(self, number, epoch, score):
        return epoch == 1 and number % 2 == 1


class Bench(AskTell):
    name = "bench-of-tests"
    samplers = {name: Strategy(None) for name in ("grid", "outside", "dies", "breaks")}
    pruners = AskTell.pruners | {"odd": Strategy(None)}

    def open(self, job):
        return Search(grid(job.workload.space), job.workload.search.sampler)


class Lacking(Bench):
    name = "lacking-of-tests"
    imports = ("no_such_module",)
"""


@pytest.fixture
def bench(tmp_path, monkeypatch) -> str:
    """The name of a SUT of another package, installed for this process and its workers."""
    site = tmp_path / "site"
    info = site / "bench-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "bench_of_tests.py").write_text(MODULE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bench\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[trialwatt.suts]\nbench-of-tests = bench_of_tests:Bench\n"
        "lacking-of-tests = bench_of_tests:Lacking\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    yield "bench-of-tests"
    sys.modules.pop("bench_of_tests", None)


def test_a_job_ends_where_the_framework_has_no_more(bench, run_job, tmp_path):
    search = {"sampler": "grid", "budget": 9, "pruner": "odd"}
    folder = run_job(tmp_path / "results", bench, search=search, epochs=3)
    run = manifest(folder)
    assert run["status"] == "completed", run["reason"]
    found = sorted((trial["number"], trial["outcome"]) for trial in trials(folder).values())
    assert found == [(0, "completed"), (1, "pruned"), (2, "completed"), (3, "pruned")]
    ended = {e["component"]: e for e in events(folder) if e.get("status") == "end" and "type" in e}
    assert ended["search"]["type"] == "service"
    assert ended["search"]["cpu_ns"] > 0


@pytest.mark.parametrize(
    ("sampler", "said"),
    [
        ("outside", r"bench_of_tests\.py:\d+: ask\(0\) returned φ outside the search space"),
        ("breaks", r"bench_of_tests\.py:\d+: tell\(0, .*\): ValueError: cannot take it"),
        ("dies", r"search ended in step trials: .*exit code 3"),
    ],
)
def test_what_goes_wrong_in_it_ends_the_run_and_says_where(bench, run_job, tmp_path, sampler, said):
    search = {"sampler": sampler, "budget": 4}
    workers = {"count": 1, "cpu": 2, "memory_mb": 1024}
    with pytest.raises(TrialwattError, match=said):
        run_job(tmp_path / "results", bench, search=search, workers=workers)


def test_a_module_that_cannot_be_imported_ends_the_process_in_words(bench, run_job, tmp_path):
    said = r"(?s)search ended in step deploy: .*exit code 1\n.*No module named 'no_such_module'"
    with pytest.raises(TrialwattError, match=said):
        run_job(tmp_path / "results", "lacking-of-tests", search={"sampler": "grid"})


def test_where_its_package_is_not_installed_it_says_so():
    class Absent(AskTell):
        package = "no-such-framework"

    assert Absent.available() == "needs a package: pip install no-such-framework"


def test_options_that_nobody_reads_are_refused(workload):
    class Own(AskTell):
        name = "own"

    options = {"sampler_options": {"depth": 3}, "pruner_options": {"lower": 0.5}}
    found = Own.search_problems(workload(search={"sampler": "random"} | options))
    assert [key for key, _ in found] == [
        "search.sampler_options.depth",
        "search.pruner_options.lower",
    ]
