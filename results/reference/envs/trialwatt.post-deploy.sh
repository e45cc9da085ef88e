#!/bin/sh
# Snakemake runs this in the new environment, from the folder of the workflow.
set -eu
envs/install.sh python
python -m pip install --quiet --no-deps --no-build-isolation --editable .
