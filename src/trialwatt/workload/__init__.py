"""Datasets, networks, and one trial: the work whose cost is measured."""
