"""What stands for the places of a run in its roles, and what a platform makes of it."""

import json
import sys

import pytest
from tests.platforms.processes import body, ending, python

from trialwatt.config.models import Testbed
from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Role, replaced, resolved
from trialwatt.platforms.local import HOST, LocalPlatform

HOSTS = {"head": "10.0.0.1", "worker-0": "10.0.0.2"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@host@", "10.9.9.9"),
        ("@host@:80,@host:head@:81", "10.9.9.9:80,10.0.0.1:81"),
        ("http://me@@host:worker-0@/x@y", "http://me@10.0.0.2/x@y"),
        ("@python@ -m @pythons@ @hosts@ @host: head@", "/py -m @pythons@ @hosts@ @host: head@"),
        ("nobody@host", "nobody@host"),
    ],
)
def test_tokens_are_replaced_and_nothing_else(text, expected):
    assert replaced(text, "10.9.9.9", HOSTS, "/py") == expected


def test_a_kind_that_is_not_known_yet_stays():
    text = "@python@ @host@ @host:head@"
    assert replaced(text, None, HOSTS, None) == "@python@ @host@ 10.0.0.1"
    assert replaced(replaced(text, None, HOSTS, None), "me", None, "py") == "py me 10.0.0.1"
    assert replaced(text, "me", None, None) == "@python@ me @host:head@"


def test_a_component_that_was_not_started_before_is_named():
    with pytest.raises(TrialwattError, match=r"@host:tail@: no component tail .* head, worker-0"):
        replaced("@host:tail@", "", HOSTS, "")


def test_command_and_environment_are_resolved_secrets_are_not_and_are_not_shown():
    role = Role(
        "worker",
        "worker",
        ("@python@", "--at", "@host@"),
        1,
        64,
        environment={"HEAD": "@host:head@:1"},
        secrets={"TOKEN": "a@host@b"},
    )
    found = resolved(role, "me", HOSTS, "py")
    assert found.command == ("py", "--at", "me")
    assert found.environment == {"HEAD": "10.0.0.1:1"}
    assert found.secrets == {"TOKEN": "a@host@b"}
    assert "a@host@b" not in repr(found)


@pytest.fixture
def local(run_id, tmp_path):
    made = LocalPlatform.open(run_id, Testbed(), tmp_path / "run")
    yield made
    made.remove()


def test_the_local_platform_replaces_them_and_hands_secrets_over(local, tmp_path):
    source = "print(json.dumps({'arguments': sys.argv[1:], 'variables': dict(os.environ)}))"
    service = python("time.sleep(600)", name="head", kind="service")
    local.start(service)
    told = python(source, environment={"AT": "@host:head@:1"}, secrets={"TOKEN": "sesame-@host@"})
    program, *rest = told.command
    assert program == sys.executable
    told = Role(**vars(told) | {"command": ("@python@", *rest, "@host@", "@host:head@")})
    local.start(told)
    said = body(local)
    assert ending(local, "worker-0").code == 0
    assert said["arguments"] == [HOST, HOST] == [local.host("head"), local.host("worker-0")]
    assert (said["variables"]["AT"], said["variables"]["TOKEN"]) == (f"{HOST}:1", "sesame-@host@")
    assert "sesame" not in json.dumps(local.facts)
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or b"sesame" not in path.read_bytes(), path


def test_who_was_not_started_has_no_address_and_cannot_be_named(local):
    with pytest.raises(TrialwattError, match="head has not been started"):
        local.host("head")
    with pytest.raises(TrialwattError, match="no component head was started before"):
        local.start(python("pass", environment={"AT": "@host:head@"}))


def test_files_of_the_shared_folder_need_no_carrying_and_one_that_is_missing_is_named(
    local, tmp_path
):
    handle = local.start(python("time.sleep(600)"))
    handle.give("job.json")
    (tmp_path / "run" / "made").write_text("x")
    handle.fetch("made")
    with pytest.raises(TrialwattError, match=r"worker-0 has left no file .*weights/none"):
        handle.fetch("weights/none")


def test_on_this_machine_folder_and_clock_are_everyones(local):
    assert local.seen("/a/run", "/b/data") == ("/a/run", "/b/data")
    assert local.clock_offsets_ns() == {}
    assert local.clock_facts() == {"source": "CLOCK_MONOTONIC"}
    machine = local.machine()
    assert machine.busy_ns() > 0
    machine.close()
