"""A platform whose components share no address, no files and no /tmp, though they are here.

Each has a loopback address of its own, and a mount namespace in which the run's folder and /tmp
are its own. What passes between them and the coordinator is what a remote platform would carry:
messages, record lines, and the files that are given and fetched.
"""

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from trialwatt.errors import TrialwattError
from trialwatt.platforms.base import Handle, Role, resolved
from trialwatt.platforms.local import LocalPlatform

ENTER = 'mount --bind "$1" "$3" && {kept} mount --rbind "$2" /tmp && shift 3 && exec "$@"'
NEEDED = {Path(__file__).resolve().parents[2], Path(sys.prefix), Path(sys.base_prefix)}
"""The code and its interpreter are everywhere, also where they lie in /tmp."""


class Apart(LocalPlatform):
    remote = True
    addresses = "127.0.0.{}"

    """Of the components; a machine has but one of IPv6's own, ::1, and then they share it."""

    @classmethod
    def open(cls, run_id, testbed, folder, host=None):
        made = super().open(run_id, testbed, folder, host)
        made._folder, made._hosts = Path(folder), {}
        made._base = Path(tempfile.mkdtemp(prefix="apart-", dir="/var/tmp"))
        made._base.chmod(0o755)  # a server may run as another user
        (made._base / "seen").mkdir()
        return made

    def seen(self, folder: str, data: str) -> tuple[str, str]:
        self._data = Path(data)
        seen = self._base / "seen"
        return str(seen), str(seen / self._data.name)

    def host(self, component: str) -> str:
        return self._hosts[component]

    def start(self, role: Role) -> Handle:
        component = role.component
        own = self._base / component
        if not own.exists():
            self._settle(own, component)
        address = self._hosts.setdefault(component, self.addresses.format(len(self._hosts) + 10))
        role = resolved(role, address, self._hosts, sys.executable)
        program = ENTER.format(kept="".join(_keep(own / "tmp")))
        enter = ("unshare", "--mount", "--propagation", "private", "sh", "-c", program, "sh")
        places = (str(own / "job"), str(own / "tmp"), str(self._base / "seen"))
        environment = role.environment | {"HOME": "/tmp"}
        handle = super().start(
            Role(**vars(role) | {"command": (*enter, *places, *role.command)}
                 | {"environment": environment})
        )  # fmt: skip
        handle.give = lambda name: _copy(self._folder, own / "job", name)
        handle.fetch = lambda name: _copy(own / "job", self._folder, name)
        return handle

    def remove(self) -> None:
        super().remove()
        for link in (self._folder / "records").glob("*.jsonl"):
            if link.is_symlink():
                lines = link.read_bytes() if link.exists() else b""
                link.unlink()
                link.write_bytes(lines)
        shutil.rmtree(self._base, ignore_errors=True)

    def _settle(self, own: Path, component: str) -> None:
        (own / "job" / "records").mkdir(parents=True)
        (own / "tmp").mkdir()
        (own / "tmp").chmod(0o1777)
        shutil.copy(self._folder / "job.json", own / "job")
        shutil.copy(self._data, own / "job")
        name = Path("records", f"{component}.jsonl")
        (self._folder / name).symlink_to(own / "job" / name)


def _keep(private: Path) -> Iterator[str]:
    """Commands that show in a component's own /tmp what it needs of the real one."""
    for path in sorted(path for path in NEEDED if path.is_relative_to("/tmp")):
        place = private / path.relative_to("/tmp")
        place.mkdir(parents=True, exist_ok=True)
        yield f"mount --bind {shlex.quote(str(path))} {shlex.quote(str(place))} &&"


def _copy(source: Path, target: Path, name: str) -> None:
    if not (source / name).is_file():
        raise TrialwattError(f"there is no {name}")
    (target / name).parent.mkdir(exist_ok=True)
    shutil.copy(source / name, target / name)
