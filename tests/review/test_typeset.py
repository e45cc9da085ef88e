"""A stranger's paper is compiled where it can do no harm."""

import multiprocessing
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import pytest

from trialwatt.errors import TrialwattError
from trialwatt.review import typeset as module
from trialwatt.review.typeset import LIMITS, Limits, check_source


def typeset(place, limits: Limits = LIMITS) -> bytes:
    """In a fresh process, as where archives are verified: Typst may have compiled in this one, and
    its threads would be missing in a fork."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(module.typeset, place, limits).result()


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "work" / "paper"
    folder.mkdir(parents=True)

    def write(text: str):
        (folder / "main.typ").write_text(text, encoding="utf-8")
        return folder

    return write


def test_a_paper_is_made(place):
    assert typeset(place("Hello")).startswith(b"%PDF-")


@pytest.mark.parametrize("path", ["../../secret.txt", "/../../secret.txt", "{secret}"])
def test_it_reads_nothing_outside_its_folder(place, tmp_path, path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    with pytest.raises(TrialwattError, match="the paper cannot be made"):
        typeset(place(f'#read("{path.format(secret=secret)}")'))


def test_what_it_asks_for_elsewhere_is_not_fetched(place, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
        for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy)
        monkeypatch.setenv("XDG_CACHE_HOME", str(place("").parent))
        with pytest.raises(TrialwattError, match="the paper cannot be made"):
            typeset(place('#import "@pre" + "view/example:0.1.0": *'), Limits(seconds=120))
        with pytest.raises(TimeoutError):
            server.accept()


def test_one_that_never_ends_is_given_up(place):
    endless = "#for a in range(90000) { for b in range(90000) { let c = calc.rem(a * b, 7) } }"
    began = time.monotonic()
    with pytest.raises(TrialwattError, match=r"not made within 2 s|ended with signal"):
        typeset(place(endless), Limits(seconds=2))
    assert time.monotonic() - began < 100


def test_one_that_takes_too_much_memory_is_given_up(place):
    many = "#let a = range(90000000)\n#a.len()"
    with pytest.raises(TrialwattError, match=r"ended with|MemoryError|cannot be made"):
        typeset(place(many), Limits(seconds=120, memory_bytes=300 << 20))


def test_a_source_is_of_few_plain_files(place, tmp_path):
    source = place("Hello")
    check_source(source)
    with pytest.raises(TrialwattError, match="more than a paper's source needs"):
        check_source(source, Limits(source_bytes=4))
    with pytest.raises(TrialwattError, match="more than a paper's source needs"):
        check_source(source, Limits(source_files=0))
    (tmp_path / "secret").write_text("x")
    (source / "secret.typ").symlink_to(tmp_path / "secret")
    with pytest.raises(TrialwattError, match="a link"):
        check_source(source)
    with pytest.raises(TrialwattError, match="missing"):
        check_source(tmp_path / "gone")


SEALED = """
import ctypes, os, sys
from trialwatt.review.sandbox import seal
assert seal() == "", seal()
import numpy
assert (numpy.ones((50, 50)) @ numpy.ones((50, 50)))[0, 0] == 50
libc = ctypes.CDLL(None, use_errno=True)
child = os.fork()  # it holds there too
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
refused = [
    libc.socket(2, 1, 0) == -1 and ctypes.get_errno() == 1,
    libc.socket(10, 1, 0) == -1 and ctypes.get_errno() == 1,
    libc.execv(b"/bin/true", (ctypes.c_char_p * 2)(b"true", None)) == -1
    and ctypes.get_errno() == 1,
    libc.syscall(425, 8, 0) == -1 and ctypes.get_errno() == 1,
]
os._exit(0 if all(refused) else 3)
"""


def test_compiled_code_can_open_no_connection_and_start_no_program():
    done = subprocess.run(
        [sys.executable, "-c", SEALED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_packages_of_whoever_compiles_are_not_for_a_strangers_paper(place, tmp_path, monkeypatch):
    own = tmp_path / "share/typst/packages/local/secret/1.0.0"
    own.mkdir(parents=True)
    (own / "typst.toml").write_text(
        '[package]\nname = "secret"\nversion = "1.0.0"\nentrypoint = "lib.typ"\n'
    )
    (own / "lib.typ").write_text('#let told = "secret"\n')
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "share"))
    with pytest.raises(TrialwattError, match="the paper cannot be made"):
        typeset(place('#import "@local/secret:1.0.0": told\n#told'))


def test_the_process_that_verifies_is_sealed_too():
    code = (
        "from trialwatt.review.sandbox import Limits, confine\n"
        "confine(Limits(seconds=60, memory_bytes=4 << 30, file_bytes=1 << 30))\n"
        "import ctypes; print(ctypes.CDLL(None).socket(2, 1, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "-1"
