"""Where a store's alerts go, as a form: what it shows, and what is read from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

from impact_app.domain.messages import Digest
from impact_app.ledger.channels import Settings
from impact_app.pipeline.messages import origin_of


@dataclass(frozen=True)
class ChannelField:
    """One box of the form."""

    name: str
    title: str
    help: str
    wrong: str


CHANNEL_FIELDS: tuple[ChannelField, ...] = (
    ChannelField(
        "addresses",
        "E-mail addresses",
        "Up to ten, each on a line of its own. Empty: no mail.",
        "Enter up to ten e-mail addresses, each on a line of its own.",
    ),
    ChannelField(
        "webhook_url",
        "Webhook",
        "The https address of an incoming webhook at Slack, or of anything that takes the same form. It is "
        "kept locked away, since whoever knows it can write there.",
        "Enter an https address of a public host, without a user or password in it.",
    ),
    ChannelField(
        "digest",
        "Digest",
        "Orders and money by verdict, partners and open alerts, sent after 6:00 UTC.",
        "Choose one of those listed.",
    ),
)

#: What each digest is called.
DIGESTS: dict[str, str] = {
    Digest.NONE: "None",
    Digest.DAILY: "Each day",
    Digest.WEEKLY: "Each Monday, of the week before",
}

_ADDRESS = re.compile(r"[^\s<>@,;\"()]{1,64}@[A-Za-z0-9.-]{1,189}")
_MOST = 10
_LONGEST = 2000


@dataclass
class ChannelsForm:
    """What stands in the boxes. `faults` maps a box's name to a sentence.

    The webhook's text is only ever what was just typed; the stored one never comes here.
    """

    texts: dict[str, str]
    removes_webhook: bool = False
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def addresses(self) -> list[str]:
        """Each address once, in the order given."""
        return list(dict.fromkeys(re.findall(r"[^\s,;]+", self.texts["addresses"])))

    @property
    def webhook_url(self) -> str | None:
        """The new address, "" to remove the stored one, None to keep it."""
        return self.texts["webhook_url"] or ("" if self.removes_webhook else None)

    def titles(self) -> dict[str, str]:
        """How each box is called, for the list of faults at the top of the page."""
        return {one.name: one.title for one in CHANNEL_FIELDS}


def stored(settings: Settings) -> ChannelsForm:
    """The form as the store has it now."""
    addresses = "\n".join(settings.addresses)
    return ChannelsForm({"addresses": addresses, "webhook_url": "", "digest": settings.digest.value})


def submitted(given: Mapping[str, str], settings: Settings, origins: Sequence[str]) -> ChannelsForm:
    """The form as it was sent, with every fault; a box that was not sent keeps what the store has."""
    form = stored(settings)
    for name in form.texts:
        form.texts[name] = given.get(name, form.texts[name]).strip()
    form.removes_webhook = "remove_webhook" in given
    right = {
        "addresses": len(form.addresses) <= _MOST and all(map(_ADDRESS.fullmatch, form.addresses)),
        "webhook_url": not form.texts["webhook_url"] or _may_be_called(form.texts["webhook_url"], origins),
        "digest": form.texts["digest"] in set(Digest),
    }
    form.faults = {one.name: one.wrong for one in CHANNEL_FIELDS if not right[one.name]}
    return form


def _may_be_called(url: str, origins: Sequence[str]) -> bool:
    """Whether an address may be kept at all; where a name leads is seen when it is called."""
    try:
        parts = urlsplit(url)
        is_read = bool(parts.hostname) and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        return False
    if not is_read or len(url) > _LONGEST or parts.username is not None or "\\" in url:
        return False
    return origin_of(url) in origins or (parts.scheme == "https" and _is_public(parts.hostname or ""))


def _is_public(host: str) -> bool:
    try:
        return ip_address(host).is_global
    except ValueError:
        return host != "localhost"
