"""docs/architecture.md tells the house as it is."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def architecture():
    spec = importlib.util.spec_from_file_location("architecture", ROOT / "docs/architecture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_document_is_fresh(architecture):
    document = architecture.DOCUMENT.read_text(encoding="utf-8")
    assert architecture.fresh(document) == document, "run `python docs/architecture.py`"


def test_every_file_says_what_it_is(architecture):
    files = [file for floor in architecture.floors() for name in floor for file in _files(name)]
    assert not [str(file) for file in files if not architecture.first_line(file)]


def _files(name: str) -> list[Path]:
    folder = ROOT / "src/trialwatt" / name
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


@pytest.mark.parametrize("document", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_the_files_that_it_names_exist(document):
    named = re.findall(
        r"`((?:[\w-]+/)+[\w.-]*|[\w-]+\.(?:toml|md))`", (ROOT / document).read_text()
    )
    assert len(named) > 10
    for name in named:
        below = (ROOT, ROOT / "src/trialwatt")
        assert any((place / name).exists() for place in below), f"{document}: no {name}"


def test_an_import_is_seen_wherever_it_stands(architecture, tmp_path):
    file = tmp_path / "x.py"
    file.write_text(
        "def f():\n    from trialwatt.metrics import tables\n    import trialwatt.cli\n"
    )
    assert architecture.imported(file, {"metrics", "cli", "config"}) == {"metrics", "cli"}
