"""Datasets, networks, and one trial: the work whose cost is measured."""

PACKAGES = ("torch", "numpy", "safetensors")
"""PyPI names of what every trial is made with: for their versions in run.json."""
TPU_PACKAGES = ("torch_tpu", "torch_xla")
"""What reaches a TPU, whichever of them is installed."""
