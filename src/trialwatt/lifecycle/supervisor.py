"""The processes of one run, as the coordinator sees them: started, told, watched, replaced."""

from __future__ import annotations

import queue
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from trialwatt.clock import Stamp, now
from trialwatt.credentials import redacted
from trialwatt.errors import TrialwattError
from trialwatt.lifecycle.evidence import RunFailed, is_of_the_place, is_of_the_treatment
from trialwatt.lifecycle.inventory import Inventory
from trialwatt.lifecycle.jobs import JOB_FILE, as_seen, environment
from trialwatt.lifecycle.script import Interrupted, workflow_is_gone
from trialwatt.lifecycle.spending import Spending, tell
from trialwatt.lifecycle.trials import CPU_BASE, weights_name
from trialwatt.meters.sampler import Sampler
from trialwatt.platforms.base import (
    Disturbance,
    Ending,
    Handle,
    Message,
    Platform,
    Role,
    Usage,
    tail_of,
)
from trialwatt.records.disturbed import DISTURBANCE
from trialwatt.records.writer import EventWriter, Progress, progress
from trialwatt.suts.base import SPENT_FILE, Infeasible, Job


class DeadlineReached(Exception):
    """The workload's deadline_s is over."""


MAX_START_FAILURES = 2
"""A component that fails to start so often ends the run: as infeasible where each of its endings
was the treatment's (trialwatt.lifecycle.evidence), else as failed."""


TOLD_REASONS = ("memory", "deadline")
"""What is told of the end of a trial that did not end by itself; any other is "lost"."""


@dataclass
class Member:
    """One component and what is known of it."""

    role: Role
    handle: Handle
    done: set[str] = field(default_factory=set)  # steps that it has finished
    answers: dict[str, dict] = field(default_factory=dict)  # its last answer to each step
    start_failures: int = 0
    losses: int = 0  # times that it died while it held the trials step
    unexplained: int = 0  # of all these endings, those that are not the treatment's
    cpu_base_ns: int = 0  # CPU time of the processes that it replaced
    lost: list[int] = field(default_factory=list)  # numbers of trials that died with them
    restarted: tuple[Stamp, str] | None = None  # since when it is being replaced, and why
    joined: bool = False  # confirmed by the leading role
    oom_kills: int = 0  # processes of it that were killed for memory, as far as accounted for
    retired: bool = False  # its process is gone, and its last usage on record

    @property
    def ready(self) -> bool:
        return "deploy" in self.done or not self.role.speaks


