"""Sending one call to impact.com and coming back with a receipt, whatever happens on the way."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from impact_app.domain.reasons import Reason
from impact_app.domain.receipts import Outcome, Receipt
from impact_app.http import Answer, Http, NoAnswer, NotConnected
from impact_app.transports.api.request import Call
from impact_app.transports.api.response import receipt

#: The Brand API version this app was written against; without it the token's own version would decide.
API_VERSION = "14"


class ImpactApi:
    """impact.com's Brand API under one base address, for any account."""

    def __init__(self, http: Http, base_url: str) -> None:
        self._http = http
        self._base = base_url

    def send(self, call: Call, account_sid: str, auth_token: str, now: datetime) -> Receipt:
        """Make one call. Never raises; a fault on the way is a receipt like any other."""
        try:
            answer = self.ask(call, account_sid, auth_token)
        except NotConnected as fault:
            return Receipt(Outcome.NOT_SENT, Reason.NOT_CONNECTED, str(fault))
        except NoAnswer as fault:
            return Receipt(Outcome.UNCERTAIN, Reason.NO_ANSWER, str(fault))
        return receipt(answer, (auth_token,), now)

    def ask(self, call: Call, account_sid: str, auth_token: str) -> Answer:
        """The bare answer to a call. Raises `NotConnected` or `NoAnswer`."""
        headers = {"Accept": "application/json", "IR-Version": API_VERSION}
        body = None
        if call.method != "GET":
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urlencode(call.form).encode()
        query = f"?{urlencode(call.form)}" if call.method == "GET" and call.form else ""
        return self._http.request(
            call.method,
            f"{self._base}{call.path}{query}",
            headers=headers,
            body=body,
            auth=(account_sid, auth_token),
        )
