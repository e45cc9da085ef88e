"""The house rules that a machine can hold: style, import directions, what loads when."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from trialwatt.review.sandbox import BLOCKED

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "trialwatt"
HEAVY = set(BLOCKED)

STAGES = {
    name: number
    for number, floor in enumerate(
        tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["trialwatt"]["house"]["floors"]
    )
    for name in floor
}
"""A package may import from its own stage or an earlier one."""


def modules():
    return sorted(SOURCE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, top_level_only: bool) -> set[str]:
    """Modules that a file imports; those below `if TYPE_CHECKING` do not count."""
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level_only else ast.walk(tree)
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def run(*command: str):
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def program(name: str) -> str:
    return shutil.which(name, path=str(Path(sys.executable).parent)) or name


def test_ruff_check():
    run(program("ruff"), "check", ".")


def test_ruff_format():
    run(program("ruff"), "format", "--check", ".")


def test_snakefmt():
    run(program("snakefmt"), "--check", "Snakefile", "rules")


@pytest.mark.parametrize("profile", ["local", "k8s"])
def test_snakemake_lint(profile):
    run(program("snakemake"), "--profile", profile, "--lint")


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_nothing_heavy_is_imported_before_it_is_needed(path):
    package = path.relative_to(SOURCE).parts[0]
    allowed = {"torch"} if package == "workload" else set()
    loaded = {name.split(".")[0] for name in imports(path, top_level_only=True)}
    assert not (loaded & HEAVY) - allowed


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_stages_import_only_from_earlier_ones(path):
    own = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if own == "__init__":
        return
    for name in imports(path, top_level_only=False):
        parts = name.split(".")
        if parts[0] == "trialwatt" and len(parts) > 1 and parts[1] in STAGES:
            assert STAGES[parts[1]] <= STAGES[own], f"{name_of(path)} imports {name}"


def test_every_package_has_a_stage():
    own = {path.relative_to(SOURCE).parts[0].removesuffix(".py") for path in modules()}
    assert own - {"__init__"} == STAGES.keys()


def test_there_are_no_import_cycles():
    graph = {}
    names = {name_of(path) for path in modules()}
    for path in modules():
        found = imports(path, top_level_only=True) & names
        graph[name_of(path)] = {
            name for name in found if name != name_of(path) and not is_parent(name, path)
        }
    done, trail = set(), []

    def visit(name):
        assert name not in trail, " → ".join([*trail[trail.index(name) :], name])
        if name in done:
            return
        trail.append(name)
        for other in sorted(graph[name]):
            visit(other)
        trail.pop()
        done.add(name)

    for name in sorted(graph):
        visit(name)


def is_parent(name: str, path: Path) -> bool:
    return name_of(path).startswith(f"{name}.")


def test_the_records_side_works_without_torch_and_the_suts():
    code = (
        "import sys\n"
        "class Missing:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] in {sorted(HEAVY)!r}:\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Missing())\n"
        "import trialwatt.metrics.tables, trialwatt.figures.make, trialwatt.page.report\n"
        "import trialwatt.provenance.trace, trialwatt.config\n"
        "from trialwatt.figures import FIGURES\n"
        "[entry.load() for entry in FIGURES.values()]\n"
    )
    run(sys.executable, "-c", code)


def test_there_are_no_utils():
    assert not [p for p in modules() if re.search(r"util|helper|misc|common", p.name)]


def test_the_lock_pins_every_dependency():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["test"]
    lines = (ROOT / "envs" / "requirements.lock").read_text().splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    for requirement in wanted:
        name = re.match(r"[A-Za-z0-9_-]+", requirement)[0].lower().replace("_", "-")
        assert name in pinned, f"{name} is not in envs/requirements.lock; run `make lock`"


@pytest.mark.parametrize("file", ["requirements.lock", "torch-cpu.lock", "cuda.lock"])
def test_every_package_of_a_lock_has_hashes(file):
    text = (ROOT / "envs" / file).read_text().replace(" \\\n    ", " ")
    entries = [line for line in text.splitlines() if not line.startswith("#")]
    assert entries
    for entry in entries:
        assert re.fullmatch(r"[a-z0-9-]+==[^ ]+( ; [^-]+)?( --hash=sha256:[0-9a-f]{64})+", entry)


def test_torch_is_the_same_in_both_locks():
    locks = [(ROOT / "envs" / file).read_text() for file in ("requirements.lock", "torch-cpu.lock")]
    whole, alone = [re.search(r"^torch==([0-9.]+)", lock, re.MULTILINE)[1] for lock in locks]
    assert whole == alone
    cpu = re.search(r"sha256:\w+", locks[1])[0]
    assert cpu in locks[0], "an index that tells hashes is asked for either build"


def test_actions_are_pinned_by_digest_and_have_few_rights():
    workflows = sorted((ROOT / ".github" / "workflows").glob("*.yaml"))
    assert {"cluster.yaml", "test.yaml"} <= {file.name for file in workflows}
    for file in workflows:
        text = file.read_text()
        assert "permissions:\n  contents: read\n" in text, file.name
        for used in re.findall(r"uses: (.*)", text):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", used), f"{file.name}: {used}"


def test_a_section_of_the_testbed_is_read_without_its_part():
    """Every process of a run reads it, that of a single trial too."""
    code = (
        "import sys\n"
        "from trialwatt.config import registry\n"
        "known = registry.options()\n"
        "kinds = [known.load(name)[0] for name in known.names]\n"
        "own = {kind.__module__ for kind in kinds}\n"
        "parts = ('trialwatt.meters.', 'trialwatt.platforms.', 'trialwatt.suts.')\n"
        "packages = {name.rpartition('.')[0] for name in own}\n"
        "more = {n for n in sys.modules if n.startswith(parts)} - own - packages\n"
        f"heavy = {sorted({*HEAVY, 'requests'})!r}\n"
        "assert len(kinds) >= 3 and all(kinds), kinds\n"
        "assert not more and not sys.modules.keys() & set(heavy), more\n"
    )
    run(sys.executable, "-c", code)


KUBERNETES_OUTSIDE = {
    "src/trialwatt/cli.py": "an example in the help",
    "src/trialwatt/config/profiles.py": "the Snakemake profile k8s",
    "src/trialwatt/provenance/kinds.py": "the folder of the profile, in an archive",
    "src/trialwatt/review/sandbox.py": "the client, which a verification cannot import",
    "src/trialwatt/review/tree.py": "the folder of the profile, in an archive",
    "Snakefile": "the profile k8s",
    "rules/cluster.smk": "the profile k8s",
}
"""Files that may name it although they are not of its package, and why."""


def test_only_its_own_package_names_kubernetes():
    """The others ask the platform, whichever it is. The registry is pyproject.toml."""
    own, tests = SOURCE / "platforms" / "kubernetes", SOURCE / "contract"
    files = [
        *(p for p in modules() if not p.is_relative_to(own) and not p.is_relative_to(tests)),
        *(ROOT / "scripts").glob("*.py"),
        *(ROOT / "rules").glob("*.smk"),
        ROOT / "Snakefile",
    ]
    named = {
        path.relative_to(ROOT).as_posix()
        for path in files
        if re.search("kubernetes|k8s", path.read_text(), re.IGNORECASE)
    }
    assert named == KUBERNETES_OUTSIDE.keys()
