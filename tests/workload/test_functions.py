"""A user's function as a task: what it is given, what it may answer, and what is wrong where."""

import textwrap

import numpy
import pytest
from tests.workload.watching import Log

from trialwatt.config.functions import find
from trialwatt.config.models import Workload
from trialwatt.errors import TrialwattError
from trialwatt.workload.functions import Stopped, UserFunction
from trialwatt.workload.inputs import identified, take_in
from trialwatt.workload.task import TrialFailed, run_trial

PHI = {"rate": 0.5}


@pytest.fixture
def task(tmp_path):
    """Make the task of a source: named `own`, as a project would have it."""

    def make(source: str, **keys) -> UserFunction:
        path = tmp_path / "own.py"
        path.write_text(textwrap.dedent(source))
        trial = find("own:train", tmp_path).function
        workload = Workload.model_validate(
            {
                "trial": trial,
                "epochs": 3,
                "space": {"rate": {"low": 0.1, "high": 1.0}},
                "goal": {"score": "accuracy"},
            }
            | keys
        )
        return UserFunction(workload, str(path), 7, 1)

    return make


def answer(text: str) -> str:
    return f"def train(phi, data, epochs, seed, report):\n    return {text}\n"


def failure(task, log=None) -> str:
    with pytest.raises(Exception) as caught:
        run_trial(task, PHI, 1, log or Log())
    return " ".join([*getattr(caught.value, "__notes__", ()), str(caught.value)])


def test_it_is_given_what_it_needs(task):
    own = task(
        """
        calls = []

        def load(seed):
            calls.append(seed)
            return {"seed": seed}

        def train(phi, data, epochs, seed, report):
            known = (phi, data["seed"], epochs, seed)
            return {"accuracy": 0.5, "known": float(known == ({"rate": 0.5, "size": 4}, 7, 3, 11))}
        """,
        fixed={"size": 4},
    )
    for _ in range(2):
        log = Log()
        assert run_trial(own, PHI, 11, log).scores == {"accuracy": 0.5, "known": 1.0}
        assert (log.steps, log.epochs) == (["load", "train"], 3)
    assert own._module.calls == [7]  # the data are loaded once


def test_numbers_of_libraries_are_numbers(task):
    own = task("import numpy\n" + answer("{'accuracy': numpy.float32(0.25), 'n': numpy.int64(3)}"))
    scores = run_trial(own, PHI, 1, Log()).scores
    assert scores == {"accuracy": 0.25, "n": 3.0}
    assert all(type(value) is float for value in scores.values())


def test_epochs_are_reported_and_validated_where_they_are_wanted(task):
    source = """
        def train(phi, data, epochs, seed, report):
            for epoch in range(1, epochs + 1):
                report.step("train")
                if not report.each_epoch:
                    report(epoch)
                    continue
                report.step("validate")
                if report(epoch, {"accuracy": epoch / 10}):
                    break
            return {"accuracy": epoch / 10}
        """
    silent, each, cut = Log(), Log(each_epoch=True), Log(each_epoch=True, stop_after=2)
    for log in (silent, each, cut):
        run_trial(task(source), PHI, 1, log)
    assert (silent.reported, silent.epochs) == ([], 3)
    assert each.reported == [(1, {"accuracy": 0.1}), (2, {"accuracy": 0.2}), (3, {"accuracy": 0.3})]
    assert each.steps == ["load"] + ["train", "validate"] * 3
    assert (cut.epochs, cut.stopped) == (2, True)


def test_one_that_goes_on_after_it_was_told_to_stop_is_stopped(task):
    own = task(
        """
        def train(phi, data, epochs, seed, report):
            for epoch in range(1, epochs + 1):
                try:
                    report(epoch, {"accuracy": epoch / 10})
                except Exception:
                    pass
            return {"accuracy": 1.0}
        """
    )
    log = Log(each_epoch=True, stop_after=1)
    assert run_trial(own, PHI, 1, log).scores == {"accuracy": 0.1}
    assert (log.epochs, log.stopped) == (1, True)
    assert not issubclass(Stopped, Exception)


def test_its_model_is_saved_and_tested(task, tmp_path):
    own = task(
        """
        def load():
            return 5

        def train(phi, data, epochs, seed, report):
            return {"accuracy": 0.5}, b"the model"

        def save(model, path):
            path.write_bytes(model)

        def test(path, phi, data):
            return {"accuracy": float(path.read_bytes() == b"the model" and data == 5)}
        """
    )
    assert own.keeps
    own.save(run_trial(own, PHI, 1, Log()).model, tmp_path / "kept")
    assert own.test(tmp_path / "kept", PHI) == {"accuracy": 1.0}


