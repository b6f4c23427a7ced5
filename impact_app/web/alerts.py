"""What is not as it should be, and who is told of it."""

from __future__ import annotations

import structlog
from flask import render_template, request

from impact_app.domain.alerts import CAUSES
from impact_app.domain.messages import Digest, sentence, told_before, trial
from impact_app.ledger.channels import Settings
from impact_app.pipeline.messages import NotSent
from impact_app.web.access import here, services
from impact_app.web.alerts_form import CHANNEL_FIELDS, DIGESTS, ChannelsForm, stored, submitted
from impact_app.web.help import REMOVE_WEBHOOK
from impact_app.web.pages import Notice, pages

log = structlog.get_logger()


@pages.get("/alerts")
def alerts() -> str:
    """Open alerts, the last ones that are over, and where messages go."""
    return _alerts(stored(_channels()), None)


@pages.post("/alerts")
def save_channels() -> tuple[str, int]:
    """Save where messages go, or say what is wrong and save nothing."""
    before = _channels()
    form = submitted(request.form, before, services().config.webhook_origins)
    if form.faults:
        return _alerts(form, Notice("bad", "Nothing was saved: correct what is marked.")), 422
    _save(form, before)
    log.info("channels.saved", store=here().store.id, by=here().who)
    return _alerts(stored(_channels()), Notice("good", "Saved.")), 200


@pages.post("/alerts/test")
def send_test() -> tuple[str, int]:
    """Send a test message to everybody at once, and tell what came of each."""
    channels = _channels()
    if not channels.destinations:
        told = Notice("bad", "There is nobody to send to: enter an address or a webhook, and save.")
        return _alerts(stored(channels), told), 422
    came = [
        (recipient or channels.webhook, _tried(channel, recipient))
        for channel, recipient in channels.destinations
    ]
    return _alerts(stored(channels), None, came), 200


def _tried(channel: str, recipient: str) -> str:
    """What stood in the way, "" for nothing."""
    line, store = services(), here().store
    letter = trial(store.domain, line.watcher.link(store))
    mark = f"test.{store.id}.{line.clock():%Y%m%d%H%M%S%f}"
    try:
        line.messenger.send(store.id, channel, recipient, letter, mark)
    except NotSent as fault:
        return str(fault)
    return ""


def _channels() -> Settings:
    return services().channels.of(here().store.id)


def _save(form: ChannelsForm, before: Settings) -> None:
    digest = Digest(form.texts["digest"])
    until = before.digest_until if digest is before.digest else told_before(digest, services().clock())
    services().channels.save(here().store.id, form.addresses, form.webhook_url, digest, until)


def _alerts(form: ChannelsForm, notice: Notice | None, came: list[tuple[str, str]] | None = None) -> str:
    line, store = services(), here().store
    return render_template(
        "alerts.html",
        visit=here(),
        notice=notice,
        came=came,
        meanings=CAUSES,
        sentence=sentence,
        open=line.alerts.open(store.id),
        ended=line.alerts.ended(store.id),
        form=form,
        fields={one.name: one for one in CHANNEL_FIELDS},
        remove=REMOVE_WEBHOOK,
        digests=DIGESTS,
        channels=_channels(),
        can_mail=line.config.mail is not None,
        messages=line.messages.latest(store.id),
    )
