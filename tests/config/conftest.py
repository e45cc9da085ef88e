"""A small project on disk, with SUTs and a platform of another package, found by entry point."""

import textwrap
from pathlib import Path

import pytest
import yaml

OPTIONS = """
    import os

    from trialwatt.config.models import Model, Options

    class Door(Model):
        code: int = 0

    class Rack(Options):
        access = frozenset({"address"})
        address: str
        row: str = "a"
        doors: list[Door] = []

        def problems(self, testbed):
            found = []
            if " " in self.address:
                found.append(("address", f"must be one word (got '{self.address}')"))
            if testbed.platform != "bench":
                found.append(("", "only bench has racks"))
            return found

        def completed(self):
            address = os.environ.get("RACK")
            return self.model_copy(update={"address": address}) if address else self

    class Quota(Options):
        trials: int
"""
SUTS = """
    from other_options import Quota, Rack
    from trialwatt.platforms.base import PlatformKind
    from trialwatt.suts.base import Sut
    from trialwatt.suts.strategies import Strategy

    PLAIN = Strategy(make=print)

    class Alpha(Sut):
        name = "alpha"
        is_control = True
        samplers = {"grid": PLAIN, "random": PLAIN}
        pruners = {"none": PLAIN, "median": PLAIN}

        def work(self, job, index, trials): ...
        def best(self, job): ...

        @classmethod
        def testbed_problems(cls, testbed):
            quota = testbed.options(Quota)
            if quota and quota.trials < 4:
                return [("quota.trials", "a search needs four trials")]
            return []

    class Beta(Alpha):
        name = "beta"
        is_control = False
        samplers = {"random": PLAIN, "tpe": PLAIN}

    class Gamma(Alpha):
        name = "gamma"
        is_control = False
        samplers = {
            "grid": PLAIN,
            "random": PLAIN,
            "gp": Strategy(make=print, needs=("pyyaml", "no-such-package", "nor-this-one")),
            "tpe": Strategy(make=print, excludes=("asha",)),
        }
        pruners = {
            "none": PLAIN,
            "asha": PLAIN,
            "pbt": Strategy(make=print, excludes=("grid", "tpe")),
            "halting": Strategy(make=print, pauses=True),
        }

        @classmethod
        def search_problems(cls, workload):
            return [
                (f"search.sampler_options.{key}", f"no option {key}")
                for key in workload.search.sampler_options
            ] + [(f"space.{key}", "too long") for key in workload.space if len(key) > 5]

    class Absent(Alpha):
        name = "absent"

        @classmethod
        def available(cls):
            return "java is not installed: install Java 17"

    class Bench(PlatformKind):
        @classmethod
        def problems(cls, testbed, roles):
            if testbed.enforcement == "soft":
                return ["soft limits cannot be had here"]
            rack = testbed.options(Rack)
            if rack and rack.row == "c":
                return [f"row c of {rack.address} has no power"]
            cpu = sum(role.cpu for role in roles)
            if cpu > 2 and not testbed.allow_oversubscription:
                return [f"{cpu:g} cores are asked for, the machine has 2: lower workers.count"]
            return []

        @classmethod
        def accelerator_problem(cls, testbed, accelerator):
            return "there is no tpu here" if accelerator == "tpu" else ""

    class Afar(Bench):
        remote = True
"""
ENTRY_POINTS = """
    [trialwatt.suts]
    alpha = other_suts:Alpha
    beta = other_suts:Beta
    gamma = other_suts:Gamma
    absent = other_suts:Absent
    broken = no_such_module:Broken

    [trialwatt.platforms]
    bench = other_suts:Bench
    afar = other_suts:Afar

    [trialwatt.options]
    rack = other_options:Rack
    quota = other_options:Quota
    lost = no_such_module:Lost
"""
FILES = {
    "config.yaml": {
        "testbed": "bench",
        "experiments": ["baseline", "r-node"],
        "repetitions": 2,
    },
    "experiments/baseline.yaml": {"title": "Baseline", "base": "small", "suts": ["alpha"]},
    "experiments/r-node.yaml": {
        "title": "R-Node",
        "base": "small",
        "vary": {"workers.count": [1, 2]},
        "suts": ["alpha"],
    },
    "workloads/small.yaml": {"dataset": "digits", "space": "four", "workers": {"count": 2}},
    "spaces/four.yaml": {
        "lr": {"choices": [0.001, 0.01]},
        "decay": {"choices": [0.0]},
        "ls": {"choices": [8, 16]},
        "ln": {"choices": [1]},
    },
    "spaces/spot.yaml": {
        "lr": {"choices": [0.001]},
        "decay": {"choices": [0.0]},
        "ls": {"choices": [8]},
        "ln": {"choices": [1]},
    },
    "testbeds/bench.yaml": {"platform": "bench", "cpu_per_vcpu": 0.25, "meters": ["model"]},
    "prices.yaml": {
        "sets": {
            "gcp-n2": {"per_vcpu_h": 0.03, "per_gb_h": 0.004, "date": "2026-01-01", "source": "x"}
        }
    },
    "carbon.yaml": {
        "regions": {
            "world": {
                "intensity_g_per_kwh": 475,
                "year": 2018,
                "date": "2026-01-01",
                "source": "x",
            }
        }
    },
    "power.yaml": {
        "models": {
            "gcp-median": {
                "min_w": 0.68,
                "max_w": 4.11,
                "memory_w_per_gb": 0.392,
                "included_gb_per_vcpu": 4,
                "date": "2026-01-01",
                "source": "x",
            }
        }
    },
}


class Project:
    """config/ below a folder; `edit` changes one key of one file."""

    def __init__(self, root: Path):
        self.root = root
        for name, data in FILES.items():
            self.write(name, data)

    def write(self, name: str, data) -> None:
        path = self.root / "config" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False))

    def read(self, name: str):
        return yaml.safe_load((self.root / "config" / name).read_text())

    def edit(self, name: str, *path, to) -> None:
        """Set the key at `path`; `to` None deletes it."""
        data = self.read(name)
        inner = data
        for part in path[:-1]:
            inner = inner.setdefault(part, {}) if isinstance(inner, dict) else inner[part]
        if to is None:
            del inner[path[-1]]
        else:
            inner[path[-1]] = to
        self.write(name, data)

    @property
    def files(self) -> list[Path]:
        return [self.root / "config/config.yaml"]

    def plan(self, *more: Path, **keys):
        from trialwatt.config.files import plan_of_files

        return plan_of_files(more, root=self.root, **keys)


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    site = tmp_path / "site"
    info = site / "other_suts-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-suts\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(textwrap.dedent(ENTRY_POINTS))
    (site / "other_suts.py").write_text(textwrap.dedent(SUTS))
    (site / "other_options.py").write_text(textwrap.dedent(OPTIONS))
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delenv("TRIALWATT_DATA", raising=False)
    root = tmp_path / "project"
    root.mkdir()
    return Project(root)
