"""A user's function as a workload: found, read, and judged without being run.

`module:function` names a module beside the configuration, else one that is installed; a name
without a colon is an entry point of the group `trialwatt.workloads`.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import entry_points, packages_distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from trialwatt.config.keys import there_is_no
from trialwatt.config.models import FUNCTION_NAME, Function
from trialwatt.errors import TrialwattError

PLACES = ("config/workloads", "config", "")
"""Where a module may lie, relative to the project."""
GROUP = "trialwatt.workloads"
TRIAL = "train"
"""The part of the function that the workload names, whatever its name."""
PARAMETERS: dict[str, tuple[tuple[str, ...], ...]] = {
    TRIAL: (("phi", "data", "epochs", "seed", "report"),),
    "load": ((), ("seed",)),
    "save": (("model", "path"),),
    "test": (("path", "phi", "data"),),
    "pause": (("model", "path"),),
    "resume": (("path",),),
}
"""Part of a function in its module → what it may take. All but the trial's go by these names."""
TOGETHER = (("test", "save"), ("save", "test"), ("pause", "resume"), ("resume", "pause"))
"""Functions that need another one beside them."""


class Found(NamedTuple):
    """A function, and the file of its source relative to the project; None where it is installed"""

    function: Function
    file: str | None


def find(written: str, root: Path) -> Found:
    """The function that a workload names. Raises TrialwattError with what is wrong with it, and
    where: file and line."""
    name = written if ":" in written else _entry_point(written)
    if not FUNCTION_NAME.fullmatch(name):
        raise TrialwattError(f'must be "module:function" (got "{written}")')
    module, _, function = name.partition(":")
    file, path = _source(module, root)
    source, shown = path.read_bytes(), file or str(path)
    tree = _parsed(source, shown)
    there = {name: node for node in tree.body for name in _names(node)}
    check(there, function, shown)
    package = None if file else _distribution(module.partition(".")[0])
    return Found(
        Function(
            name=name,
            sha256=hashlib.sha256(source).hexdigest(),
            tests="test" in there,
            resumes="resume" in there,
            imports=_imported(tree),
            package=package,
            version=version(package) if package else None,
        ),
        file,
    )


def source_of(function: Function, root: Path) -> Path:
    """Where the source of a function lies. Raises TrialwattError where it is no longer there."""
    return _source(function.name.partition(":")[0], root)[1]


def _source(module: str, root: Path) -> tuple[str | None, Path]:
    """The file relative to the project (None where it is installed), and the path."""
    beside = [] if "." in module else [f"{place}/{module}.py".lstrip("/") for place in PLACES]
    for file in beside:
        if (root / file).is_file():
            return file, root / file
    if (path := _installed(module)) is not None:
        return None, path
    where = f"neither {' nor '.join(beside)}, nor is it" if beside else "it is not"
    raise TrialwattError(f'there is no module "{module}": {where} installed')


def check(there: dict[str, ast.stmt], function: str, file: str) -> None:
    """Whether the functions of a module can be called as they are. Raises TrialwattError.

    What is bound in another way than by `def` can only be judged when it is imported.
    """
    if function not in there:
        defined = [name for name, node in there.items() if isinstance(node, ast.FunctionDef)]
        raise TrialwattError(f"{file}: {there_is_no('function', function, defined)}")
    for part in PARAMETERS:
        _check_one(part, there.get(function if part == TRIAL else part), file)
    for name, needed in TOGETHER:
        if name in there and needed not in there:
            line = there[name].lineno
            raise TrialwattError(
                f"{file}:{line}: {name} needs a function {needed}"
                f"({', '.join(PARAMETERS[needed][0])}) beside it"
            )


def distributions(function: Function) -> list[str]:
    """PyPI names of what a function is made of, as far as it is installed here."""
    found = [_distribution(top) for top in function.imports]
    return list(dict.fromkeys(filter(None, [function.package, *found])))


def parameters_fault(part: str, name: str, taken: tuple[str, ...]) -> str:
    """What is wrong with the parameters of a function of this part and name; empty where nothing
    is."""
    if taken in PARAMETERS[part]:
        return ""
    shown = " or ".join(f"{name}({', '.join(each)})" for each in PARAMETERS[part])
    return f"must be {shown} (got {name}({', '.join(taken)}))"


def _check_one(part: str, node: ast.stmt | None, file: str) -> None:
    if isinstance(node, ast.AsyncFunctionDef | ast.ClassDef):
        raise TrialwattError(f"{file}:{node.lineno}: {node.name} must be a plain function")
    if not isinstance(node, ast.FunctionDef):
        return
    given = node.args
    required = len(given.args) - len(given.defaults)
    taken = tuple(each.arg for each in (*given.posonlyargs, *given.args[:required]))
    taken += tuple(
        each.arg
        for each, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if default is None
    )
    taken += tuple(f"*{each.arg}" for each in (given.vararg, given.kwarg) if each)
    if fault := parameters_fault(part, node.name, taken):
        raise TrialwattError(f"{file}:{node.lineno}: {fault}")


def _imported(tree: ast.Module) -> list[str]:
    names = set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return sorted(names - set(sys.stdlib_module_names))


def _parsed(source: bytes, file: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError) as error:
        line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        raise TrialwattError(f"{file}{line}: is not Python: {error.args[0]}") from error


def _names(node: ast.stmt) -> Iterator[str]:
    """The names that a statement binds."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from (each.id for t in targets for each in ast.walk(t) if isinstance(each, ast.Name))
    elif isinstance(node, ast.If | ast.Try | ast.With):
        for inner in (*node.body, *getattr(node, "orelse", []), *getattr(node, "finalbody", [])):
            yield from _names(inner)


def _entry_point(name: str) -> str:
    there = {point.name: point.value for point in entry_points(group=GROUP)}
    if name not in there:
        message = there_is_no("workload", name, sorted(there))
        raise TrialwattError(f'{message}; a function is named as "module:function"')
    return there[name].replace(" ", "")


def _installed(module: str) -> Path | None:
    """The source of an installed module, found without importing anything of it."""
    top, *below = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not below:
        found = Path(spec.origin) if spec.origin and spec.origin.endswith(".py") else None
        return found if found and found.is_file() else None
    for folder in spec.submodule_search_locations or ():
        for path in (Path(folder, *below).with_suffix(".py"), Path(folder, *below, "__init__.py")):
            if path.is_file():
                return path
    return None


def _distribution(top: str) -> str | None:
    return next(iter(_distributions(tuple(sys.path)).get(top, ())), None)


@cache
def _distributions(path: tuple[str, ...]) -> dict[str, list[str]]:
    return dict(packages_distributions())
