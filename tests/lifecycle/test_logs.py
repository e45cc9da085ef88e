"""A secret of a component that its framework prints, raises and records stays in no file."""

import sys
import textwrap

import pytest

from trialwatt.lifecycle.evidence import RunFailed
from trialwatt.lifecycle.logs import hide_credentials

SECRET = "hush-S3cret"
URL = f"postgresql://me:{SECRET[:4]}%20{SECRET[5:]}@host/db"
MODULE = f"""
    import os, sys
    from dataclasses import replace
    from trialwatt.suts.plain import Plain

    class Chatty(Plain):
        name = "chatty"
        is_control = False

        def worker(self, job, index):
            secrets = {{"OWN": {SECRET!r}, "URL": {URL!r}}}
            return replace(super().worker(job, index), secrets=secrets)

        def work(self, job, index, trials):
            print("logged in with", os.environ["OWN"], "at", os.environ["URL"], file=sys.stderr)
            super().work(job, index, trials)

        def best(self, job):
            try:
                raise OSError("refused: " + os.environ["URL"])
            except OSError as error:
                raise RuntimeError("cannot log in with " + os.environ["OWN"]) from error
"""


@pytest.fixture
def chatty(tmp_path, monkeypatch):
    site = tmp_path / "site"
    info = site / "chatty_sut-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "chatty_sut.py").write_text(textwrap.dedent(MODULE))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: chatty-sut\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[trialwatt.suts]\nchatty = chatty_sut:Chatty\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    yield "chatty"
    sys.modules.pop("chatty_sut", None)


def test_no_file_of_a_run_that_failed_holds_a_secret(chatty, job, tmp_path, capsys):
    with pytest.raises(RunFailed, match=r"cannot log in with \*\*\*") as caught:
        job(chatty, workers={"count": 1, "cpu": 2, "memory_mb": 1024})
    texts = [capsys.readouterr().err, str(caught.value)]
    files = [path for path in (tmp_path / "results").rglob("*") if path.is_file()]
    texts += [path.read_bytes().decode(errors="replace") for path in files]
    assert any("logged in with *** at ***" in text for text in texts)
    assert any("OSError: refused: postgresql://***@host/db" in text for text in texts)
    assert not any("S3cret" in text for text in texts)


def test_a_log_without_a_secret_is_not_touched_whatever_its_bytes(tmp_path):
    log = tmp_path / "logs" / "worker-0" / "0" / "stderr"
    log.parent.mkdir(parents=True)
    log.write_bytes(b"\xff no text\r\n")
    before = log.stat()
    hide_credentials(tmp_path)
    assert log.stat().st_mtime_ns == before.st_mtime_ns
    log.write_bytes(b"\xff http://me:own@host\r\n")
    hide_credentials(tmp_path)
    assert log.read_bytes() == b"\xff http://***@host\r\n"
