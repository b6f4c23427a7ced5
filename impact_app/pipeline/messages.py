"""From the message queue to people: by mail, and to a webhook that takes Slack's JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from urllib.parse import urlsplit

import structlog

from impact_app.domain.messages import Letter
from impact_app.http import Http, NoAnswer, NotConnected, PrivateAddress
from impact_app.ledger.channels import Channels
from impact_app.ledger.messages import Message, Messages
from impact_app.ledger.vault import Unreadable
from impact_app.mail import Mailer, NotMailed

log = structlog.get_logger()

#: A message that could not be sent for so long is left.
PATIENCE = timedelta(days=1)

#: Messages claimed at once: few, so that all are tried before the claim runs out.
_TOGETHER = 5
_LONGEST_WAIT = timedelta(hours=1)


class NotSent(Exception):
    """The message has not gone out; the words say why and hold no secret."""


@dataclass(frozen=True)
class Messenger:
    """Sends what is due. `mailer` None: no mail server is set up. `origins`: as in `Config`."""

    messages: Messages
    channels: Channels
    mailer: Mailer | None
    sender: str
    origins: Sequence[str]
    clock: Callable[[], datetime]
    public: Http = field(default_factory=lambda: Http(pool=4, read=10.0, public_only=True))
    named: Http = field(default_factory=lambda: Http(pool=4, read=10.0))

    def drain(self, until: datetime) -> int:
        """Send what is due until nothing is or the time is over; how many went out."""
        sent = 0
        while self.clock() < until:
            claimed = self.messages.claim(_TOGETHER, self.clock())
            if not claimed:
                break
            sent += sum(self._deliver(one) for one in claimed)
        return sent

    def has_due(self) -> bool:
        due = self.messages.next_due()
        return due is not None and due <= self.clock()

    def send(self, store_id: int, channel: str, recipient: str, letter: Letter, mark: str) -> None:
        """Send one letter now. `mark` tells it from all others, so that a repeat is known as one.

        Raises `NotSent`.
        """
        if channel == "email":
            self._mail(recipient, letter, mark)
        else:
            self._post(store_id, letter)

    def _deliver(self, one: Message) -> bool:
        mark = f"{one.id}.{one.created_at:%Y%m%d%H%M%S%f}"
        try:
            self.send(one.store_id, one.channel, one.recipient, one.letter, mark)
        except NotSent as fault:
            self._later(one, str(fault))
            return False
        self.messages.sent(one, self.clock())
        log.info("message.sent", store=one.store_id, message=one.id, channel=one.channel)
        return True

    def _later(self, one: Message, fault: str) -> None:
        now, said = self.clock(), {"store": one.store_id, "message": one.id, "channel": one.channel}
        if now - one.created_at >= PATIENCE:
            self.messages.gave_up(one, now, fault)
            log.error("message.gave_up", **said, fault=fault, tries=one.tries + 1)
            return
        self.messages.not_sent(one, now + wait(one.tries), fault)
        log.warning("message.not_sent", **said, fault=fault)

    def _mail(self, recipient: str, letter: Letter, mark: str) -> None:
        if self.mailer is None:
            raise NotSent("No mail server is set up: SMTP_URL and MAIL_FROM are to be set.")
        message = EmailMessage()
        message["From"], message["To"] = self.sender, recipient
        message["Subject"] = " ".join(letter.subject.split())
        message["Date"] = format_datetime(self.clock())
        message["Message-ID"] = f"<{mark}@{parseaddr(self.sender)[1].rpartition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(letter.text)
        if letter.html is not None:
            message.add_alternative(letter.html, subtype="html")
        try:
            self.mailer.send(message)
        except NotMailed as fault:
            raise NotSent(str(fault)) from fault

    def _post(self, store_id: int, letter: Letter) -> None:
        try:
            url = self.channels.webhook_url(store_id)
        except Unreadable as fault:
            raise NotSent("The webhook's address cannot be read any more: enter it again.") from fault
        if url is None:
            raise NotSent("There is no webhook any more.")
        http = self.named if origin_of(url) in self.origins else self.public
        body = json.dumps({"text": slack_text(letter)}).encode()
        try:
            answer = http.request("POST", url, headers={"Content-Type": "application/json"}, body=body)
        except PrivateAddress as fault:
            raise NotSent("The webhook is at a private address, which is not called.") from fault
        except NotConnected as fault:
            raise NotSent("The webhook's host could not be reached.") from fault
        except NoAnswer as fault:
            raise NotSent("The webhook gave no answer in time.") from fault
        if not 200 <= answer.status < 300:
            raise NotSent(f"The webhook did not take the message: it answered {answer.status}.")


def wait(tries: int) -> timedelta:
    """How long to wait after so many tries before this one: a minute, doubled each time, an hour at most."""
    return min(timedelta(minutes=2 ** min(tries, 10)), _LONGEST_WAIT)


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, as `WEBHOOK_ALLOWED_ORIGINS` has them."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def slack_text(letter: Letter) -> str:
    """A letter as Slack shows it: the subject in bold; the three signs that Slack reads are written out."""
    text = f"*{letter.subject}*\n{letter.text}"
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
