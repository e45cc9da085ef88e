"""Idle power is that of a machine that is idle. A real process, and a server of counters."""

import json

import pytest
from tests.lifecycle.test_quiet import MachineOf, somebody_elses
from tests.meters.scrapes import asking, scraped

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle import idle, quiet
from trialwatt.lifecycle.idle import describe_machine
from trialwatt.records import testbed_facts as facts


@pytest.fixture
def burner(monkeypatch):
    """Burns the only core while idle power is measured; before that, nobody was seen."""
    with somebody_elses() as process:
        monkeypatch.setattr(facts, "Machine", lambda: MachineOf(process))
        monkeypatch.setattr(quiet, "Machine", lambda: MachineOf())
        yield process


@pytest.fixture
def server():
    with scraped() as made:
        yield made


def bed(server, **keys) -> Testbed:
    keys = {"idle_s": 1, "quiet_wait_s": 0} | keys
    return Testbed(**asking(server) | {"meters": ["prometheus"]} | keys)


def test_a_busy_machine_has_no_idle_power(burner, server, tmp_path):
    with pytest.raises(TrialwattError, match=r"of the machine was busy, at most 5%.*local\.yaml"):
        describe_machine("local", bed(server), None, tmp_path / "local.json")
    assert not (tmp_path / "local.json").exists()


def test_where_a_busy_machine_is_allowed_that_is_on_record(burner, server, tmp_path, capsys):
    testbed = bed(server, allow_busy_machine=True)
    describe_machine("local", testbed, None, tmp_path / "local.json")
    assert json.loads((tmp_path / "local.json").read_text())["idle"]["busy_share"] > 0.05
    assert "each run is flagged" in capsys.readouterr().err


def test_it_is_measured_again_once_the_machine_is_quiet(
    burner, server, tmp_path, capsys, monkeypatch
):
    looked = []

    def ends_at_the_second_look(*_):
        looked.append(1)
        if len(looked) == 2:
            burner.kill()
            burner.wait()

    monkeypatch.setattr(idle, "wait_until_quiet", ends_at_the_second_look)
    describe_machine("local", bed(server, quiet_wait_s=600), None, tmp_path / "local.json")
    assert json.loads((tmp_path / "local.json").read_text())["idle"]["busy_share"] <= 0.05
    assert len(looked) == 2 and "it is measured again" in capsys.readouterr().err
