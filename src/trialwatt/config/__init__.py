"""The experiment description: models, validation, expansion into runs.

Nothing is imported here: a process per trial imports the models, and must not pay for the planner.
"""
