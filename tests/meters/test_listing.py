import subprocess
import sys
from pathlib import Path

from trialwatt.meters.choose import MeterUse, listed

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    MeterUse("rapl", "headline", "", ("package-0", "dram-0")),
    MeterUse("prometheus", "missing", "the server " + "very " * 30 + "far away", ()),
]


def test_columns_are_aligned_and_long_sentences_go_on_below():
    lines = listed(ROWS, width=100).splitlines()
    head, rapl, first, *more = lines
    assert head.split() == ["meter", "use", "domains", "what", "to", "know"]
    at = head.index("what to know")
    assert rapl[:at].split("  ")[0] == "rapl" and "package-0, dram-0" in rapl
    assert rapl[at:] == "-" and first[at:].startswith("the server very")
    assert len(more) >= 2 and all(line[:at].strip() == "" for line in more)
    assert all(len(line) <= 100 for line in lines)
    assert " ".join(line[at:].strip() for line in [first, *more]) == ROWS[1].reason


def test_a_narrow_terminal_still_shows_everything():
    lines = listed(ROWS, width=10).splitlines()
    assert max(map(len, lines)) < 100 and "far away" in lines[-1]


def test_the_command_prints_the_table_of_this_machine():
    command = [sys.executable, "-m", "trialwatt.cli", "meters"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if not line.startswith(" ")]
    assert [row[0] for row in rows] == ["meter", "rapl", "model", "nvml", "prometheus"]
    uses = {row[0]: row[1] for row in rows}
    assert uses["model"] == ("recorded" if uses["rapl"] == "headline" else "headline")
    assert uses["prometheus"] == "missing" and "`prometheus`" in done.stdout
