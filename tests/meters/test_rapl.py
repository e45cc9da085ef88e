"""RAPL against fake powercap trees, and against the machine's own counters where it has some."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from pyfakefs.helpers import reset_ids, set_gid, set_uid
from pyRAPL import Sensor

from trialwatt.config.models import Testbed
from trialwatt.meters import rapl, rapl_sensors
from trialwatt.meters.base import MachineLoad, MeterError
from trialwatt.meters.choose import headline_domains

TESTBED = Testbed()
LOAD = MachineLoad(cores=2, busy_cores=0.5, memory_gb=8)
RANGE = 262143328850
ROOT = "/sys/class/powercap/intel-rapl"


def zone(fs, place: str, name: str, energy_uj: int, range_uj: int | None = RANGE) -> str:
    """Make one zone, `place` as in "1" or "1:0"; returns the path of its counter."""
    top = place.split(":")[0]
    folder = f"{ROOT}/intel-rapl:{top}"
    if ":" in place:
        folder += f"/intel-rapl:{place}"
    fs.create_file(f"{folder}/name", contents=name + "\n")
    fs.create_file(f"{folder}/energy_uj", contents=f"{energy_uj}\n")
    if range_uj is not None:
        fs.create_file(f"{folder}/max_energy_range_uj", contents=f"{range_uj}\n")
    return f"{folder}/energy_uj"


def sockets(fs, count: int, offline: tuple[int, ...] = ()) -> None:
    """A machine with two CPUs per socket; an offline CPU has no topology."""
    fs.create_file("/sys/devices/system/cpu/present", contents=f"0-{2 * count - 1}\n")
    for cpu in range(2 * count):
        if cpu not in offline:
            path = f"/sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id"
            fs.create_file(path, contents=f"{cpu // 2}\n")


@pytest.fixture(autouse=True)
def running(request, monkeypatch):
    """Time passes on the fake machine: whoever sleeps finds that each counter has moved on."""
    if "fs" not in request.fixturenames:
        return

    def sleep(_seconds):
        for file in Path(ROOT).rglob("energy_uj"):
            if os.access(file, os.W_OK) and file.read_text().strip().isdigit():
                file.write_text(f"{int(file.read_text()) + 1000}\n")

    monkeypatch.setattr(rapl.time, "sleep", sleep)


def read_all() -> tuple[dict, dict]:
    """Domains by name, and one reading."""
    meter = rapl.Rapl.open(TESTBED)
    try:
        return {d.name: d for d in meter.domains}, meter.read(LOAD)
    finally:
        meter.close()


def test_one_socket_with_all_its_zones(fs):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5_000_000)
    zone(fs, "0:0", "core", 3_000_000)
    zone(fs, "0:1", "uncore", 100_000)
    zone(fs, "0:2", "dram", 700_000, range_uj=65712999613)
    domains, readings = read_all()
    assert readings == {
        "package-0": 5_000_000,
        "dram-0": 700_000,
        "core-0": 3_000_000,
        "uncore-0": 100_000,
    }
    assert {n for n, d in domains.items() if d.counts} == {"package-0", "dram-0"}
    assert domains["dram-0"].resource == "memory" and domains["package-0"].resource == "cpu"
    assert domains["package-0"].wraps_at == RANGE and domains["dram-0"].wraps_at == 65712999613
    assert all(d.unit == "uj" and d.method == "counter" for d in domains.values())
    probe = rapl.Rapl.probe(TESTBED)
    assert probe.available and probe.reason == ""
    assert probe.domains == tuple(domains.values())


def test_packages_and_dram_are_read_by_pyrapl_itself(fs):
    sockets(fs, 2)
    for socket in (0, 1):
        zone(fs, f"{socket}", f"package-{socket}", 100 + socket)
        zone(fs, f"{socket}:0", "dram", 200 + socket)
        zone(fs, f"{socket}:1", "core", 300 + socket)
    meter = rapl.Rapl.open(TESTBED)
    kinds = {c.domain.name: type(c.source) for c in meter._counters}
    assert {name for name, kind in kinds.items() if kind is Sensor} == {
        "package-0",
        "package-1",
        "dram-0",
        "dram-1",
    }
    assert meter.read(LOAD) == {
        "package-0": 100,
        "package-1": 101,
        "dram-0": 200,
        "dram-1": 201,
        "core-0": 300,
        "core-1": 301,
    }
    meter.close()


def dies(fs, apart_uj: int, sockets_: int = 2) -> None:
    """Two dies of each socket, with DRAM, whose counters stand so far apart."""
    sockets(fs, sockets_)
    for number in range(2 * sockets_):
        socket, die = divmod(number, 2)
        zone(fs, f"{number}", f"package-{socket}-die-{die}", 10**9 * socket + apart_uj * die + 1)
        zone(fs, f"{number}:0", "dram", 10**8 * (socket + 1) + apart_uj * die)


def test_dies_of_a_package_are_separate_domains(fs):
    dies(fs, apart_uj=2 * 10**7)
    domains, readings = read_all()
    assert readings == {
        "package-0-die-0": 1,
        "package-0-die-1": 20_000_001,
        "package-1-die-0": 1_000_000_001,
        "package-1-die-1": 1_020_000_001,
        "dram-0-die-0": 100_000_000,
        "dram-0-die-1": 120_000_000,
        "dram-1-die-0": 200_000_000,
        "dram-1-die-1": 220_000_000,
    }
    assert all(d.counts for d in domains.values())
    assert rapl.Rapl.probe(TESTBED).reason == ""


def moving(monkeypatch, watts) -> None:
    """watts: of a zone's folder name."""

    def sleep(seconds):
        for file in Path(ROOT).rglob("energy_uj"):
            grown = watts(file.parent.name) * seconds * 1e6
            file.write_text(f"{int((int(file.read_text()) + grown) % RANGE)}\n")

    monkeypatch.setattr(rapl.time, "sleep", sleep)


