"""A function of the user's, as a task: its module is loaded, its answers are checked.

Only the processes of a run load such a module, never who reads records.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import math
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from trialwatt.config.functions import PARAMETERS, TRIAL, parameters_fault
from trialwatt.config.models import Function, Workload
from trialwatt.config.space import Phi
from trialwatt.errors import TrialwattError
from trialwatt.files import sha256
from trialwatt.workload.task import Part, Report, Trained, TrialFailed


class FunctionFailed(TrialFailed):
    """What a user's function raised, or answered, with its place in the user's file."""


class Stopped(BaseException):
    """Leaves a function that goes on after it was told to stop, and that catches every exception"""


class UserFunction:
    """The function that a workload names, and the others of its module: load, save, test, pause,
    resume."""

    def __init__(self, workload: Workload, source: str, seed: int, threads: int):
        assert workload.trial is not None, "a workload by function"
        self.workload, self._seed = workload, seed % 2**32
        self._module = module_of(workload.trial, Path(source))
        self._train = _function(self._module, workload.trial.name.partition(":")[2])
        self.keeps = workload.trial.tests
        if "torch" in sys.modules:
            sys.modules["torch"].set_num_threads(threads)

    @functools.cached_property
    def _data(self) -> Any:
        if not hasattr(self._module, "load"):
            return None
        load = _function(self._module, "load")
        seed = {"seed": self._seed} if inspect.signature(load).parameters else {}
        return self._called(load, **seed)

    def load(self) -> Any:
        return self._data

    def train(self, phi: Phi, data: Any, seed: int, report: Report, part: Part) -> Trained:
        """See Task.train. The function answers its scores, or (scores, model).

        Raises FunctionFailed.
        """
        workload, resumed = self.workload, None
        if part.state is not None:
            resumed = self._called(_function(self._module, "resume"), path=part.state)
        checked = _Checked(self, report, part, resumed)
        report.step("train")
        try:
            answer = self._called(
                self._train,
                phi={**workload.fixed, **phi},
                data=data,
                epochs=part.until,
                seed=seed,
                report=checked,
            )
        except Stopped:
            return Trained(checked.last, None)
        checked.is_over = True
        scores, model = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, None)
        if checked.stopped and scores is None:
            return Trained(checked.last, None)
        if self.keeps and model is None and not checked.stopped:
            raise self._fault(f"must return (scores, model), as {self._file} has save and test")
        if checked.epochs == part.after:  # it has none to speak of
            report(part.until)
        return Trained(self.scores(scores, "returned"), model, model)

    def save(self, model: Any, path: Path) -> None:
        self._write("save", model, path)

    def pause(self, state: Any, path: Path) -> None:
        if state is None:
            raise self._fault("must return (scores, model) when it pauses")
        self._write("pause", state, path)

    def _write(self, name: str, model: Any, path: Path) -> None:
        self._called(_function(self._module, name), model=model, path=path)
        if not path.is_file():
            raise FunctionFailed("error", f"{self._file}: {name} wrote no file {path.name}")

    def test(self, path: Path, phi: Phi) -> dict[str, float]:
        values = {**self.workload.fixed, **phi}
        answer = self._called(
            _function(self._module, "test"), path=path, phi=values, data=self.load()
        )
        return self.scores(answer, "answered by test")

    def scores(self, given: Any, how: str) -> dict[str, float]:
        """Scores as Python's numbers; the goal's is among them."""
        if not isinstance(given, Mapping):
            raise self._fault(f"scores must be {{name: number}} (got {given!r}, {how})")
        found = {str(name): self._number(name, value) for name, value in given.items()}
        wanted = self.workload.goal.score
        if wanted not in found:
            there = ", ".join(found) or "nothing"
            raise self._fault(f"the goal's score {wanted} is missing; {how}: {there}")
        return found

    def _number(self, name: Any, value: Any) -> float:
        plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
        if isinstance(plain, bool) or not isinstance(plain, int | float):
            raise self._fault(f"the score {name} is no number: {value!r}")
        if not math.isfinite(plain):
            raise FunctionFailed("nan", f"{self._where()}: the score {name} is {plain}")
        return float(plain)

    @property
    def _file(self) -> str:
        return f"{self._module.__name__.rpartition('.')[2]}.py"

    def _where(self) -> str:
        return f"{self._file}:{self._train.__code__.co_firstlineno}"

    def _fault(self, said: str) -> FunctionFailed:
        return FunctionFailed("error", f"{self._where()}: {said}")

    def _called(self, function: Callable[..., Any], **given: Any) -> Any:
        """Call a function of the module; an error has the file and line where it left the module.

        One that says itself why a trial failed, as memory that is out, stays as it is.
        """
        try:
            return function(**given)
        except TrialFailed:
            raise
        except Exception as error:
            line = _line_in(error, self._module.__file__)
            error.add_note(f"{self._file}:{'?' if line is None else line}")
            raise


class _Checked:
    """What the function is given as `report`: it may be called once per epoch, in their order.

    after: how many epochs it has behind it, as `resumed` has, the model that goes on.
    """

    def __init__(self, task: UserFunction, report: Report, part: Part, resumed: Any):
        self._task, self._report, self._until = task, report, part.until
        self.each_epoch, self.after, self.resumed = report.each_epoch, part.after, resumed
        self.last, self.stopped, self.is_over = dict[str, float](), False, False
        self.epochs = part.after

    def step(self, name: str) -> None:
        """Train or validate: what the trial does from now on."""
        if name not in ("train", "validate"):
            raise ValueError(f'a step is "train" or "validate" (got {name!r})')
        self._report.step(name)

    def __call__(self, epoch: int, scores: Mapping[str, Any] | None = None) -> bool:
        """An epoch is over, from 1; True where the trial is to stop."""
        if self.is_over:
            raise RuntimeError("report was called after the trial had returned")
        if self.stopped:
            raise Stopped
        epochs = self._until
        if isinstance(epoch, bool) or not isinstance(epoch, int) or epoch <= self.epochs:
            said = f"after {self.epochs} comes a greater whole number" if self.epochs else "from 1"
            raise ValueError(f"report: an epoch is counted {said} (got {epoch!r})")
        if epoch > epochs:
            raise ValueError(f"report: epoch {epoch} of {epochs}")
        self.epochs = epoch
        if scores is not None:
            self.last = self._task.scores(scores, "reported")
        self.stopped = self._report(epoch, None if scores is None else self.last)
        return self.stopped


def module_of(function: Function, source: Path) -> ModuleType:
    """The module of a function: from this source, or as it is installed.

    Raises TrialwattError where it cannot be imported, or where another one is installed here.
    """
    name = function.name.partition(":")[0]
    if name in sys.modules and _is_same(sys.modules[name], function):
        return sys.modules[name]
    try:
        if function.package is None and "." not in name:
            module = _loaded(name, source)
        else:
            module = importlib.import_module(name)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        line = _line_in(error, str(source))
        place = f"{name}.py" if line is None else f"{name}.py:{line}"
        said = f"{type(error).__name__}: {error}"
        raise TrialwattError(f"{place}: cannot be imported: {said}") from error
    if not _is_same(module, function):
        raise TrialwattError(
            f"{name}: the module here ({module.__file__}) is another than the one that was planned;"
            " install the same version here"
        )
    return module


def examine(function: Function, source: Path) -> None:
    """Import the module and look whether its functions can be called. Raises TrialwattError."""
    module = module_of(function, source)
    trial = function.name.partition(":")[2]
    for part in PARAMETERS:
        name = trial if part == TRIAL else part
        if part != TRIAL and not hasattr(module, name):
            continue
        found = _function(module, name)
        taken = tuple(
            parameter.name
            for parameter in inspect.signature(found).parameters.values()
            if parameter.default is parameter.empty
        )
        if fault := parameters_fault(part, name, taken):
            raise TrialwattError(f"{function.name.partition(':')[0]}.py: {name} {fault}")


def _function(module: ModuleType, name: str) -> Callable[..., Any]:
    found = getattr(module, name, None)
    if not callable(found):
        raise TrialwattError(f"{module.__name__}.py: there is no function {name}")
    return found


def _loaded(name: str, source: Path) -> ModuleType:
    module = ModuleType(name)
    module.__file__ = str(source)
    sys.modules[name] = module  # pickle and dataclasses look it up there
    try:
        exec(compile(source.read_bytes(), str(source), "exec"), module.__dict__)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_same(module: ModuleType, function: Function) -> bool:
    file = module.__file__
    if file is None or not Path(file).is_file():
        return False
    return sha256(Path(file)) == function.sha256


def _line_in(error: BaseException, file: str | None) -> int | None:
    """The line of this file that an error came by last."""
    frames = traceback.extract_tb(error.__traceback__)
    return next((each.lineno for each in reversed(frames) if each.filename == file), None)
