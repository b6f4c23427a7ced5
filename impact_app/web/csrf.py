"""Flask-WTF's CSRF tokens, which live in the session cookie; only the password's door has one."""

from __future__ import annotations

from flask import abort, request
from flask_wtf.csrf import generate_csrf, validate_csrf  # type: ignore[import-untyped]
from wtforms import ValidationError  # type: ignore[import-untyped]


def form_token() -> str:
    """What a form must carry to be taken from this browser."""
    return str(generate_csrf())


def check_form() -> None:
    """Let only forms through that this app gave to this browser."""
    try:
        validate_csrf(request.form.get("csrf_token"))
    except ValidationError:
        abort(
            400, "This form was open for too long or came from elsewhere. Open its page again, then repeat."
        )
