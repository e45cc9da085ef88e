"""What is said where a cluster refuses a pod, or makes another one of it: the cause is the
administrator's, and so is the remedy."""

from __future__ import annotations

import re

from trialwatt.platforms.kubernetes.manifests import QUOTA

NO_ROOM = re.compile(r"exceeded quota: (\S+),")
_REMEDIES = (
    (
        re.compile(f"exceeded quota: {QUOTA},"),
        "that quota is the run's own, of what it has asked for: the cluster gives this pod more, "
        "or adds more to it than to the hub, so have pods of trialwatt left out of what does it",
    ),
    (
        NO_ROOM,
        "that ResourceQuota has to have room for all pods of the largest run, with what the "
        "cluster adds to them",
    ),
    (
        re.compile(r"failed quota: .*must specify"),
        "the ResourceQuota wants an amount from every container: the ones that are named are not "
        "of trialwatt, so have what adds them give it, or a LimitRange with defaults",
    ),
    (
        re.compile(r"(minimum|maximum) \S+ usage per (Container|Pod)|limit to request ratio"),
        "a LimitRange of the namespace says so: change it, or keep workers.cpu, "
        "workers.memory_mb, the testbed's service and kubernetes.hub within it",
    ),
    (
        re.compile("violates PodSecurity"),
        'all that trialwatt asks for keeps to the level "restricted": a container of another '
        "name than main is added by the cluster, so have pods of trialwatt left out of what adds "
        "it",
    ),
    (
        re.compile("no PriorityClass with name"),
        "kubernetes.priority_class has to name one of `kubectl get priorityclasses`",
    ),
    (
        re.compile("admission webhook|ValidatingAdmissionPolicy"),
        "a policy of the cluster says so, and its administrator can make an exception for pods "
        "with the label app.kubernetes.io/managed-by=trialwatt",
    ),
)


def remedy_of(message: str) -> str:
    """What helps against a refusal with this message of the server's; empty where that is not
    known."""
    return next((remedy for sign, remedy in _REMEDIES if sign.search(message)), "")


def resized(what: str, how: str) -> str:
    """A sentence where a policy has changed the size of a component. how: what has become what."""
    return (
        f"{what} is not what the configuration says: a policy of the cluster changes what it is "
        f"given ({how}): have pods of trialwatt left out of it"
    )
