"""A detached signature beside an archive, made and checked with the user's own SSH key.

`ssh-keygen -Y` (OpenSSH 8.2 and newer) does both; no key of ours, and no service, is involved. A
signature says who vouches for an archive. Checksums inside it cannot: whoever changes the content
makes them anew.
"""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.files import write_whole
from trialwatt.printable import shown

SUFFIX = ".sig"
NAMESPACE = "trialwatt"
"""What a signature is for: one of another purpose by the same key does not count."""
_PROGRAM = "ssh-keygen"
_MOST_BYTES = 1 << 16
_SECONDS = 60


@dataclass(frozen=True)
class Signed:
    """What came of checking a signature. said: a sentence; ok: it is of these bytes, and by one of
    the signers where those are known."""

    ok: bool
    said: str


def signature_of(file: Path) -> Path:
    """Where the signature of a file lies, if there is one."""
    return file.with_name(f"{file.name}{SUFFIX}")


def sign(file: Path, key: Path, target: Path) -> None:
    """Sign a file with a private key (or a public one whose private one the agent has), into
    `target`. Raises TrialwattError where it cannot be done; then nothing is written."""
    if not key.is_file():
        raise TrialwattError(f"{key}: there is no such key; `ssh-keygen -t ed25519` makes one")
    with file.open("rb") as content:
        done = _run(["-Y", "sign", "-f", str(key), "-n", NAMESPACE], content, seconds=None)
    if done.returncode:
        raise TrialwattError(f"{file}: not signed: {_why(done)}")
    write_whole(target, done.stdout)


def check(file: Path, signature: Path, signers: Path | None = None) -> Signed:
    """Check a signature of a file.

    signers: a file of allowed signers (ssh-keygen(1)): `name key` lines. Without it the signature
    is only held against the key that stands in it, which is named for the reader to compare.
    Raises TrialwattError where ssh-keygen or a file is missing.
    """
    for one in (signature, signers):
        if one is not None and not one.is_file():
            raise TrialwattError(f"{one}: there is no such file")
    if signature.stat().st_size > _MOST_BYTES:
        return Signed(False, f"{signature}: too large for a signature")
    shared = ["-n", NAMESPACE, "-s", str(signature)]
    if signers is None:
        with file.open("rb") as content:
            done = _run(["-Y", "check-novalidate", *shared], content)
        if done.returncode:
            return Signed(False, f"{signature}: no signature of {file.name}: {_why(done)}")
        by = shown(done.stdout.decode(errors="replace").strip(), 300).partition(" with ")[2]
        return Signed(
            True,
            f"signed by the holder of the {by}; whose key that is was not checked "
            "(--signers FILE does)",
        )
    with signature.open("rb") as content:
        asked = _run(["-Y", "find-principals", "-s", str(signature), "-f", str(signers)], content)
    names = asked.stdout.decode(errors="replace").split("\n")[0].strip()
    if asked.returncode or not names:
        return Signed(False, f"{signature}: by none of the signers in {signers}")
    name = names.split(",")[0]
    with file.open("rb") as content:
        done = _run(["-Y", "verify", "-f", str(signers), "-I", name, *shared], content)
    if done.returncode:
        return Signed(False, f"{signature}: no signature of {file.name}: {_why(done)}")
    return Signed(True, f"signed by {shown(name, 100)}, one of the signers in {signers}")


def _run(arguments: list[str], content, seconds: int | None = _SECONDS):
    """seconds: None where the user may be asked for a passphrase."""
    try:
        return subprocess.run(
            [_PROGRAM, *arguments], stdin=content, capture_output=True, check=False, timeout=seconds
        )
    except FileNotFoundError as error:
        raise TrialwattError(
            f"{_PROGRAM} is not installed, and signatures are made and checked with it; it comes "
            "with OpenSSH (Debian: openssh-client)"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise TrialwattError(f"{_PROGRAM} did not answer within {seconds} s") from error


def _why(done) -> str:
    said = done.stderr.decode(errors="replace").strip() or done.stdout.decode(errors="replace")
    return shown(said.strip().splitlines()[-1] if said.strip() else "it does not say why", 300)
