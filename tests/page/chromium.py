"""A headless Chromium, driven through its DevTools pipe: no package and no port are needed."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")

_START = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""Chromium reads its orders from descriptor 3 and answers on 4."""


def found() -> str | None:
    """The program, None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Chromium:
    """One page of one browser. requests, complaints: what it asked for, and what went wrong."""

    def __init__(self, profile: Path, patience_s: float = 180):
        self.patience_s = patience_s
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self._number, self._buffer, self._answers = 0, b"", {}
        self._session = None
        to_read, self._write = os.pipe()
        self._read, to_write = os.pipe()
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", _START, str(to_read), str(to_write)),
                *(found(), "--headless=new", "--no-sandbox", "--disable-gpu"),
                *("--remote-debugging-pipe", f"--user-data-dir={profile}"),
                *("--disable-dev-shm-usage", "--no-first-run", "--disable-extensions"),
                *("--disable-background-networking", "--disable-component-update"),
                *("--font-render-hinting=none", "--hide-scrollbars", "about:blank"),
            ],
            pass_fds=(to_read, to_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(to_read)
        os.close(to_write)
        target = self("Target.createTarget", url="about:blank")["targetId"]
        attached = self("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self(f"{domain}.enable")

    def __call__(self, method: str, **parameters) -> dict:
        """Call a DevTools method and return its result."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while self._number not in self._answers:
            self._hear()
        answer = self._answers.pop(self._number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def view(self, width: int, height: int = 900, scheme: str = "light", touch=False) -> None:
        """Size in CSS pixels, and the colour scheme that is preferred."""
        self(
            "Emulation.setDeviceMetricsOverride",
            **{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch},
        )
        self("Emulation.setTouchEmulationEnabled", enabled=touch)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self("Emulation.setEmulatedMedia", features=features)

    def open(self, address: str) -> None:
        """Load a page without a network, and wait until it is there."""
        self("Page.navigate", url="about:blank")
        self.requests.clear()
        self.complaints.clear()
        offline = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
        self("Network.emulateNetworkConditions", **offline)
        self("Page.navigate", url=address)
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script: str):
        """The value of an expression in the page."""
        answer = self("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, script: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + self.patience_s
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}"
            time.sleep(0.02)

    def mouse(self, kind: str, x: float, y: float) -> None:
        button = {} if kind == "mouseMoved" else {"button": "left", "clickCount": 1}
        self("Input.dispatchMouseEvent", type=kind, x=x, y=y, **button)

    def click(self, x: float, y: float) -> None:
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.mouse(kind, x, y)

    def tap(self, x: float, y: float) -> None:
        self("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def key(self, name: str, code: int = 0) -> None:
        text = {"text": "\r"} if name == "Enter" else {}
        pressed = {"key": name, "code": name, "windowsVirtualKeyCode": code}
        self("Input.dispatchKeyEvent", type="keyDown", **pressed, **text)
        self("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def picture(self, file: Path, whole: bool = True) -> None:
        """A screenshot, of the whole page or of what is seen."""
        shot = self("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(shot["data"]))

    def close(self) -> None:
        self._session = None
        try:
            os.write(self._write, b'{"id":0,"method":"Browser.close"}\0')
            self._process.wait(10)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait()
        os.close(self._write)
        os.close(self._read)

    def _hear(self) -> None:
        ready, _, _ = select.select([self._read], [], [], self.patience_s)
        assert ready, "the browser does not answer"
        more = os.read(self._read, 1 << 20)
        assert more, "the browser has ended"
        self._buffer += more
        *messages, self._buffer = self._buffer.split(b"\0")
        for text in messages:
            self._take(json.loads(text))

    def _take(self, message: dict) -> None:
        if "id" in message:
            self._answers[message["id"]] = message
            return
        kind, what = message["method"], message["params"]
        if kind == "Network.requestWillBeSent":
            self.requests.append(what["request"]["url"])
        elif kind == "Runtime.exceptionThrown":
            details = what["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", str(details)))
        elif kind == "Runtime.consoleAPICalled" and what["type"] in ("error", "warning"):
            self.complaints.append(str(what["args"]))
        elif kind == "Log.entryAdded":
            self.complaints.append(f"{what['entry']['level']}: {what['entry']['text']}")
