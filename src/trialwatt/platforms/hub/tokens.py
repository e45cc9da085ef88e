"""Who speaks to a hub: the coordinator, and each life of a component, by a token of its own.

A token names its holder and is signed with the hub's key, which nobody has but the hub and the
coordinator that made it. So one token opens what is its holder's, and shows no other one.
"""

from __future__ import annotations

import hashlib
import hmac

KEY = "TRIALWATT_HUB_KEY"
"""Environment variable of a hub: what it knows tokens by."""
COORDINATOR = "coordinator"
"""The holder that may do everything. No life has its name: those end with a number."""


def token_of(key: str, holder: str) -> str:
    """The token of the coordinator, or of a life of a component ("worker-0-1")."""
    return f"{holder}.{hmac.new(key.encode(), holder.encode(), hashlib.sha256).hexdigest()}"


def holder_of(key: str, token: str) -> str | None:
    """Whose token it is; None where it is none of this key."""
    holder = token.rpartition(".")[0]
    known = hmac.compare_digest(token_of(key, holder).encode(), token.encode())
    return holder if known and holder else None


def component_of(life: str) -> str:
    """The component whose life it is; empty where it is no life (the coordinator's)."""
    return life.rpartition("-")[0]
