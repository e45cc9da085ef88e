"""The tables come with the package, and are those of config/."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import trialwatt
from trialwatt.config.tables import CarbonTable
from trialwatt.config.yaml_files import read_yaml
from trialwatt.measure.places import MeasureError
from trialwatt.measure.settings import ALPHA_3, SHIPPED

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "config"
TABLES = ["power.yaml", "prices.yaml", "carbon.yaml"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_package_is_the_one_of_the_workflow(name):
    assert (SHIPPED / name).read_bytes() == (CONFIG / name).read_bytes()


def test_every_country_of_the_table_has_its_two_letters():
    data, _ = read_yaml(SHIPPED / "carbon.yaml", "carbon.yaml")
    regions = CarbonTable.model_validate(data).regions
    assert {name for name in regions if len(name) == 3} == set(ALPHA_3.values())


def own_prices(folder: Path, currency: str) -> Path:
    """The shipped tables with all prices in this currency."""
    shutil.copytree(SHIPPED, folder)
    text = (folder / "prices.yaml").read_text()
    own = text.replace("    per_vcpu_h:", f"    currency: {currency}\n    per_vcpu_h:")
    (folder / "prices.yaml").write_text(own)
    return folder


def test_prices_may_be_in_another_currency(tmp_path):
    tables = own_prices(tmp_path / "tables", "EUR")
    with trialwatt.measure(meters=["model"], line=False, tables=tables) as m:
        pass
    assert m.result.currency == "EUR"
    assert " EUR in " in str(m.result)
    assert m.result.to_dict()["sources"]["prices"]["currency"] == "EUR"


def test_a_currency_is_three_letters(tmp_path):
    tables = own_prices(tmp_path / "tables", "Euro")
    with pytest.raises(MeasureError, match="currency"):
        trialwatt.measure(meters=["model"], line=False, tables=tables)


def test_an_installed_package_holds_the_tables_themselves(tmp_path):
    for name in ("src", "config"):
        shutil.copytree(ROOT / name, tmp_path / name, symlinks=True)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path)
    build = "import setuptools.build_meta as b; b.build_wheel('.')"
    subprocess.run([sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        for name in TABLES:
            found = wheel.read(f"trialwatt/measure/tables/{name}")
            assert found == (CONFIG / name).read_bytes()
