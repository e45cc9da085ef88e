"""The example of docs/measure.md runs as it stands, and what the page names exists."""

import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

from trialwatt.measure import Measure

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "measure.md").read_text(encoding="utf-8")


def test_the_example_runs_and_says_what_it_cost():
    script = ROOT / "docs" / "examples" / "measured_search.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("best: {'alpha': ")
    assert re.search(r"^trialwatt: .* J .* \(DEU\), .*; 4 trials .*; energy: ", done.stderr, re.M)


def test_the_page_names_every_option_with_its_default():
    table = PAGE.partition("## Options")[2].partition("##")[0]
    named = {name for cell in re.findall(r"^\| ([^|]+) \|", table, re.M) for name in quoted(cell)}
    options = inspect.signature(Measure).parameters
    assert named == options.keys()
    for name in ("region", "prices", "power_model"):
        assert f"`{options[name].default}`" in table


def quoted(text):
    return re.findall(r"`(\w+)`", text)


def test_what_the_page_imports_exists():
    found = re.findall(r"from (trialwatt\.measure\.\w+) import ([\w, ]+)", PAGE)
    assert len(found) >= 4
    for module, names in found:
        for name in names.split(", "):
            assert hasattr(importlib.import_module(module), name)
