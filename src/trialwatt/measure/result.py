"""What was measured: of the whole block, and of each trial in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trialwatt.metrics.formulas import J_PER_KWH, ratio

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class TrialResult:
    """One trial. Times in seconds since the block began; energy is the part that was attributed
    to it (docs/measure.md), static by time and dynamic by CPU time.

    outcome: "completed", "pruned", "failed" or "running". waste: "failed", "pruned", "duplicate"
    or "" (docs/methodology, rule 7). cost: in the currency of the result. until_j: energy
    of the whole block until the trial ended. place: file and line that began it.
    """

    number: int
    phi: Any
    start_s: float
    end_s: float
    outcome: str
    waste: str
    score: float | None
    energy_j: float
    static_j: float
    cpu_s: float
    carbon_g: float
    cost: float
    until_j: float
    place: str

    @property
    def seconds(self) -> float:
        return self.end_s - self.start_s

    @property
    def energy_kwh(self) -> float:
        return self.energy_j / J_PER_KWH


@dataclass(frozen=True)
class Result:
    """What a block drew. energy_j = trials_j + idle_j exactly; other_j was drawn by others of the
    machine, or by cores that the script may not use, and is in none of them.

    method: how the energy is known: "counter", "polled", "modelled", or several joined by +.
    idle_j: of the block while it held no trial. wasted_j: of failed, pruned and duplicate trials.
    gap_share: part of the time whose readings are missing or not believed.
    foreign_share: part of the machine's CPU time that others used (docs/methodology, rule 12); NaN
    where that is not known. cores, memory_gb: what
    counts as reserved, by which static energy and cost are charged. sources: of coefficients,
    prices and intensity, with their days. notes: what a reader of the numbers should know.
    """

    seconds: float
    energy_j: float
    idle_j: float
    wasted_j: float
    other_j: float
    carbon_g: float
    cost: float
    currency: str
    cpu_s: float
    method: str
    meters: str
    domains: tuple[str, ...]
    samples: int
    gap_share: float
    foreign_share: float
    cores: float
    memory_gb: float
    region: str
    intensity_g_per_kwh: float
    pue: float
    sources: Mapping[str, Any]
    notes: tuple[str, ...]
    place: str
    trials: tuple[TrialResult, ...]

    @property
    def energy_kwh(self) -> float:
        return self.energy_j / J_PER_KWH

    @property
    def trials_j(self) -> float:
        return sum(trial.energy_j for trial in self.trials)

    def to_dict(self) -> dict[str, Any]:
        """Plain data: what JSON does not know in φ is its text, and NaN is null."""
        found = asdict(self) | {"energy_kwh": self.energy_kwh, "trials_j": self.trials_j}
        return json.loads(json.dumps(found, default=repr), parse_constant=lambda _: None)

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False) + "\n"

    def to_pandas(self) -> pd.DataFrame:
        """A row per trial; each hyperparameter is a column `phi.<name>`."""
        import pandas as pd

        rows = []
        for trial in self.trials:
            row = asdict(trial) | {"energy_kwh": trial.energy_kwh, "seconds": trial.seconds}
            phi = row.pop("phi")
            values = phi if isinstance(phi, Mapping) else {} if phi is None else {"": phi}
            rows.append(row | {f"phi.{name}".rstrip("."): value for name, value in values.items()})
        return pd.DataFrame(rows)

    def __str__(self) -> str:
        """One line: what it cost, and how that is known."""
        said = "modelled, not measured" if self.method == "modelled" else self.method
        parts = [
            f"{_short(self.energy_j)} J ({_short(self.energy_kwh)} kWh), "
            f"{_short(self.carbon_g)} gCO2eq ({self.region}), "
            f"{_short(self.cost)} {self.currency} in {_short(self.seconds)} s"
        ]
        if self.trials:
            wasted = f", {_share(self.wasted_j, self.energy_j)} wasted" if self.wasted_j else ""
            parts.append(
                f"{len(self.trials)} trial{'' if len(self.trials) == 1 else 's'} "
                f"{_share(self.trials_j, self.energy_j)}{wasted}, outside of them "
                f"{_share(self.idle_j, self.energy_j)}"
            )
        parts.append(f"energy: {said} ({self.meters}: {', '.join(self.domains)})")
        if self.notes:
            count = len(self.notes)
            parts.append(f"{count} note{'' if count == 1 else 's'}: {self.notes[0]}")
        return "trialwatt: " + "; ".join(parts)


def _short(number: float) -> str:
    """Three digits, without an exponent where that is readable."""
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def _share(part: float, whole: float) -> str:
    return f"{ratio(part, whole):.0%}"
