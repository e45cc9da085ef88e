"""A watch tells each change once and in order, whatever the API server does meanwhile."""

import time

import pytest
from tests.platforms.kubernetes.cluster import FakeCluster
from tests.platforms.processes import wait_until

from trialwatt.platforms.kubernetes import access, watch
from trialwatt.platforms.kubernetes.access import ApiFault
from trialwatt.platforms.kubernetes.watch import Watch

PATH = "/api/v1/namespaces/one/pods"


class Seen:
    """A watch and what it has told."""

    def __init__(self, cluster, **keys):
        self.told, self.faults = [], []
        self.watch = Watch(
            cluster.api(),
            PATH,
            lambda pod: self.told.append((pod["metadata"]["name"], pod.get("value"))),
            lambda pod: self.told.append((pod["metadata"]["name"], "gone")),
            self.faults.append,
            **keys,
        ).start()

    def wait(self, *expected, timeout_s: float = 60):
        deadline = time.monotonic() + timeout_s
        while self.told != list(expected) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.told == list(expected)


@pytest.fixture
def cluster(tmp_path):
    made = FakeCluster(tmp_path)
    made.runs_pods = False
    yield made
    made.close()


@pytest.fixture
def seen(cluster):
    """A watch that is open: what is changed from now on comes change by change."""
    made = Seen(cluster)
    assert wait_until(lambda: cluster.watching)
    yield made
    made.watch.stop()


@pytest.fixture
def quick(monkeypatch):
    """What passes is tried again soon."""
    monkeypatch.setattr(watch, "FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(watch, "MAX_PAUSE_S", 0.1)


def put(cluster, name: str, value) -> None:
    path = f"{PATH}/{name}"
    kind = "MODIFIED" if path in cluster.objects else "ADDED"
    uid = cluster.objects.get(path, {}).get("metadata", {}).get("uid", f"{name}-{cluster.version}")
    cluster.store(path, {"metadata": {"name": name, "uid": uid}, "value": value}, kind)


def test_changes_come_in_order(cluster, seen):
    for value in range(3):
        put(cluster, "a", value)
        time.sleep(0.1)
    cluster.drop(f"{PATH}/a")
    seen.wait(("a", 0), ("a", 1), ("a", 2), ("a", "gone"))


def test_a_dropped_connection_is_taken_up_where_it_ended(cluster, seen):
    put(cluster, "a", 1)
    seen.wait(("a", 1))
    cluster.cut_watches()
    put(cluster, "a", 2)
    put(cluster, "b", 1)
    seen.wait(("a", 1), ("a", 2), ("b", 1))


def test_after_410_what_changed_meanwhile_is_told_deletions_too(quick, cluster, seen):
    for name in ("a", "b", "c"):
        put(cluster, name, 1)
    seen.wait(("a", 1), ("b", 1), ("c", 1))
    cluster.fail("GET .*watch=1", 500, times=10**6)  # nothing is seen of what follows
    cluster.cut_watches()
    assert wait_until(lambda: not cluster.watching)
    cluster.drop(f"{PATH}/a")
    put(cluster, "b", 2)
    put(cluster, "d", 1)
    cluster.forget()
    cluster.faults.clear()
    seen.wait(("a", 1), ("b", 1), ("c", 1), ("a", "gone"), ("b", 2), ("d", 1))
    assert not seen.faults


def test_410_as_an_answer_is_the_same(cluster, seen):
    put(cluster, "a", 1)
    seen.wait(("a", 1))
    cluster.fail("GET .*watch=1", 410, {"reason": "Expired", "message": "too old"})
    cluster.cut_watches()
    put(cluster, "a", 2)
    seen.wait(("a", 1), ("a", 2))


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_answers_that_pass_are_waited_for(quick, cluster, seen, status):
    """A server that has just started refuses what it allows a moment later."""
    put(cluster, "a", 1)
    seen.wait(("a", 1))
    text = 'pods is forbidden: User "me" cannot list resource "pods"'
    cluster.fail("GET .*pods", status, {"message": text}, times=3)
    cluster.cut_watches()
    assert wait_until(lambda: not cluster.faults)
    put(cluster, "a", 2)
    seen.wait(("a", 1), ("a", 2))


def test_a_restart_of_the_server_is_survived(cluster, seen):
    put(cluster, "a", 1)
    seen.wait(("a", 1))
    cluster.restart(1.0)
    put(cluster, "a", 2)
    seen.wait(("a", 1), ("a", 2))
    assert not seen.faults


def test_a_server_that_stays_away_is_told(cluster):
    made = Seen(cluster, outage_s=1)
    put(cluster, "a", 1)
    made.wait(("a", 1))
    cluster.fail("GET .*pods", 503, {"reason": "ServiceUnavailable"}, times=1000)
    cluster.cut_watches()
    assert wait_until(lambda: made.faults)
    assert [fault.status for fault in made.faults] == [503]


def test_a_right_that_is_missing_is_told_at_once(cluster):
    text = 'pods is forbidden: User "me" cannot list resource "pods"'
    cluster.fail("GET .*pods", 403, {"reason": "Forbidden", "message": text})
    made = Seen(cluster)
    assert wait_until(lambda: made.faults)
    [fault] = made.faults
    assert isinstance(fault, ApiFault)
    assert "cannot list" in str(fault)


def test_a_right_that_is_taken_away_is_told_when_that_lasts(quick, cluster, monkeypatch):
    monkeypatch.setattr(access, "REFUSED_S", 0.5)
    put(cluster, "a", 1)
    made = Seen(cluster)
    made.wait(("a", 1))
    text = 'pods is forbidden: User "me" cannot list resource "pods" any more'
    cluster.fail("GET .*pods", 403, {"reason": "Forbidden", "message": text}, times=10**6)
    cluster.cut_watches()
    assert wait_until(lambda: made.faults)
    assert "any more" in str(made.faults[0])


def test_a_server_that_hangs_up_at_once_is_not_asked_in_a_loop(cluster, seen):
    put(cluster, "a", 1)
    seen.wait(("a", 1))
    before, began = len(cluster.asked), time.monotonic()
    while time.monotonic() < began + 2:
        cluster.cut_watches()
        time.sleep(0.02)
    assert len(cluster.asked) - before < 6 * (time.monotonic() - began)


def test_after_its_stop_nothing_is_told(cluster):
    made = Seen(cluster)
    put(cluster, "a", 1)
    made.wait(("a", 1))
    made.watch.stop()
    time.sleep(0.2)
    put(cluster, "a", 2)
    time.sleep(0.5)
    assert made.told == [("a", 1)]
