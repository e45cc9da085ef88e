"""A workload by a user's function: found without being run, judged with file and line."""

import hashlib
import sys
from pathlib import Path

import pytest

from trialwatt.config.functions import distributions, find, source_of
from trialwatt.config.identity import run_label
from trialwatt.errors import ConfigError, TrialwattError

TRAIN = "def train(phi, data, epochs, seed, report):\n    return {'loss': 1.0}\n"
NEVER = "raise SystemExit('who plans must not run it')\n"
OWN = {
    "trial": "mine:train",
    "space": {"rate": {"low": 0.1, "high": 1.0, "levels": 4}},
    "goal": {"score": "accuracy"},
    "workers": {"count": 2},
}


def own(project, source: str = TRAIN, name: str = "workloads/mine.py", **keys):
    project.write(name, source)
    project.write("workloads/small.yaml", {k: v for k, v in (OWN | keys).items() if v is not None})
    return project


def site() -> Path:
    """The folder of packages that the project's fixture has put on the path."""
    return next(Path(path) for path in sys.path if path.endswith("site"))


def said(project) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        project.plan()
    return [str(problem) for problem in caught.value.problems]


def test_it_is_planned_without_being_run(project):
    plan = own(project, TRAIN + NEVER).plan()
    run = next(iter(plan.runs.values()))
    sha256 = hashlib.sha256((TRAIN + NEVER).encode()).hexdigest()
    trial = run.workload.trial
    assert (trial.name, trial.sha256, trial.tests) == ("mine:train", sha256, False)
    assert run_label(run).startswith("mine-train-grid-")
    assert run.workload.data == f"mine-train-{sha256[:10]}.py"
    assert plan.datasets == [] and list(plan.functions) == [run.workload.data]
    assert "config/workloads/mine.py" in plan.files
    assert source_of(trial, project.root) == project.root / "config/workloads/mine.py"


def test_its_source_is_part_of_what_is_run(project):
    (before,) = own(project).plan().experiments["baseline"].runs
    (same,) = own(project).plan().experiments["baseline"].runs
    (after,) = own(project, TRAIN + "# better\n").plan().experiments["baseline"].runs
    assert before.folder == same.folder != after.folder


def test_keys_of_images_stand_in_no_record_of_it(project):
    run = next(iter(own(project).plan().runs.values()))
    written = run.workload.model_dump(mode="json")
    assert not {"dataset", "model", "algorithm", "batch", "validation_share"} & written.keys()
    assert type(run.workload).model_validate(written) == run.workload


def test_images_have_no_key_of_functions(project):
    run = next(iter(project.plan().runs.values()))
    assert "trial" not in run.workload.model_dump(mode="json")


@pytest.mark.parametrize("name", ["workloads/mine.py", "mine.py", "../mine.py"])
def test_a_module_beside_the_configuration(project, name):
    plan = own(project, name=name).plan()
    assert len(plan.functions) == 1


def test_an_installed_module_with_its_package_and_version(project):
    package = site() / "forests" / "deep"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text(NEVER)
    (package / "oak.py").write_text("import yaml\n" + TRAIN)
    plan = own(project, trial="forests.deep.oak:train").plan()
    (trial,) = plan.functions.values()
    assert trial.imports == ["yaml"] and trial.package is None  # it belongs to no distribution
    assert distributions(trial) == ["PyYAML"]
    assert not [name for name in plan.files if name.endswith(".py")]


def test_a_name_without_a_colon_is_an_entry_point(project):
    info = site() / "woods-2.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: woods\nVersion: 2.5\n")
    (info / "entry_points.txt").write_text("[trialwatt.workloads]\nwoods = woods:train\n")
    (info / "top_level.txt").write_text("woods\n")
    (site() / "woods.py").write_text(TRAIN)
    found = find("woods", project.root).function
    assert (found.name, found.package, found.version) == ("woods:train", "woods", "2.5")
    with pytest.raises(TrialwattError, match='there is no workload "wods"; there are: woods'):
        find("wods", project.root)


SMALL = "config/workloads/small.yaml"
BAD = [
    ("", {"trial": "mine"}, 'trial: there is no workload "mine"; there are: none; a function is'),
    ("", {"trial": "mine.py:train"}, "trial: there is no module"),
    ("", {"trial": "a b:train"}, 'trial: must be "module:function" (got "a b:train")'),
    ("", {"trial": "other:train"}, 'trial: there is no module "other": neither config/workloads/'),
    ("", {"trial": "mine:trai"}, 'there is no function "trai"; there are: train; did you mean'),
    ("", {"dataset": "digits"}, "dataset: is of images and networks"),
    ("", {"batch": 50}, "batch: is of images and networks"),
    ("", {"goal": {}}, "goal.score: name the score"),
    ("", {"fixed": {"rate": 1}}, "fixed.rate: is in the search space too"),
    ("x = (\n", {}, "trial: config/workloads/mine.py:1: is not Python"),
    (
        "def train(phi):\n    pass\n",
        {},
        "mine.py:1: must be train(phi, data, epochs, seed, report)",
    ),
    ("\nasync def train():\n    pass\n", {}, "mine.py:2: train must be a plain function"),
    (
        TRAIN + "def load(path):\n    pass\n",
        {},
        "mine.py:3: must be load() or load(seed) (got load(",
    ),
    (TRAIN + "def save(model, path): ...\n", {}, "mine.py:3: save needs a function test(path, phi"),
    (TRAIN + "def test(path, phi, data): ...\n", {}, "mine.py:3: test needs a function save(model"),
]


@pytest.mark.parametrize(("source", "keys", "wanted"), BAD)
def test_what_is_wrong_is_said_at_its_place(project, source, keys, wanted):
    (found,) = said(own(project, source or TRAIN, **keys))
    assert found.startswith(f"{SMALL}: ")
    assert wanted in found


@pytest.mark.parametrize(
    "source",
    [
        "from elsewhere import train\n",
        "import functools\ntrain = functools.partial(print)\n",
        "if True:\n    def train(phi, data, epochs, seed, report, verbose=False): ...\n",
    ],
)
def test_what_only_an_import_can_tell_is_left_to_it(project, source):
    assert own(project, source).plan().functions


def test_it_may_vary_in_an_experiment(project):
    project.write("workloads/second.py", TRAIN)
    project.edit("experiments/r-node.yaml", "vary", to={"trial": ["mine:train", "second:train"]})
    runs = own(project).plan().experiments["r-node"].runs
    assert [run.treatment for run in runs] == [{"trial": "mine:train"}, {"trial": "second:train"}]
    assert runs[0].is_baseline
