"""Credentials in whatever text a library makes of them."""

import subprocess
import sys

import pytest

from trialwatt.credentials import malformed, redacted, remember
from trialwatt.errors import ConfigError, Problem, TrialwattError

PART = "S3cretPart"
RAW = [f"S3cret{letter}{PART}" for letter in '@/#?%[]^\\" \t\n'] + ["S3cret%zz", "@", "a@b@c"]
SHOWN = [
    f"cannot reach postgresql://me:{PART}@host:5432/db now",
    f"'https://{PART}@example.org/repository' was not found",
    f"Max retries: url: http://me:x/{PART}@host/path",
    f"postgresql+psycopg://me@host/db?sslmode=require&password={PART}",
    f"host=a port=1 user=u password={PART} dbname=d",
    f'host=a password="a {PART}"',
    f"PGPASSWORD={PART}",
    f"Bearer: --token={PART}",
]


@pytest.mark.parametrize("text", SHOWN)
def test_no_text_shows_what_is_in_a_url_or_after_a_password(text):
    assert PART not in redacted(text)
    assert "***" in redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "see https://sqlalche.me/e/20/e3q8 and ask me@example.org",
        "docker-pullable://registry:5000/worker@sha256:0123",
        "connection to server at 127.0.0.1, port 5432 failed",
        "must be as postgresql://user:password@host:port/database",
        "set token_env, or user_env and password_env",
    ],
)
def test_what_holds_none_is_left_as_it_is(text):
    assert redacted(text) == text


@pytest.mark.parametrize("password", RAW)
def test_a_url_whose_password_is_not_encoded_is_refused_without_showing_it(password):
    fault = malformed(f"postgresql://me:{password}@host:5432/db")
    assert fault
    assert "S3cret" not in fault and PART not in fault


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:S3cret%40Part@host:5432/db",
        "postgresql://me:S3cret:Part@[::1]:5432/db",
        "postgresql:///db?host=/run/postgresql",
        "postgresql+psycopg://me@host/db?sslmode=require&password=S3cret",
        "http://localhost:9090",
    ],
)
def test_a_url_as_it_should_be_is_taken(url):
    assert malformed(url) == ""


def test_a_port_that_is_none_is_refused_without_showing_it():
    assert "S3cret" not in malformed("postgresql://me:S3cret@host:S3cret/db") != ""


@pytest.mark.parametrize("password", [*RAW[:5], "plain-S3cret"])
def test_what_is_known_to_be_secret_is_hidden_in_any_form(password):
    remember(f"postgresql://me:{password}@host/db?password=an0ther")
    said = f"{password!s} | a {password}b | an0ther | {password.replace('%', '%25')}"
    assert password not in redacted(said)
    assert "an0ther" not in redacted(said)


def test_errors_for_users_show_none_whatever_they_were_made_of():
    said = f"http://me:{PART}@proxy:3128 refuses"
    assert PART not in str(TrialwattError(said))
    assert PART not in str(Problem("a.yaml", "key", said))
    assert PART not in str(ConfigError([Problem("a.yaml", f"url http://me:{PART}@a", said)]))


def test_a_traceback_shows_none():
    program = f"""
from trialwatt.credentials import hide_in_tracebacks, remember
hide_in_tracebacks()
remember("S3" + "cretPart")
try:
    raise ValueError("S3" + "cretPart")
except ValueError as error:
    raise KeyError("http://me:" + "{PART}"[:4] + "@host") from error
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ValueError: ***" in done.stderr
    assert "http://***@host" in done.stderr
