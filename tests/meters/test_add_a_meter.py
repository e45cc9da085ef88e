"""The worked example of docs/add-a-meter.md, installed as another package and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from tests.config.conftest import project  # noqa: F401 # the section, as a plan reads it
from tests.contexts import PLAIN
from tests.examples import DOCS, block, install

from trialwatt.config.identity import hash_of
from trialwatt.config.models import Testbed
from trialwatt.contract.reading import manifest
from trialwatt.errors import ConfigError
from trialwatt.meters.choose import open_available, probe_all

BENCH = "testbeds/bench.yaml"
ROOT = DOCS.parent
WATTS = 31.5


@pytest.fixture
def installed(tmp_path, monkeypatch):
    site = tmp_path / "plug-site"
    install("add-a-meter.md", ["plug.py", "plug_options.py"], site)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    yield
    for name in ("plug", "plug_options"):
        sys.modules.pop(name, None)


@pytest.fixture
def plug():
    """A metering plug: its host and port."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"id": 0, "apower": WATTS}).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def said(project) -> list[str]:  # noqa: F811
    with pytest.raises(ConfigError) as caught:
        project.plan()
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("section", "sentence"),
    [
        ({"host": 5}, "plug.host: must be text (got 5)"),
        ({"hots": "a", "host": "a"}, 'plug.hots: unknown key; did you mean "host"?'),
        (
            {"host": "http://plug"},
            "plug.host: must be a name or an address, without http:// (got http://plug)",
        ),
        (None, "meters[1]: plug needs the section `plug`"),
    ],
)
def test_its_option_is_checked_with_file_and_key(installed, project, section, sentence):  # noqa: F811
    project.edit(BENCH, "meters", to=["model", "plug"])
    if section:
        project.edit(BENCH, "plug", to=section)
    assert said(project) == [f"config/{BENCH}: {sentence}"]


def test_without_the_package_there_is_no_such_key(project):  # noqa: F811
    project.edit(BENCH, "plug", to={"host": "a"})
    (sentence,) = said(project)
    assert sentence.startswith(f"config/{BENCH}: plug: unknown key")


def test_its_option_reaches_the_meter(installed, plug):
    with open_available(Testbed(meters=["plug"], plug={"host": plug})) as chosen:
        assert chosen.meters["plug"].read(None) == {"machine": WATTS}
    there = probe_all(Testbed(meters=["plug"], plug={"host": "127.0.0.1:9"}))
    assert there["plug"].reason == "127.0.0.1:9 does not answer"


def test_the_shown_testbed_is_valid(installed):
    testbed = Testbed.model_validate(
        yaml.safe_load(block("add-a-meter.md", "config/testbeds/desk.yaml"))
    )
    assert testbed.sections["plug"].host == "plug.local"


def test_a_whole_run_whose_records_are_read_without_the_package(installed, plug, run_job, tmp_path):
    folder = run_job(tmp_path, testbed={"meters": ["plug", "model"], "plug": {"host": plug}})
    run = manifest(folder)
    assert run["status"] == "completed", run["reason"]
    assert run["headline_domains"] == {"plug": ["machine"]}
    assert run["config"]["testbed"]["plug"] == {"host": plug, "timeout_s": 1}
    assert hash_of(run["config"]) == run["hash"]
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from trialwatt.metrics.context import MetricsContext\n"
        "from trialwatt.metrics.extract import extract_run\n"
        "context = MetricsContext(**json.loads(sys.argv[2]))\n"
        "row = extract_run(Path(sys.argv[1]), context).run\n"
        "print(row['energy_meter'], row['energy_method'], 'plug' in sys.modules)\n"
    )
    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", code, str(folder), json.dumps(asdict(PLAIN))]
    done = subprocess.run(command, env=alone, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["plug", "polled", "False"]
