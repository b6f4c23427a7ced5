"""The door for a browser outside a platform's admin: one password, a session cookie, the list of stores."""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import cast

import structlog
from flask import Blueprint, abort, current_app, redirect, render_template, request, session, url_for
from flask.sansio.blueprints import BlueprintSetupState
from werkzeug.exceptions import TooManyRequests
from werkzeug.wrappers import Response

from impact_app.web.access import is_signed_in, same_origin_path, services, sign_in
from impact_app.web.csrf import check_form, form_token
from impact_app.web.help import PASSWORD

log = structlog.get_logger()

password = Blueprint("password", __name__)

#: So many wrong passwords cost nothing; each further one doubles the wait, up to the longest.
FREE_TRIES = 5
LONGEST_WAIT = timedelta(minutes=1)
_REMEMBERED = 10_000


class Doorkeeper:
    """Makes guessing slow: counts wrong passwords by address, in this process.

    Tries made during a wait are not looked at and do not lengthen it, so nobody is locked out for good.
    """

    def __init__(self) -> None:
        self._failed: OrderedDict[str, tuple[int, datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def wait(self, address: str, now: datetime) -> timedelta:
        """How long `address` has to wait before its next try."""
        with self._lock:
            tries, last = self._failed.get(address, (0, now))
        if tries < FREE_TRIES:
            return timedelta(0)
        pause = min(timedelta(seconds=2 ** min(tries - FREE_TRIES, 10)), LONGEST_WAIT)
        return max(timedelta(0), last + pause - now)

    def failed(self, address: str, now: datetime) -> None:
        with self._lock:
            tries, _ = self._failed.pop(address, (0, now))
            self._failed[address] = (tries + 1, now)
            while len(self._failed) > _REMEMBERED:
                self._failed.popitem(last=False)

    def passed(self, address: str) -> None:
        with self._lock:
            self._failed.pop(address, None)


@password.record_once
def _set_up(state: BlueprintSetupState) -> None:
    state.app.extensions["impact_doorkeeper"] = Doorkeeper()


@password.get("/")
def front() -> str | Response:
    """The form for the password; once it was given, the one store, or the list to choose from."""
    if not is_signed_in():
        return _form()
    found = services().stores.all()
    if len(found) == 1:
        return redirect(url_for("store.home", store_id=found[0].id), 303)
    rows = [(store, services().orders.counts(store.id)) for store in found]
    return render_template("stores.html", rows=rows, form_values={"csrf_token": form_token()})


@password.post("/login")
def login() -> Response | tuple[str, int]:
    check_form()
    door, address, now = _doorkeeper(), request.remote_addr or "", services().clock()
    pause = door.wait(address, now)
    if pause:
        seconds = int(pause.total_seconds()) + 1
        raise TooManyRequests(
            f"Too many wrong passwords. Wait {seconds} seconds and try again.", retry_after=seconds
        )
    if not sign_in(request.form.get("password", "")):
        door.failed(address, now)
        log.warning("login.refused")
        return _form("This is not the admin password."), 403
    door.passed(address)
    return redirect(same_origin_path(request.form.get("next")) or url_for("password.front"), 303)


@password.post("/logout")
def logout() -> Response:
    if not is_signed_in():
        abort(401)
    check_form()
    session.clear()
    return redirect(url_for("password.front"), 303)


def _form(fault: str = "") -> str:
    wanted = same_origin_path(request.values.get("next")) or ""
    return render_template("login.html", password=PASSWORD, fault=fault, next=wanted, csrf_token=form_token())


def _doorkeeper() -> Doorkeeper:
    return cast(Doorkeeper, current_app.extensions["impact_doorkeeper"])
