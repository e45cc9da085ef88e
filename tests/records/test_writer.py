import json
import os
import signal
import subprocess
import sys
import time

import pytest

from trialwatt.records.writer import EventWriter, progress


def lines(folder, component="worker-0"):
    return (folder / "records" / f"{component}.jsonl").read_text().splitlines()


def test_a_line_is_whole_and_carries_both_clocks(tmp_path):
    writer = EventWriter(tmp_path, "run-1", "worker-0")
    before = time.time_ns(), time.monotonic_ns()
    writer.write("note", text="π")
    writer.close()
    event = json.loads(lines(tmp_path)[0])
    assert event["run"] == "run-1" and event["who"] == "worker-0" and event["text"] == "π"
    assert event["t"] >= before[0] and event["m"] >= before[1]


def test_sigkill_in_mid_write_loses_at_most_one_line(tmp_path):
    code = (
        "import sys; from pathlib import Path; from trialwatt.records.writer import EventWriter\n"
        "w = EventWriter(Path(sys.argv[1]), 'r', 'worker-0')\n"
        "n = 0\n"
        "while True:\n"
        "    w.write('note', text='x' * 300, n=n); n += 1\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    path = tmp_path / "records" / "worker-0.jsonl"
    deadline = time.monotonic() + 120
    try:
        while not path.exists() or path.stat().st_size < 100_000:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    whole = [json.loads(line)["n"] for line in path.read_bytes().decode().split("\n")[:-1]]
    assert whole == list(range(len(whole)))


def test_a_successor_drops_the_line_that_was_cut(tmp_path):
    first = EventWriter(tmp_path, "r", "worker-0")
    first.write("note", text="whole")
    first.close()
    with (tmp_path / "records" / "worker-0.jsonl").open("a") as file:
        file.write('{"t": 1, "cut')
    second = EventWriter(tmp_path, "r", "worker-0")
    second.write("note", text="next")
    second.close()
    assert [json.loads(line)["text"] for line in lines(tmp_path)] == ["whole", "next"]


def test_a_full_disk_is_an_error_not_a_silence(tmp_path):
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "from trialwatt.records.writer import EventWriter\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "w = EventWriter(Path(sys.argv[1]), 'r', 'worker-0')\n"
        "try:\n"
        "    for _ in range(100): w.write('note', text='x' * 100)\n"
        "except OSError as e: print('refused', e.errno)\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True
    )
    assert out.stdout.startswith("refused")


@pytest.mark.parametrize("ended", [True, False])
def test_progress_finds_the_open_trial(tmp_path, ended):
    writer = EventWriter(tmp_path, "r", "worker-0")
    writer.write("trial", trial="worker-0/0", status="start", number=4, cpu_ns=5, phi={}, seed=1)
    writer.write(
        "trial", trial="worker-0/0", status="end", outcome="completed", cpu_ns=8, scores={}
    )
    writer.write("trial", trial="worker-0/1", status="start", number=9, cpu_ns=9, phi={}, seed=1)
    if ended:
        writer.write(
            "trial", trial="worker-0/1", status="end", outcome="failed", cpu_ns=12, scores={}
        )
    state = progress(tmp_path, "worker-0")
    assert [event["number"] for event in state.started] == [4, 9]
    assert state.completed == 1
    assert state.cpu_ns == (12 if ended else 9)
    assert [event["number"] for event in state.unfinished] == ([] if ended else [9])


def test_progress_of_a_component_without_records_is_empty(tmp_path):
    state = progress(tmp_path, "worker-7")
    assert (state.started, state.unfinished, state.completed) == ([], [], 0)
