"""Passwords and tokens stay out of every message, log, record and traceback.

Two ways, both in `redacted`: what a URL or a `password=` shows, whosever it is, and what this
process has been told to be a secret (`remember`), in whatever text a library puts it.
"""

from __future__ import annotations

import re
import sys
import traceback
from collections.abc import Iterable
from types import TracebackType
from urllib.parse import parse_qsl, quote, unquote, unquote_plus, urlsplit

HIDDEN = "***"
ENCODE = "write @ : / ? # [ ] % and spaces within a name or a password as %40 %3A %2F %3F %23 …"
_LEAST_LETTERS = 3
"""Of what is looked for alone: a shorter one is found in any word, and hidden in its URL only."""
_USER = re.compile(
    r"(://)(?!user:password@)"  # how a message says that it should be
    r"(?:[^\s/'\"<>@]+|[^\s'\"<>@]*:[^\s'\"<>]*)@(?!sha256:)"  # a digest follows, no host
)
_KEY = re.compile(
    r"(?i)\b([\w-]*(?:password|passwd|pwd|token|secret|api_?key)=)"
    r"(?:'[^']*'|\"[^\"]*\"|[^\s&'\"]+)"
)
_NEVER_IN_A_URL = re.compile(r"[\x00-\x20\x7f\"'<>\\^`{|}]|%(?![0-9A-Fa-f]{2})")
_known: set[str] = set()


def remember(*secrets: str) -> None:
    """Have `redacted` hide these from now on, as they are and as a URL has them; of a URL also the
    credentials in it."""
    in_urls = (part for secret in secrets if "://" in secret for part in _parts_of(secret))
    for secret in (*secrets, *in_urls):
        for form in (secret, quote(secret, safe=""), unquote(secret), unquote_plus(secret)):
            if len(form) >= _LEAST_LETTERS:
                _known.add(form)


def redacted(text: str) -> str:
    """`text` without credentials, each replaced by ***."""
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return _KEY.sub(rf"\1{HIDDEN}", _USER.sub(rf"\1{HIDDEN}@", text))


def malformed(url: str) -> str:
    """What is wrong with the form of a URL, in words that show nothing of it; empty if nothing.

    A raw @, / or # in a password shifts what libraries take for the host, which they then print.
    """
    _, scheme, rest = url.partition("://")
    if not scheme:
        return "must be as scheme://user:password@host:port/path"
    authority = re.split("[/?#]", rest, maxsplit=1)[0]
    user, _, _ = authority.rpartition("@")
    raw = _NEVER_IN_A_URL.search(url) or "#" in rest or rest.count("@") > ("@" in authority)
    if raw or "[" in user or "]" in user:
        return f"holds a letter that stands for something else in a URL: {ENCODE}"
    try:
        parts = urlsplit(url)
        _ = parts.port, parts.hostname
    except ValueError:
        return f"has no valid host and port after the @; {ENCODE}"
    return ""


def hide_in_tracebacks() -> None:
    """Have this process print what nobody catches without credentials."""

    def hook(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        sys.stderr.write(redacted("".join(traceback.format_exception(kind, error, at))))

    sys.excepthook = hook


def _parts_of(url: str) -> Iterable[str]:
    user = url.partition("://")[2].rpartition("@")[0]  # the last: some passwords have one too
    query = parse_qsl(url.rpartition("?")[2])
    passwords = (value for key, value in query if _KEY.match(f"{key}=x"))
    return (part for part in (user * (":" in user), user.partition(":")[2], *passwords) if part)