FAULTS = [
    (answer("None"), "own.py:1: scores must be {name: number} (got None, returned)"),
    (answer("0.5"), "own.py:1: scores must be {name: number}"),
    (answer("{'loss': 0.5}"), "own.py:1: the goal's score accuracy is missing; returned: loss"),
    (answer("{'accuracy': 'high'}"), "own.py:1: the score accuracy is no number: 'high'"),
    (answer("{'accuracy': float('nan')}"), "own.py:1: the score accuracy is nan"),
    (answer("{'accuracy': 1.0, 'loss': float('inf')}"), "the score loss is inf"),
    (answer("1 / 0"), "own.py:2 division by zero"),
    (answer("report(0, {'accuracy': 1})"), "own.py:2 report: an epoch is counted from 1 (got 0)"),
    (answer("report(4)"), "own.py:2 report: epoch 4 of 3"),
    (answer("report(1), report(1)"), "report: an epoch is counted after 1 comes a greater"),
    (answer("report(1, {'loss': 1})"), "the goal's score accuracy is missing; reported: loss"),
    (answer("report.step('sleep')"), 'own.py:2 a step is "train" or "validate" (got \'sleep\')'),
    ("def load():\n    raise OSError('no file')\n" + answer("{}"), "own.py:2 no file"),
]


@pytest.mark.parametrize(("source", "wanted"), FAULTS)
def test_what_is_wrong_is_said_with_file_and_line(task, source, wanted):
    assert wanted in failure(task(source))


def test_a_score_that_is_no_number_fails_the_trial_for_that(task):
    with pytest.raises(TrialFailed) as caught:
        run_trial(task(answer("{'accuracy': float('nan')}")), PHI, 1, Log())
    assert caught.value.reason == "nan"


def test_a_report_after_the_end_is_refused(task):
    own = task("kept = []\n" + answer("kept.append(report) or {'accuracy': 1.0}"))
    run_trial(own, PHI, 1, Log())
    with pytest.raises(RuntimeError, match="after the trial had returned"):
        own._module.kept[0](2)


def test_a_save_that_writes_nothing(task, tmp_path):
    own = task(
        answer("({'accuracy': 1.0}, 1)")
        + "def save(model, path): ...\ndef test(path, phi, data): ...\n"
    )
    with pytest.raises(TrialFailed, match=r"own\.py: save wrote no file"):
        own.save(1, tmp_path / "nothing")


def test_a_model_that_is_missing(task):
    own = task(
        answer("{'accuracy': 1.0}") + "def save(model, path): ...\ndef test(path, phi, data): ...\n"
    )
    assert "must return (scores, model)" in failure(own)


def test_the_draws_of_a_trial_follow_from_its_seed(task):
    numpy.random.rand(3)
    own = task(
        "import random, numpy\n" + answer("{'accuracy': random.random(), 'n': numpy.random.rand()}")
    )
    first, again, other = (run_trial(own, PHI, seed, Log()).scores for seed in (1, 1, 2))
    assert first == again != other


# --- taken in -----------------------------------------------------------------------------------


def taken(tmp_path, source: str):
    path = tmp_path / "own.py"
    path.write_text(source)
    function = find("own:train", tmp_path).function
    take_in(function, path, tmp_path / "data" / "own.py", imports=True)
    return function


def test_it_is_taken_in_once_it_can_be_imported_on_its_own(tmp_path):
    function = taken(tmp_path, answer("{'accuracy': 1.0}"))
    kept = tmp_path / "data" / "own.py"
    workload = Workload.model_validate({"trial": function, "space": {"a": {"choices": [1]}}})
    assert identified(workload, kept) == {"name": "own:train", "sha256": function.sha256}
    kept.write_text("another")
    with pytest.raises(TrialwattError, match="is not the module that was planned"):
        identified(workload, kept)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("import no_such_module\n" + answer("{}"), "own.py:1: cannot be imported: ModuleNotFound"),
        (answer("{}") + "x = 1 / 0\n", "own.py:3: cannot be imported: ZeroDivisionError"),
        ("raise SystemExit(0)\n" + answer("{}"), "own.py:1: cannot be imported: SystemExit"),
        (
            "train = lambda phi: {}\n",
            "own.py: train must be train(phi, data, epochs, seed, report)",
        ),
        ("train = 3\n", "own.py: there is no function train"),
    ],
)
def test_one_that_cannot_be_used_is_not_taken_in(tmp_path, source, wanted):
    with pytest.raises(TrialwattError) as caught:
        taken(tmp_path, source)
    assert wanted in str(caught.value)
    assert not list((tmp_path / "data").glob("*"))
