"""What the citation and Zenodo's metadata say is what the package says."""

import json
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def test_version_and_licence_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    zenodo = json.loads((ROOT / ".zenodo.json").read_text())
    assert citation["version"] == zenodo["version"] == project["version"]
    assert citation["license"] == zenodo["license"] == project["license"]
    assert citation["title"] == zenodo["title"]
    assert citation["cff-version"] == "1.2.0" and citation["authors"] and zenodo["creators"]