class Supervisor:
    """Starts the roles of a run and drives them through the steps."""

    def __init__(
        self,
        job: Job,
        platform: Platform,
        sampler: Sampler,
        events: EventWriter,
        deadline_mono: float,
        inventory: Inventory,
    ):
        """job: as this process sees it. inventory: is told what the components say of theirs."""
        self._inventory = inventory
        self.spending: Spending | None = None
        self.ended_by = ""  # the limit of the budget that ended the search
        self._job, self._platform, self._sampler = job, platform, sampler
        self._seen = as_seen(job, platform)
        self._events, self._deadline = events, deadline_mono
        self.members: dict[str, Member] = {}
        self._step = "deploy"
        self._closed: set[str] = set()  # trials whose end the harness has written
        self._unbegun = 0  # trials that were lost before they wrote anything
        self.unbegun_for_memory = False  # whether for memory, of one of them at least
        self._notes: list[dict] = []  # what the workers noted for the leading role

    # --- the steps ----------------------------------------------------------------------------

    def deploy(self, roles: list[Role]) -> None:
        """Start all roles; returns when each speaking one can take a message."""
        self._step = "deploy"
        self._deploy_by = time.monotonic() + self._platform.deploy_s
        for role in roles:
            member = self.members[role.component] = Member(role, self._start(role))
            if role.confirmed:
                self._confirm(member)
        self._wait(lambda: all(member.ready for member in self.members.values()))

    def collect(self) -> dict | None:
        """Have the leading role name the best trial; None where no trial completed."""
        answer = self.ask_lead("collect", lost=self._lost_numbers, notes=self._notes)
        started = self._started_numbers()
        for number in answer["unended"]:
            if number not in started:
                self._note(f"trial {number} never began: its worker was lost")
        return answer["best"]

    def ask_lead(self, step: str, *, gives: tuple[str, ...] = (), **keys) -> dict:
        """Have the leading role do a step; another takes over if it dies. Returns its answer.

        gives: files of the run's folder that it needs, by their names there.
        """
        self._step = step
        for _ in range(MAX_START_FAILURES):
            lead = self.lead()
            self._wait(lambda lead=lead: lead.ready)
            handle = lead.handle
            for name in gives:
                handle.give(name)
            handle.send({"do": step} | keys)
            self._wait(lambda m=lead, h=handle: step in m.done or m.handle is not h)
            if step in lead.done:
                return lead.answers[step]
        raise _verdict(
            self.members.values(),
            f"{step}: the process that did it was lost {MAX_START_FAILURES} times",
        )

    def run_trials(self) -> None:
        """Have all workers work until the budget is spent; lost ones are replaced."""
        self._step = "trials"
        speaking = [m for m in self.members.values() if m.role.speaks]
        working = [m for m in speaking if m.role.name == "driver"] or [
            m for m in speaking if m.role.kind == "worker"
        ]
        for member in working:
            self._send_trials(member)
        self._wait(lambda: all("trials" in member.done for member in working))

    def lead(self) -> Member:
        """The driver where the SUT has one, else the first living worker."""
        speaking = [m for m in self.members.values() if m.role.speaks]
        drivers = [m for m in speaking if m.role.name == "driver"]
        alive = [m for m in (drivers or speaking) if m.handle.alive]
        return (alive or drivers or speaking)[0]

    def fetch_weights(self, number: int) -> tuple[str, Path]:
        """Fetch what was kept of the trial with this number; its id and the file, here.

        Raises RunFailed where no worker has it.
        """
        missing = []
        for component, member in self.members.items():
            for event in self._progress(component).started:
                if event["number"] == number:
                    name = weights_name(self._job, event["trial"])
                    try:
                        member.handle.fetch(name)
                    except TrialwattError as error:
                        missing.append(str(error))  # another may have repeated the trial
                    else:
                        return event["trial"], self._job.path(name)
        raise RunFailed(
            f"{self._job.config.sut} names trial {number} as its best, but no worker kept its "
            f"weights: {'; '.join(missing) or 'nobody ran it'}"
        )

    def trial_of(self, number: int) -> str:
        """The id of the completed trial with this number. Raises RunFailed where there is none."""
        for component in self.members:
            state = self._progress(component)
            completed = {end["trial"] for end in state.ended if end["outcome"] == "completed"}
            for event in state.started:
                if event["number"] == number and event["trial"] in completed:
                    return event["trial"]
        raise RunFailed(
            f"{self._job.config.sut} names trial {number} as its best, which did not complete"
        )

    def _started_numbers(self) -> set[int]:
        """Framework numbers of the trials that began."""
        states = map(self._progress, self.members)
        return {event["number"] for state in states for event in state.started}

    @property
    def _lost_numbers(self) -> list[int]:
        """Framework numbers of the trials whose worker died."""
        return [number for member in self.members.values() for number in member.lost]

    def stop(self, grace_s: float) -> None:
        """End every component and record its last usage; workers first, services last."""
        self._step = "undeploy"
        for member in self.members.values():
            member.handle.send({"do": "end"})
        for member in reversed(self.members.values()):
            self._retire(member, Ending(0, ""), grace_s)

    def close_open_trials(self, reason: str) -> None:
        """Write the end of trials that will never write it themselves."""
        for component in self.members:
            state = self._progress(component)
            for start in state.unfinished:
                self._close_trial(start, state, component, reason, "the run ended while it ran")

    # --- messages and endings -----------------------------------------------------------------

    def _wait(self, until) -> None:
        while not until():
            self._sampler.check()
            if workflow_is_gone():
                raise Interrupted(signal.SIGTERM)
            remaining = self._deadline - time.monotonic()
            if remaining <= 0:
                raise DeadlineReached(
                    f"deadline_s = {self._job.workload.deadline_s:g} is over in step {self._step}"
                )
            if self._step == "deploy" and time.monotonic() > self._deploy_by:
                raise RunFailed(self._what_hangs())
            self.record_disturbances()
            wait_s = min(remaining, 1.0)
            if self._step == "trials" and self.spending and not self.ended_by:
                self._look_at_the_budget(self.spending)
                wait_s = min(wait_s, self.spending.wait_s)
            try:
                message = self._platform.inbox.get(timeout=wait_s)
            except queue.Empty:
                continue
            self._take(message)

    def _what_hangs(self) -> str:
        """Who is not there when deploy should be over, with their last words."""
        waiting = [m for m in self.members.values() if not (m.ready and self._joined(m))]
        said = []
        for member in [*waiting, self.lead()]:
            log = self._job.path("logs", f"{member.role.component}.log")
            words = [line for line in (tail_of(log) if log.exists() else []) if line.strip()]
            said.append(f"{member.role.component}: {words[-1] if words else 'it wrote nothing'}")
        return "\n".join(
            [
                f"deploy is not over after {self._platform.deploy_s:g} s: "
                f"{', '.join(m.role.component for m in waiting) or 'a component'} is not there; "
                "the last lines:",
                *dict.fromkeys(said),
            ]
        )

    def _joined(self, member: Member) -> bool:
        return member.joined or not member.role.confirmed

    def record_disturbances(self) -> None:
        """Write down what has held the run up, and say it."""
        for each in self._platform.disturbances():
            self._disturbed(each)

    def _disturbed(self, each: Disturbance) -> None:
        self._events.write(
            DISTURBANCE,
            at=each.since,
            what=each.what,
            seconds=round(each.seconds, 3),
            text=each.text,
            waited=each.waited,
        )
        said = f"disturbed for {each.seconds:.0f} s in step {self._step}: {each.text}"
        print(redacted(said), file=sys.stderr, flush=True)

    def _look_at_the_budget(self, spending: Spending) -> None:
        reached = spending.reached()
        if reached is None:
            return
        budget = self._job.workload.search.spends
        assert budget, "else nothing would be looked at"
        self.ended_by = reached.limit
        tell(self._job, reached, budget)
        for member in self.members.values():
            if member.handle.alive:
                member.handle.give(SPENT_FILE)
        self._events.write("spent", limit=reached.limit, amount=reached.amount, of=reached.of)
        self._note(f"{reached.said(budget)} ({reached.methods or 'counted'}); no trial starts")

    def _take(self, message: Message) -> None:
        member = self.members.get(message.component)
        if member is None:
            return
        if message.ending is not None:
            if not member.handle.alive:  # else: the ending of a process that it has replaced
                self._ended(member, message.ending)
        elif "infeasible" in message.body:
            raise Infeasible(message.body["infeasible"])
        elif "lost" in message.body:
            self._lost(message.body["lost"], self._here(message.component, message.body["at"]))
        elif "note" in message.body:
            self._notes.append(message.body["note"])
        elif "failed" in message.body:
            raise RunFailed(
                f"{message.component} failed in step {message.body['failed']}: "
                f"{message.body['error']}"
            )
        else:
            step = message.body["done"]
            if step == "deploy":
                self._inventory.take(message.component, message.body.get("here"))
            member.done.add(step)
            member.answers[step] = message.body
            if step == "deploy":
                self._component(member.role, "ready")
                self._back(member)
                if self._step == "trials":
                    self._send_trials(member)

    def _ended(self, member: Member, ending: Ending) -> None:
        """A component is gone before its time: record it, replace it, or give up."""
        component, why = member.role.component, _why(ending)
        began = now()
        if is_of_the_place(ending):
            self._disturbed(Disturbance("lost", began, 0, f"{component}: {why}", component))
        if member.role.kind == "service" or is_of_the_place(ending):
            raise RunFailed(f"{component} ended in step {self._step}: {why}\n{ending.tail}")
        is_own_fault = is_of_the_treatment(ending, _was_killed_for_memory(member))
        member.unexplained += not is_own_fault
        if not member.ready or (member.role.confirmed and not member.joined):
            member.start_failures += 1
            if member.start_failures >= MAX_START_FAILURES:
                times = f"failed to start {MAX_START_FAILURES} times"
                raise _verdict([member], f"{component} {times}: {why}\n{ending.tail}")
        else:
            member.losses += 1
            if not member.role.speaks and member.losses >= MAX_START_FAILURES:
                times = f"died {member.losses} times"
                raise _verdict([member], f"{component} {times}: {why}\n{ending.tail}")
        self._retire(member, ending, grace_s=1.0)
        state = self._progress(component)
        for start in state.unfinished:
            if start["trial"] not in self._closed:
                member.lost.append(start["number"])
            detail = f"{component} was lost while it ran the trial: {why}"
            self._close_trial(start, state, component, ending.reason or "lost", detail)
        self._give_up_where_no_trial_completes(why)
        self._note(f"{component} ended in step {self._step} ({why}) and is replaced")
        member.done.clear()
        member.joined, member.oom_kills = False, 0
        member.handle = self._start(member.role, member.cpu_base_ns)
        member.retired = False
        if not is_own_fault:
            member.restarted = began, f"{component} ended ({why}) and was replaced"
        self._back(member)

    def _back(self, member: Member) -> None:
        """Where a component that was replaced is there again, say for how long it was not."""
        if member.restarted and member.ready:
            (since, text), member.restarted = member.restarted, None
            seconds = (now().mono_ns - since.mono_ns) / 1e9
            waited = member.role.component
            self._disturbed(Disturbance("restart", since, seconds, text, waited))

    def _confirm(self, member: Member) -> None:
        """Have the leading role say that it has joined; a second start is tried if it dies."""
        lead, step = self.lead(), f"confirm {member.role.component}"
        self._wait(lambda: lead.ready)
        component = member.role.component
        host = self._platform.host(component)
        lead.handle.send({"do": "confirm", "component": component, "host": host})
        self._wait(lambda: step in lead.done)
        member.joined = True

    def _here(self, component: str, stamp: list[int]) -> Stamp:
        """What a component says of a moment, on the clock of here."""
        offset_ns = self._platform.clock_offsets_ns().get(component, 0)
        utc_ns, mono_ns = stamp
        return Stamp(utc_ns, mono_ns + offset_ns)

    def _lost(self, number: int, at: Stamp) -> None:
        """The framework says that a trial's process died, though its worker lives.

        at: when it said so, which is before it gave the worker another trial.
        """
        states = {component: self._progress(component) for component in self.members}
        for component, state in states.items():
            member = self.members[component]
            # Not only the last one: by now the worker's next trial may have begun.
            for start in state.unfinished:
                if start["number"] == number and start["trial"] not in self._closed:
                    reason = "memory" if _was_killed_for_memory(member) else "lost"
                    detail = _how_lost(member, reason)
                    counter = _cpu_until_next(start, state, member)
                    self._close_trial(start, state, component, reason, detail, at, counter)
        started = [start["number"] for state in states.values() for start in state.started]
        if number not in started:
            self._never_began(number, none_did=not started)

    def _never_began(self, number: int, none_did: bool) -> None:
        """A trial's process died before it could write that it had started."""
        workers = [m for m in self.members.values() if m.role.kind == "worker"]
        memory = [_was_killed_for_memory(worker) for worker in workers]
        self._unbegun += 1
        self.unbegun_for_memory |= any(memory)
        why = "a process was killed for memory" if any(memory) else "its process died"
        self._note(f"trial {number} never began: {why}")
        if none_did and self._unbegun >= MAX_START_FAILURES * len(workers):
            verdict = Infeasible if self.unbegun_for_memory else RunFailed
            raise verdict(f"no trial begins: {self._unbegun} were lost, the last one: {why}")

    def _give_up_where_no_trial_completes(self, why: str) -> None:
        workers = [m for m in self.members.values() if m.role.kind == "worker"]
        if any(worker.losses < 2 for worker in workers):
            return
        if not any(self._progress(w.role.component).completed for w in workers):
            raise _verdict(
                workers, f"no trial completes: every worker was lost twice, the last one: {why}"
            )

    # --- starting and retiring ----------------------------------------------------------------

    def _start(self, role: Role, cpu_base_ns: int = 0) -> Handle:
        variables = {
            **environment(self._seen),
            "TRIALWATT_INDEX": str(role.index),
            CPU_BASE: str(cpu_base_ns),
        }
        role = replace(
            role,
            environment=variables | dict(role.environment),
            accelerator=self._job.workload.workers.accelerator,
        )
        devices = {"devices": list(held)} if (held := self._platform.devices(role)) else {}
        self._component(role, "start", cpu=role.cpu, memory_mb=role.memory_mb, **devices)
        try:
            handle = self._platform.start(role)
            handle.give(JOB_FILE)
            if self.ended_by:
                handle.give(SPENT_FILE)
        except TrialwattError as error:
            raise RunFailed(str(error)) from error
        self._sampler.watch(role.component, lambda: _add(handle.usage(), cpu_base_ns))
        return handle

    def _retire(self, member: Member, ending: Ending, grace_s: float) -> None:
        if member.retired:  # it was lost, and the run gave up on it
            return
        member.retired = True
        final = _add(member.handle.stop(grace_s), member.cpu_base_ns)
        member.cpu_base_ns = final.cpu_ns
        self._sampler.unwatch(member.role.component, final)
        self._component(
            member.role,
            "end",
            code=ending.code,
            reason=ending.reason,
            cpu_ns=final.cpu_ns,
            peak_memory_bytes=final.peak_memory_bytes,
        )

    def _send_trials(self, member: Member) -> None:
        started = [event["number"] for event in self._progress(member.role.component).started]
        member.handle.send({"do": "trials", "started": started, "lost": member.lost})

    def _progress(self, component: str) -> Progress:
        return progress(self._job.path(), component)

    # --- records ------------------------------------------------------------------------------

    def _component(self, role: Role, status: str, **keys) -> None:
        self._events.write(
            "component",
            component=role.component,
            role=role.name,
            type=role.kind,
            status=status,
            **keys,
        )

    def _close_trial(
        self,
        start: dict,
        state: Progress,
        component: str,
        reason: str,
        detail: str,
        at: Stamp | None = None,
        cpu_ns: int = 0,
    ) -> None:
        if start["trial"] in self._closed:
            return
        self._closed.add(start["trial"])
        self._events.write(
            "trial",
            at=at,
            trial=start["trial"],
            status="end",
            cpu_ns=cpu_ns or max(state.cpu_ns, self.members[component].cpu_base_ns),
            outcome="failed",
            reason=reason if reason in TOLD_REASONS else "lost",
            detail=detail,
            scores={},
            epochs=0,
        )

    def _note(self, text: str) -> None:
        self._events.write("note", text=text)