@pytest.mark.parametrize("apart_uj", [0, 60_000])
def test_dies_that_show_the_counter_of_their_socket_are_counted_once(fs, monkeypatch, apart_uj):
    """One reads 68 W a ms after the other."""
    moving(monkeypatch, lambda zone: 68)
    dies(fs, apart_uj)
    meter = rapl.Rapl.open(TESTBED)
    counted = headline_domains({"rapl": meter.domains}, accelerators=False)
    assert counted == {
        "rapl": ["package-0-die-0", "package-1-die-0", "dram-0-die-0", "dram-1-die-0"]
    }
    assert "package-0-die-1" in meter.read(LOAD)  # recorded, for whoever wants to check
    meter.close()
    reason = rapl.Rapl.probe(TESTBED).reason
    assert "package-1-die-1 shows the counter of package-1-die-0: counted once" in reason
    assert reason.count("counted once") == 4


def test_dies_that_stand_near_each_other_and_draw_their_own_are_both_counted(fs, monkeypatch):
    moving(monkeypatch, lambda zone: 40 if zone.split(":")[1] == "0" else 28)
    dies(fs, apart_uj=0, sockets_=1)
    domains, _ = read_all()
    assert all(domain.counts for domain in domains.values())


def test_a_mirror_is_seen_through_a_wrap(fs, monkeypatch):
    moving(monkeypatch, lambda zone: 68)
    sockets(fs, 1)
    for die in (0, 1):
        zone(fs, f"{die}", f"package-0-die-{die}", RANGE - 20_000_000)
    assert [d.counts for d in read_all()[0].values()] == [True, False]


def test_the_highest_limit_that_the_kernel_lists_is_the_zones(fs):
    sockets(fs, 2)
    zone(fs, "0", "package-0", 5)
    zone(fs, "1", "package-1", 5)
    for name, text in {
        "constraint_0_name": "long_term",
        "constraint_0_max_power_uw": "65000000",
        "constraint_0_power_limit_uw": "35000000",
        "constraint_0_time_window_us": "27983872000",
        "constraint_1_max_power_uw": "0",
        "constraint_1_power_limit_uw": "90000000",
        "constraint_2_max_power_uw": "no data",
    }.items():
        fs.create_file(f"{ROOT}/intel-rapl:0/{name}", contents=f"{text}\n")
    domains, _ = read_all()
    assert (domains["package-0"].max_w, domains["package-1"].max_w) == (90, None)
    assert domains["package-0"].facts()["max_w"] == 90
    assert "max_w" not in domains["package-1"].facts()


def test_psys_is_listed_and_never_added(fs):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5)
    zone(fs, "0:0", "dram", 6)
    zone(fs, "1", "psys", 900)
    domains, readings = read_all()
    assert readings["psys"] == 900
    assert not domains["psys"].counts
    assert sum(readings[n] for n, d in domains.items() if d.counts) == 11


