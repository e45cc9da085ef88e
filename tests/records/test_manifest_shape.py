"""A run.json whose values have other types than a run writes is refused with the key."""

import json

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.records.manifest import read_manifest


def changed(folder, *keys, value):
    content = json.loads((folder / "run.json").read_text())
    inner = content
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    (folder / "run.json").write_text(json.dumps(content))


def test_what_a_run_writes_is_taken(run_folder):
    assert read_manifest(run_folder / "run.json")["hash"]


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("run_id",), 1, "run_id: "),
        (("repetition",), True, "repetition: "),
        (("repetition",), -1, "repetition: "),
        (("host",), [], "host: "),
        (("host", "cores"), "two", "host.cores: "),
        (("host", "cores"), float("inf"), "host.cores: "),
        (("config",), "x", "config: "),
        (("meters",), [], "meters: "),
        (("meters", "model", "domains"), {"cpu": 1}, "meters.model.domains: "),
        (("meters", "model", "domains", 0, "unit"), "kWh", "meters.model.domains.0.unit: "),
        (("meters", "model", "parameters"), {"period_s": "\x1b[2J"}, "parameters.period_s: "),
        (("headline_domains",), {"model": "cpu"}, "headline_domains.model: "),
        (("headline_domains",), {"../../x": ["cpu"]}, "headline_domains.../../x"),
        (("headline_meter",), "/etc/x", "headline_meter: "),
        (("idle",), {"watts": {"cpu": "1"}}, "idle.watts.cpu: "),
        (("clock",), {"offsets_ns": {"worker-0": 0.5}}, "clock.offsets_ns.worker-0: "),
        (("best",), {"phi": [], "score": 1}, "best.phi: "),
        (("best",), {"phi": {"lr": float("inf")}, "score": 1}, "best.phi.lr."),
        (("files",), ["x"], "files: "),
        (("started_utc_ns",), "now", "started_utc_ns: "),
    ],
)
def test_another_type(run_folder, keys, value, said):
    changed(run_folder, *keys, value=value)
    with pytest.raises(TrialwattError) as caught:
        read_manifest(run_folder / "run.json")
    assert said in str(caught.value) and str(caught.value).isprintable()


def test_json_that_is_nested_without_end(run_folder):
    (run_folder / "run.json").write_text("[" * 100_000)
    with pytest.raises(TrialwattError, match="not JSON"):
        read_manifest(run_folder / "run.json")
