#!/bin/sh
# Install what the locks beside this file pin, each file by its hash: install.sh PYTHON [OPTION of pip]…
#
# PyTorch comes first, as its build for CPUs alone where pip finds that one. On Linux an index may
# have only the build with CUDA, which is some gigabytes with what it needs (cuda.lock); PyTorch's
# own index for CPUs has the other (its installation page says where): export PIP_EXTRA_INDEX_URL=…
set -eu
envs=$(dirname -- "$0")
python=$1
shift
pip() { "$python" -m pip "$@" --quiet --disable-pip-version-check; }
locked() { pip install --require-hashes --no-deps "$@"; }
beside="--requirement $envs/requirements.lock"
if ! said=$(locked "$@" --requirement "$envs/torch-cpu.lock" 2>&1); then
  echo "$said" | grep ERROR | tail -n 1 >&2
  echo "So PyTorch comes with CUDA, some gigabytes. For its build without, name an index that has" \
    "it: PIP_EXTRA_INDEX_URL" >&2
  beside="$beside --requirement $envs/cuda.lock"
fi
# shellcheck disable=SC2086 # two words
locked "$@" $beside
"$python" -m pip check --disable-pip-version-check  # the locks are complete: nothing else is needed
