"""Copies of the project in folders of their own, and Snakemake in them, as a user calls it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from trialwatt.review.tree import PROJECT, WORKFLOW

ROOT = Path(__file__).resolve().parents[1]


ONE_JOB = """
testbed: local
experiments: [baseline]
base: digits-ff
suts: [plain]
repetitions: 1
"""
"""A config.yaml."""


def copied(folder: Path, settings: str) -> Path:
    """The project without results, with this config.yaml, in that folder."""
    folder.mkdir(exist_ok=True)
    for name in (*WORKFLOW, PROJECT, "config", "paper"):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (folder / "config" / "config.yaml").write_text(settings)
    return folder


def start(project: Path, *arguments: str, profile: str = "local") -> subprocess.Popen:
    program = Path(sys.executable).parent / "snakemake"
    return subprocess.Popen(
        [program, "--profile", profile, *arguments],
        cwd=project,
        env=os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def snakemake(project: Path, *arguments: str, profile: str = "local") -> tuple[int, str]:
    """The exit code, and what it said."""
    process = start(project, *arguments, profile=profile)
    said, _ = process.communicate(timeout=1200)
    return process.returncode, said
