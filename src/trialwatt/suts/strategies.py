"""A sampler or pruner as a framework offers it: how it is made and what it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trialwatt.config.models import Search


@dataclass(frozen=True)
class Strategy:
    """One entry of a SUT's `samplers` or `pruners`; the key is the common name.

    make: what the SUT's module calls to build it; its arguments are the SUT's own business.
    needs: packages (PyPI names) without which it cannot be made.
    native: the framework's own name of it, as the matrix shows it.
    note: what a reader should know, in one sentence.
    excludes: common names of the other kind (pruners of a sampler, samplers of a pruner) that it
    cannot be combined with.
    defaults: options that are set unless the configuration sets them.
    pauses: whether it pauses trials and goes on with them, maybe on another worker.
    """

    make: Callable[..., Any]
    needs: tuple[str, ...] = ()
    native: str = ""
    note: str = ""
    excludes: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    pauses: bool = False

    def missing(self) -> list[str]:
        """The needed packages that are not installed."""
        return [name for name in self.needs if not installed(name)]

    def made(self, *arguments: Any, given: Mapping[str, Any]) -> Any:
        """What it makes of the SUT's arguments, and its options after them."""
        return self.make(*arguments, self.options(given))

    def options(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Its defaults, replaced by what the configuration gives."""
        return {**self.defaults, **given}


def options_refused(search: Search, why: str) -> list[tuple[str, str]]:
    """(dotted key of the workload, why) of every option of a strategy that is given."""
    return [
        (f"search.{key}.{name}", why)
        for key in ("sampler_options", "pruner_options")
        for name in getattr(search, key)
    ]


def installed(package: str) -> str:
    """The installed version of a package; empty where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
