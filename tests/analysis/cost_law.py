"""Jobs of a framework whose cost is a law that is known."""

import numpy as np
import pandas as pd

CORNERS = [(6, 1), (24, 1), (6, 5)]
WATT, EPOCH_S, START_S, WORKERS = 8.0, 2.0, 0.5, 2
"""Of the control: what a trial draws while it lasts, and how long it does."""


def simulated(
    job=40.0, trial=3.0, report=0.5, blocks=5, noise=0.0, corners=CORNERS, reporting=((6, 5),)
) -> pd.DataFrame:
    """Runs of plain and of a framework that adds these joules; blocks differ by their own."""
    rng, rows = np.random.default_rng(3), []
    cells = [("plain", *c, "none") for c in corners] + [("fw", *c, "none") for c in corners]
    cells += [("fw", *c, "threshold") for c in reporting]
    for block in range(1, blocks + 1):
        drift = rng.normal(1, 0.1)
        for sut, budget, epochs, pruner in cells:
            lasts = budget * (START_S + EPOCH_S * epochs)
            reports = budget * epochs if pruner != "none" else 0
            joules = 20 * drift + WATT * lasts + rng.normal(0, noise)
            if sut == "fw":
                joules += job + trial * budget + report * reports
            rows.append(
                {
                    **{"sut": sut, "is_control": sut == "plain", "testbed": "here"},
                    **{"hash": f"{sut}{budget}{epochs}{pruner}", "block": block},
                    **{"status": "completed", "budget": budget, "epochs": epochs},
                    **{"sampler": "random", "pruner": pruner, "wn": WORKERS, "space": "{}"},
                    **{"trials_started": budget, "reports": reports, "trials_pruned": 0},
                    **{"job_energy_kwh": joules / 3.6e6, "jct_ms": joules, "oc": joules / 1e6},
                    **{"trials_energy_kwh": WATT * lasts / 3.6e6, "trials_time_ms": lasts * 1e3},
                    "trials_cost": lasts / 1e6,
                    **{"energy_method": "modelled", "currency": "USD", "flags": ""},
                    **{"experiment": "cost", "varied": "search.budget, epochs"},
                    **{"treatment": f"search.budget={budget}, epochs={epochs}"},
                    **{"treatment_value": np.nan, "repetition": block, "pS": None},
                    **{"is_baseline": (budget, epochs) == corners[0], "cpu_physical": 0.5},
                    "folder": f"runs/here/{sut}-{budget}-{epochs}-{pruner}/rep{block}",
                }
            )
    return pd.DataFrame(rows)
