"""The experiment description: models, validation, expansion into runs."""

from trialwatt.config.plan import Plan, PlannedExperiment, PlannedRun
from trialwatt.config.planner import load_plan

__all__ = ["Plan", "PlannedExperiment", "PlannedRun", "load_plan"]
