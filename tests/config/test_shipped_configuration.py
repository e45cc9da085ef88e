"""The YAML files that we ship: valid, with a schema that does not drift from the models."""

import json
from pathlib import Path

import jsonschema
import pytest

from trialwatt.config.catalogue import ALGORITHMS, DATASETS, MODELS
from trialwatt.config.loading import Problems, validated
from trialwatt.config.models import Experiment, Testbed, Workload
from trialwatt.config.origins import Origins
from trialwatt.config.schema import FOLDER, schema_text, schemas
from trialwatt.config.space import grid
from trialwatt.config.tables import CarbonTable, PowerTable, PriceTable
from trialwatt.config.yaml_files import read_yaml

ROOT = Path(__file__).parents[2]
FILES = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "config").rglob("*.yaml"))


def load(name):
    data, problems = read_yaml(ROOT / name, name)
    assert problems == []
    return data


def model(kind, name):
    problems = Problems()
    found, _ = validated(kind, load(name), Origins(name), problems)
    assert list(problems) == []
    return found


def test_the_schemas_are_those_of_the_models():
    files = {path.stem: path.read_text(encoding="utf-8") for path in (ROOT / FOLDER).iterdir()}
    expected = {name: schema_text(schema) for name, schema in schemas().items()}
    assert files == expected, "run `trialwatt schema --write`"


@pytest.mark.parametrize("name", FILES)
def test_each_file_names_its_schema_and_obeys_it(name):
    path = ROOT / name
    head, _, reference = path.read_text(encoding="utf-8").partition("\n")[0].partition("$schema=")
    assert head == "# yaml-language-server: "
    schema = json.loads((path.parent / reference).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(load(name))


def test_the_schema_refuses_what_the_models_refuse():
    schema = schemas()
    workload = {"space": "ff-24", "workers": {"cuont": 1}}
    with pytest.raises(jsonschema.ValidationError, match="cuont"):
        jsonschema.validate(workload, schema["workload"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({}, schema["space"])


def test_the_base_grid_is_the_one_of_the_design():
    for name in ("digits-ff", "mnist-ff"):
        data = load(f"config/workloads/{name}.yaml")
        data["space"] = load(f"config/spaces/{data['space']}.yaml")
        workload = Workload.model_validate(data, strict=True)
        points = grid(workload.space)
        assert len(points) == 24
        assert {p["lr"] for p in points} == {1e-4, 1e-3, 1e-2}
        assert {p["decay"] for p in points} == {1e-6, 1e-4}
        assert {(p["ls"], p["ln"]) for p in points} == {(32, 1), (32, 2), (128, 1), (128, 2)}
        assert (workload.workers.count, workload.workers.cpu) == (4, 2)
        assert (workload.batch, workload.epochs) == (50, 5)


def test_the_largest_shipped_treatment_fits_two_cores():
    testbed = model(Testbed, "config/testbeds/local.yaml")
    most = max(model(Experiment, "config/experiments/r-node.yaml").vary["workers.count"])
    assert most * 2 * testbed.cpu_per_vcpu <= 2


def test_the_tables_say_when_and_whence():
    prices = model(PriceTable, "config/prices.yaml").sets
    regions = model(CarbonTable, "config/carbon.yaml").regions
    powers = model(PowerTable, "config/power.yaml").models
    assert set(prices) == {"gcp-e2", "gcp-n2", "gcp-c3"}
    assert set(regions) == {"DEU", "FRA", "USA", "world"}
    assert set(powers) == {"gcp-ice-lake", "gcp-sapphire-rapids", "gcp-epyc-3", "gcp-median"}
    for entry in [*prices.values(), *regions.values(), *powers.values()]:
        assert entry.source.strip()
        assert entry.date


def test_the_catalogue_is_what_the_workload_implements():
    from trialwatt.workload.algorithms import ALGORITHMS as OPTIMIZERS
    from trialwatt.workload.networks import NETWORKS
    from trialwatt.workload.sources import SOURCES

    assert set(MODELS) == set(NETWORKS)
    assert set(ALGORITHMS) == set(OPTIMIZERS)
    assert set(DATASETS) == set(SOURCES)