def test_missing_dram_is_named_and_packages_work(fs):
    sockets(fs, 2)
    zone(fs, "0", "package-0", 5)
    zone(fs, "0:0", "dram", 6)
    zone(fs, "1", "package-1", 7)
    probe = rapl.Rapl.probe(TESTBED)
    assert probe.available
    assert "no DRAM counter beside package-1" in probe.reason
    assert "package-0" not in probe.reason
    assert [d.name for d in probe.domains] == ["package-0", "package-1", "dram-0"]


def test_amd_has_packages_and_cores_under_the_same_names(fs):
    sockets(fs, 2)
    for socket in (0, 1):
        zone(fs, f"{socket}", f"package-{socket}", 50 + socket, range_uj=65532610987)
        zone(fs, f"{socket}:0", "core", 20 + socket, range_uj=65532610987)
    domains, readings = read_all()
    assert {n: readings[n] for n, d in domains.items() if d.counts} == {
        "package-0": 50,
        "package-1": 51,
    }
    assert domains["package-1"].wraps_at == 65532610987
    assert rapl.Rapl.probe(TESTBED).available


def test_an_offline_cpu_or_a_hole_in_the_numbers_does_not_stop_us(fs):
    sockets(fs, 2, offline=(3,))
    zone(fs, "0", "package-0", 5)
    zone(fs, "3", "package-1", 8)
    _, readings = read_all()
    assert readings == {"package-0": 5, "package-1": 8}


def test_a_package_that_is_listed_twice_is_counted_once(fs):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5)
    zone(fs, "1", "package-0", 5)
    domains, readings = read_all()
    assert list(domains) == ["package-0"] and readings == {"package-0": 5}


def test_mmio_shows_the_package_again_and_is_left_out(fs):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5)
    fs.create_file(
        "/sys/class/powercap/intel-rapl-mmio/intel-rapl-mmio:0/name", contents="package-0\n"
    )
    assert list(read_all()[0]) == ["package-0"]


def test_wraps_are_passed_raw(fs):
    sockets(fs, 1)
    counter = Path(zone(fs, "0", "package-0", RANGE - 10))
    meter = rapl.Rapl.open(TESTBED)
    assert meter.read(LOAD) == {"package-0": RANGE - 10}
    counter.write_text("25\n")
    assert meter.read(LOAD) == {"package-0": 25}
    meter.close()


def test_an_unknown_range_is_said(fs):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5, range_uj=None)
    probe = rapl.Rapl.probe(TESTBED)
    assert probe.available and probe.domains[0].wraps_at is None
    assert "the range of package-0 is unknown" in probe.reason


class Gone:
    """An open sysfs file whose device has gone away."""

    def seek(self, *_):
        return 0

    def readline(self):
        raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))

    def close(self):
        pass


def test_a_counter_that_vanishes_is_missing_and_the_others_go_on(fs):
    sockets(fs, 2)
    first = Path(zone(fs, "0", "package-0", 5))
    zone(fs, "0:0", "dram", 6)
    zone(fs, "1", "package-1", 7)
    meter = rapl.Rapl.open(TESTBED)
    (sensor,) = (c.source for c in meter._counters if c.domain.name == "package-1")
    (api,) = sensor._device_api.values()
    api._sys_files[0] = Gone()
    assert meter.read(LOAD) == {"package-0": 5, "dram-0": 6}
    first.write_text("")
    assert meter.read(LOAD) == {"dram-0": 6}
    first.write_text("9\n")
    assert meter.read(LOAD) == {"package-0": 9, "dram-0": 6}
    meter.close()


@pytest.fixture
def ordinary_user(fs):
    set_uid(1000)
    set_gid(1000)
    yield
    reset_ids()


def test_a_permission_error_is_explained_with_the_command(fs, ordinary_user):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5)
    Path(f"{ROOT}/intel-rapl:0/energy_uj").chmod(0o000)
    probe = rapl.Rapl.probe(TESTBED)
    assert not probe.available and probe.domains == ()
    assert "package-0 (Permission denied" in probe.reason
    assert "sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj" in probe.reason
    assert "until the next reboot" in probe.reason
    with pytest.raises(MeterError, match="sudo chmod"):
        rapl.Rapl.open(TESTBED)


