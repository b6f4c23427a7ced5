"""What every platform's doorway does with a delivery: its raw bytes, its headers, a one-sentence answer."""

from __future__ import annotations

from flask import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

#: The largest order body a platform is known to send is a fraction of this.
BODY_LIMIT = 8 * 1024 * 1024


def raw_body(limit: int = BODY_LIMIT) -> bytes:
    """The raw body. Raises `RequestEntityTooLarge`."""
    request.max_content_length = limit
    body = request.get_data(cache=False)
    # A body sent in chunks says no length beforehand, and reading it just stops at the limit.
    if request.content_length is None and len(body) >= limit:
        raise RequestEntityTooLarge
    return body


def header(name: str, most: int) -> str | None:
    """A header fit for its column; None where it is missing, too long or unprintable."""
    value = request.headers.get(name, "").strip()
    return value if value and len(value) <= most and value.isprintable() else None


def said(status: int, sentence: str) -> Response:
    """A sentence in plain text; 503 asks for the same again in five seconds."""
    answer = Response(f"{sentence}\n", status=status, mimetype="text/plain")
    if status == 503:
        answer.headers["Retry-After"] = "5"
    return answer
