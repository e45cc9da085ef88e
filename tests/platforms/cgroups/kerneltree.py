"""A folder that behaves like a control group file system: files come and go with their folder."""

from __future__ import annotations

from pathlib import Path

V2_FILES = {
    "cgroup.procs": "",
    "cgroup.subtree_control": "",
    "cgroup.controllers": "cpu memory pids\n",
    "cpu.max": "max 100000\n",
    "cpu.stat": "usage_usec 0\nuser_usec 0\nsystem_usec 0\n",
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "memory.current": "0\n",
    "memory.events": "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
}

V1_FILES = {
    "cgroup.procs": "",
    "cpu.cfs_quota_us": "-1\n",
    "cpu.cfs_period_us": "100000\n",
    "cpuacct.usage": "0\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.swappiness": "60\n",
    "memory.usage_in_bytes": "0\n",
    "memory.max_usage_in_bytes": "0\n",
    "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
}


class KernelTree:
    """Folders made below `mount` are filled with `files`, and can be removed with them."""

    def __init__(self, folder: Path, files: dict[str, str], monkeypatch):
        self.files = dict(files)
        self.mount, self.proc = folder / "cgroup", folder / "proc"
        (self.proc / "self").mkdir(parents=True)
        self.mount.mkdir()
        make, unmake = Path.mkdir, Path.rmdir

        def mkdir(path, *args, **keys):
            new = not path.exists()
            make(path, *args, **keys)
            if new and self.mount in path.parents:
                self._fill(path)

        def rmdir(path):
            if self.mount in path.parents and not any(p.is_dir() for p in path.iterdir()):
                for file in path.iterdir():
                    file.unlink()
            unmake(path)

        monkeypatch.setattr(Path, "mkdir", mkdir)
        monkeypatch.setattr(Path, "rmdir", rmdir)
        self._fill(self.mount)

    def _fill(self, folder: Path) -> None:
        for name, text in self.files.items():
            (folder / name).write_text(text)

    def place(self, own: str, mounts: str) -> None:
        """What this process reads about itself; {mount} in `mounts` is the folder."""
        (self.proc / "self" / "cgroup").write_text(own)
        (self.proc / "self" / "mountinfo").write_text(mounts.replace("{mount}", str(self.mount)))