def test_a_subdomain_without_permission_is_named(fs, ordinary_user):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5)
    Path(zone(fs, "0:0", "dram", 6)).chmod(0o000)
    probe = rapl.Rapl.probe(TESTBED)
    assert probe.available and [d.name for d in probe.domains] == ["package-0"]
    assert "cannot read dram-0 (Permission denied" in probe.reason
    assert "sudo chmod" in probe.reason


def test_one_unreadable_package_makes_the_meter_unavailable(fs, ordinary_user):
    sockets(fs, 2)
    zone(fs, "0", "package-0", 5)
    Path(zone(fs, "1", "package-1", 6)).chmod(0o000)
    probe = rapl.Rapl.probe(TESTBED)
    assert not probe.available
    assert "package-1" in probe.reason and "package-0" not in probe.reason


def test_a_counter_that_stands_still_is_no_meter(fs, monkeypatch):
    monkeypatch.setattr(rapl.time, "sleep", lambda _seconds: None)
    sockets(fs, 1)
    zone(fs, "0", "package-0", 0)
    probe = rapl.Rapl.probe(TESTBED)
    assert not probe.available and "package-0 stands still" in probe.reason


@pytest.mark.parametrize("folder", [None, ROOT])
def test_no_powercap_or_an_empty_one(fs, folder):
    if folder:
        fs.create_dir(folder)
    probe = rapl.Rapl.probe(TESTBED)
    assert not probe.available
    assert "no RAPL package" in probe.reason and "modprobe" in probe.reason
    with pytest.raises(MeterError, match="no RAPL package"):
        rapl.Rapl.open(TESTBED)


def test_close_closes_every_file(fs):
    sockets(fs, 1)
    zone(fs, "0", "package-0", 5)
    zone(fs, "0:0", "core", 5)
    meter = rapl.Rapl.open(TESTBED)
    apis = []
    for counter in meter._counters:
        source = counter.source
        apis += source._device_api.values() if isinstance(source, Sensor) else [source]
    meter.close()
    assert len(apis) == 2 and all(file.closed for api in apis for file in api._sys_files)
    assert isinstance(apis[1], rapl_sensors.ZoneAPI)


IN_A_NAMESPACE = """
    import time
    from pathlib import Path
    from trialwatt.config.models import Testbed
    from trialwatt.meters.base import MachineLoad
    from trialwatt.meters.rapl import Rapl

    root = Path("/sys/class/powercap/intel-rapl/intel-rapl:0")
    root.mkdir(parents=True)
    (root / "name").write_text("package-0\\n")
    (root / "max_energy_range_uj").write_text("1000\\n")
    counter = root / "energy_uj"
    counter.write_text("000\\n")

    def sleep(seconds):  # the counter moves while somebody sleeps
        with counter.open("r+") as file:
            moved = int(file.read()) + round(seconds * 200)
            file.seek(0)
            file.write(f"{moved % 1000:03d}\\n")

    time.sleep = sleep
    probe = Rapl.probe(Testbed())
    meter = Rapl.open(Testbed())
    first = meter.read(MachineLoad(1, 0, 1))["package-0"]
    time.sleep(0.1)
    second = meter.read(MachineLoad(1, 0, 1))["package-0"]
    print(probe.available, probe.domains[0].wraps_at, int(second - first))
"""


def test_through_the_real_file_system():
    """The same through real files: a private mount namespace with a powercap tree of our own."""
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("needs root and unshare for a mount namespace")
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "x", "/sys/class"]).returncode:
        pytest.skip("mount namespaces are not allowed here")
    script = 'mount -t tmpfs x /sys/class && exec "$0" -c "$1"'
    code = textwrap.dedent(IN_A_NAMESPACE)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, sys.executable, code],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["True", "1000", "20"]
    assert done.stderr == ""  # pyRAPL's warnings are no news for the user


@pytest.mark.rapl
def test_the_counters_of_this_machine():
    probe = rapl.Rapl.probe(TESTBED)
    if not probe.available:
        pytest.skip(probe.reason)
    before = read_all()[1]
    total = 0
    while total < 5_000_000:
        total += 1
    domains, after = read_all()
    packages = [name for name in domains if name.startswith("package-")]
    assert packages and all(after[name] != before[name] for name in packages)
    assert all(0 <= after[name] <= domain.wraps_at for name, domain in domains.items())
