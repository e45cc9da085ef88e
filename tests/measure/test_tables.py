"""The tables come with the package, and are those of config/."""

from pathlib import Path

import pytest

from trialwatt.config.tables import CarbonTable
from trialwatt.config.yaml_files import read_yaml
from trialwatt.measure.settings import ALPHA_3, SHIPPED

CONFIG = Path(__file__).resolve().parents[2] / "config"


@pytest.mark.parametrize("name", ["power.yaml", "prices.yaml", "carbon.yaml"])
def test_a_table_of_the_package_is_the_one_of_the_workflow(name):
    assert (SHIPPED / name).read_bytes() == (CONFIG / name).read_bytes()


def test_every_country_of_the_table_has_its_two_letters():
    data, _ = read_yaml(SHIPPED / "carbon.yaml", "carbon.yaml")
    regions = CarbonTable.model_validate(data).regions
    assert {name for name in regions if len(name) == 3} == set(ALPHA_3.values())
