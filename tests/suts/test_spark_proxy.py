"""A user's proxy has no part in what the processes of a run say to each other."""

import http.server
import threading

import pytest

from trialwatt.suts import spark


class _Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'header\n{"workers": []} Error' if "log" in self.path else b'{"workers": []}'
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        """No line for each request."""


@pytest.fixture
def web(monkeypatch):
    """The address of a web interface, on a machine whose user goes through a (dead) proxy."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1")
    server = http.server.HTTPServer(("127.0.0.2", 0), _Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.2:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_the_driver_asks_its_own_master_and_workers_directly(web):
    assert spark._json(f"{web}/json/") == {"workers": []}
    said = spark._last_words(web, {"appid": "app", "id": 0})
    assert said == 'wrote: {"workers": []} Error'
