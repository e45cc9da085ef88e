"""Who uses what coordinators share in a namespace: claims, each with a sign of life.

A claim is an annotation of one object that all of them know. So whoever claims something hears in
the same answer who else does, and whoever removes something says so first, which the server takes
only if nobody has claimed anything since he looked. (Leases would be an object for each claim:
whoever may write those of namespaces that do not exist yet may write every one on the cluster, and
with them take its nodes and controllers away.)
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from trialwatt.errors import TrialwattError
from trialwatt.platforms.kubernetes import waiting
from trialwatt.platforms.kubernetes.access import NOT_FOUND, Api, ApiFault, suppress_status
from trialwatt.platforms.kubernetes.owners import (
    SILENCE_S,
    is_here,
    lives,
    own_facts,
    owner_label,
)

DOMAIN = "claim.trialwatt/"
REMOVAL = "removal"
"""What one claims who removes things: what is claimed after it has to wait."""


@dataclass(frozen=True)
class Claim:
    """owner: label of a coordinator, who: its facts (see owners); what: it uses, a pod's name;
    since_s, beat_s: when it began, and its last sign of life (UTC by the server's clock)."""

    owner: str
    what: str
    who: Mapping
    since_s: float
    beat_s: float

    @property
    def key(self) -> str:
        return f"{DOMAIN}{self.owner}.{self.what}"

    @property
    def text(self) -> str:
        return json.dumps({"who": self.who, "since": self.since_s, "alive": self.beat_s})

    def lives(self, now_s: float) -> bool:
        """Of another machine's only its silence tells."""
        return lives(self.who) if is_here(self.who) else now_s - self.beat_s <= SILENCE_S


def claims_of(found: Mapping) -> list[Claim]:
    """The claims on an object; what is none of ours is left out."""
    read = []
    for key, text in (found["metadata"].get("annotations") or {}).items():
        owner, _, what = key.removeprefix(DOMAIN).partition(".")
        if not key.startswith(DOMAIN):
            continue
        try:
            said = json.loads(text)
            read.append(
                Claim(owner, what, dict(said["who"]), float(said["since"]), float(said["alive"]))
            )
        except (ValueError, TypeError, KeyError):
            continue
    return read


class Ledger:
    """The claims on what is shared in a namespace, and those of one coordinator among them.

    path: of the object that carries them all. who: the facts of the coordinator. Safe to use from
    two threads.
    """

    def __init__(self, api: Api, path: str, who: Mapping):
        self._api, self.path, self._who = api, path, who
        self.owner = owner_label(who)
        self._mine: dict[str, Claim] = {}

    def find(self) -> dict | None:
        """The object; None where there is none."""
        return self._api.find(self.path)

    def living(self, found: Mapping) -> list[Claim]:
        """The claims on the object, as it was found, of coordinators that live."""
        return [each for each in claims_of(found) if each.lives(self._api.utc())]

    def others(self, found: Mapping) -> list[Claim]:
        """What living coordinators but this one use."""
        return [
            each for each in self.living(found) if each.owner != self.owner and each.what != REMOVAL
        ]

    def take(self, what: str, make: Callable[[], None], patience_s: float) -> None:
        """Claim something, once nobody removes anything. make: have the object there.

        Raises TrialwattError where that lasts longer than patience_s.
        """
        deadline = time.monotonic() + patience_s
        while True:
            make()
            found: dict | None = None
            with suppress_status(NOT_FOUND):  # where it was removed just now
                found = self._put(self._claim(what))
            if found is not None and not self._is_going(found):
                return
            if time.monotonic() > deadline:
                why = waiting.what_holds(found) if found else "it is made and removed again"
                raise TrialwattError(
                    f"what coordinators share is still being removed after {patience_s:g} s: "
                    f"{why}. Look at it with `kubectl get --raw {self.path}`"
                )
            time.sleep(waiting.PERIOD_S)

    def beat(self) -> None:
        """This coordinator lives, and uses what it has claimed."""
        for what in list(self._mine):
            self._put(self._claim(what))

    def drop(self, what: str) -> None:
        self._annotate({self._mine.pop(what).key: None})

    @contextmanager
    def removing(self, found: Mapping) -> Iterator[bool]:
        """A time in which nobody else claims anything. Yields whether it was granted: it is not
        where the object has changed since it was found."""
        here, now_s = own_facts(), self._api.utc()
        mark = Claim(owner_label(here), REMOVAL, here, now_s, now_s)
        try:
            self._put(mark, found["metadata"].get("resourceVersion"))
            granted = True
        except ApiFault as fault:
            if fault.status not in (waiting.CONFLICT, NOT_FOUND):
                raise
            granted = False
        try:
            yield granted
        finally:
            self._annotate({mark.key: None})

    def forget_dead(self, found: Mapping) -> None:
        """Remove the claims of the dead."""
        now_s = self._api.utc()
        self._annotate({each.key: None for each in claims_of(found) if not each.lives(now_s)})

    def _is_going(self, found: Mapping) -> bool:
        this = owner_label(own_facts())
        removed = any(each.what == REMOVAL and each.owner != this for each in self.living(found))
        return removed or "deletionTimestamp" in found["metadata"]

    def _claim(self, what: str) -> Claim:
        now_s, before = self._api.utc(), self._mine.get(what)
        since_s = before.since_s if before else now_s
        self._mine[what] = Claim(self.owner, what, self._who, since_s, now_s)
        return self._mine[what]

    def _put(self, claim: Claim, version: str | None = None) -> dict:
        metadata: dict = {"annotations": {claim.key: claim.text}}
        if version:
            metadata["resourceVersion"] = version
        return self._api.patch(self.path, {"metadata": metadata})

    def _annotate(self, annotations: Mapping[str, str | None]) -> None:
        if annotations:
            with suppress_status(NOT_FOUND):
                self._api.patch(self.path, {"metadata": {"annotations": dict(annotations)}})
