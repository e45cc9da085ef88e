"""Write the packages of this environment, and the hashes of their files, as locks beside this file.

requirements.lock: name==version of every package but the project itself, with the hashes of all
files for Python 3.11 that pip's index has of that version, so that it can be installed on another
kind of machine, and nothing but these files can be. torch-cpu.lock: the build of PyTorch for CPUs
alone, which on Linux is not on every index; install.sh takes it where pip finds it. cuda.lock: what
the other build needs beside.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import distributions, version
from pathlib import Path

import requests
from packaging.tags import Tag
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import InvalidVersion, Version
from pip._internal.models.index import PyPI  # its address, for who has configured no other

FOLDER = Path(__file__).parent
HEAD = "# Made by `make lock` from pyproject.toml; do not edit. Python 3.11."
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
LINUX = ' ; sys_platform == "linux"'


def pins() -> dict[str, str]:
    """Name → version, without what names the build ("+cpu")."""
    found = {canonicalize_name(dist.metadata["Name"]): dist.version for dist in distributions()}
    return {n: v.split("+")[0] for n, v in found.items() if n not in ("trialwatt", "pip")}


def index() -> str:
    """The address of pip's index."""
    asked = subprocess.run([*PIP, "config", "get", "global.index-url"], capture_output=True)
    return asked.stdout.decode().strip() or PyPI.simple_url


def report(*options: str) -> list[dict]:
    """What pip would install, as its report tells it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.json"
        dry = ["install", "--dry-run", "--ignore-installed", "--report", str(file)]
        subprocess.run([*PIP, *dry, *options], check=True)
        return json.loads(file.read_text())["install"]


def published(name: str, wanted: str, address: str) -> list[str]:
    """Hashes of the files of a version that the index has."""
    headers = {"Accept": "application/vnd.pypi.simple.v1+json"}
    answer = requests.get(f"{address.rstrip('/')}/{name}/", headers=headers, timeout=60)
    answer.raise_for_status()
    files = answer.json()["files"]
    of_version = [f for f in files if version_of(f["filename"]) == Version(wanted)]
    return [file["hashes"]["sha256"] for file in of_version]


def version_of(file: str) -> Version | None:
    """The version that a file's name tells; None for those that pip does not take here."""
    try:
        if file.endswith(".whl"):
            _, found, _, tags = parse_wheel_filename(file)
            return found if any(map(fits, tags)) else None
        return parse_sdist_filename(file)[1] if file.endswith((".tar.gz", ".zip")) else None
    except (InvalidVersion, ValueError):
        return None


def fits(tag: Tag) -> bool:
    """Whether a wheel is for Python 3.11, on whatever machine."""
    if tag.abi == "abi3":
        return tag.interpreter in {f"cp3{minor}" for minor in range(2, 12)}
    return tag.interpreter in ("py3", "py311", "cp311")


def hashes_of(pinned: Mapping[str, str], address: str) -> dict[str, set[str]]:
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda name: published(name, pinned[name], address), pinned)
        return {name: set(hashes) for name, hashes in zip(pinned, found, strict=True)}


def write(
    file: str, pinned: Mapping[str, str], hashes: Mapping[str, set[str]], where: str = ""
) -> None:
    """A lock: a package per entry, a hash per line. where: the marker of each."""
    lines = [HEAD]
    for name in sorted(pinned):
        told = [f"--hash=sha256:{each}" for each in sorted(hashes[name])]
        lines.append(" \\\n    ".join([f"{name}=={pinned[name]}{where}", *told]))
    (FOLDER / file).write_text("\n".join(lines) + "\n")


def main() -> None:
    pinned, address = pins(), index()
    hashes = hashes_of(pinned, address)
    torch = f"torch=={version('torch')}"
    (cpu,) = report("--no-deps", torch)
    cpu_hash = cpu["download_info"]["archive_info"]["hashes"]["sha256"]
    write("requirements.lock", pinned, hashes | {"torch": hashes["torch"] | {cpu_hash}})
    write("torch-cpu.lock", {"torch": version("torch")}, {"torch": {cpu_hash}}, LINUX)
    whole = report("--isolated", "--index-url", address, f"torch=={pinned['torch']}")
    more = {canonicalize_name(each["metadata"]["name"]): each["metadata"] for each in whole}
    beside = {name: found["version"] for name, found in more.items() if name not in pinned}
    write("cuda.lock", beside, hashes_of(beside, address), LINUX)


if __name__ == "__main__":
    main()