def _was_killed_for_memory(member: Member) -> bool:
    """Whether a process of it was, since this was last asked."""
    before, member.oom_kills = member.oom_kills, member.handle.oom_kills()
    return member.oom_kills > before


def _how_lost(member: Member, reason: str) -> str:
    """What became of a trial that the framework says is lost."""
    component = member.role.component
    if not member.handle.alive:
        return f"{component} was lost while it ran the trial"
    how = "was killed for memory" if reason == "memory" else "died"
    return f"the trial's process {how}; {component} lives on"


def _cpu_until_next(start: dict, state: Progress, member: Member) -> int:
    """A living worker's counter where one of its trials died: what it says now, but no more than
    it said at the start of the trial after it."""
    after = [each for each in state.started if each["m"] > start["m"]]
    later = [each["cpu_ns"] for each in after if "cpu_ns" in each]
    return min([member.handle.usage().cpu_ns + member.cpu_base_ns, *later])


def _add(usage: Usage, base_ns: int) -> Usage:
    return replace(usage, cpu_ns=usage.cpu_ns + base_ns)


def _verdict(members: Iterable[Member], said: str) -> Exception:
    """What these members' endings make of the run: infeasible where all are the treatment's."""
    return (RunFailed if any(member.unexplained for member in members) else Infeasible)(said)


def _why(ending: Ending) -> str:
    if ending.reason == "memory":
        return "killed for memory"
    return f"{ending.reason or 'ended'}, exit code {ending.code}"
