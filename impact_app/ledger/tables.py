"""Every table on one page. SQL is the only memory: what is not here did not happen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa


class Utc(sa.TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone, so it is taken off on the way in and put back on the way out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A moment without a zone cannot be stored.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)


def _of(table: str, **options: Any) -> sa.ForeignKey:
    return sa.ForeignKey(f"{table}.id", ondelete="CASCADE", **options)


metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

stores = sa.Table(
    "stores",
    metadata,
    _id(),
    sa.Column("platform", sa.String(16), nullable=False),
    sa.Column("domain", sa.String(255), nullable=False),
    # connected | uninstalled
    sa.Column("state", sa.String(16), nullable=False),
    # from the platform; NULL: none (yet). Locked by the vault.
    #   token_kind            offline | client_credentials | pasted
    #   access_expires_at     NULL: the token does not expire
    #   reauthorize_reason    NULL: the token works; else what a person must know to renew it
    sa.Column("token_kind", sa.String(24)),
    sa.Column("access_token", sa.Text),
    sa.Column("access_expires_at", Utc),
    sa.Column("refresh_token", sa.Text),
    sa.Column("refresh_expires_at", Utc),
    sa.Column("scopes", sa.Text, nullable=False, server_default=""),
    sa.Column("reauthorize_reason", sa.Text),
    # what the platform told of the installation beside tokens, such as where its API is and the keys it
    # signs with; nothing secret. NULL: nothing
    sa.Column("installation", sa.JSON),
    # from the merchant; NULL: not set yet. auth_token is locked by the vault.
    sa.Column("account_sid", sa.String(64)),
    sa.Column("auth_token", sa.Text),
    sa.Column("campaign_id", sa.String(10)),
    sa.Column("event_type_id", sa.String(10)),
    sa.Column("rules", sa.JSON, nullable=False),
    sa.Column("rules_version", sa.Integer, nullable=False, server_default="1"),
    # from impact.com: [{"code", "type", "partner"}], refreshed daily
    sa.Column("promo_codes", sa.JSON, nullable=False),
    sa.Column("promo_codes_at", Utc),
    # what this app set up in the storefront
    #   domains              hosts of the shop as the platform tells them; NULL: not asked yet
    #   pixel_id             NULL: no web pixel is connected
    #   capture_fault        why something of it is not set up, in a sentence; NULL: nothing is missing
    #   capture_due_at       when to set it up (again); NULL: nothing is due
    sa.Column("domains", sa.JSON),
    sa.Column("pixel_id", sa.String(64)),
    sa.Column("capture_fault", sa.Text),
    sa.Column("capture_checked_at", Utc),
    sa.Column("capture_due_at", Utc),
    sa.Column("capture_tries", sa.Integer, nullable=False, server_default="0"),
    # the app embed's switch, as the domain's Embed has it
    #   embed_on             NULL: nobody has told yet
    #   embed_told_by        admin | theme
    #   embed_deployed       whether the published theme offers it; NULL: not known
    #   embed_looked_at      when somebody last set out to read the theme; NULL: never
    sa.Column("embed_on", sa.Boolean),
    sa.Column("embed_told_by", sa.String(16)),
    sa.Column("embed_told_at", Utc),
    sa.Column("embed_changed_at", Utc),
    sa.Column("embed_theme", sa.String(64)),
    sa.Column("embed_deployed", sa.Boolean),
    sa.Column("embed_fault", sa.Text),
    sa.Column("embed_looked_at", Utc),
    # ours: first connected, last installed, last removed
    sa.Column("connected_at", Utc, nullable=False),
    sa.Column("installed_at", Utc, nullable=False),
    sa.Column("uninstalled_at", Utc),
    # the change up to which the platform's list of orders was looked through; NULL: never
    sa.Column("reconciled_until", Utc),
    sa.UniqueConstraint("platform", "domain"),
)

#: What impact.com told a store: one row a store, gone with the credentials it was told to.
setups = sa.Table(
    "setups",
    metadata,
    sa.Column("store_id", _of("stores"), primary_key=True, autoincrement=False),
    sa.Column("account_sid", sa.String(64), nullable=False),
    # the domain's Told
    sa.Column("told", sa.JSON, nullable=False),
    sa.Column("told_at", Utc, nullable=False),
)

#: Every version of a store's rules: what was reported goes on being judged by those it was reported by.
rule_versions = sa.Table(
    "rule_versions",
    metadata,
    sa.Column("store_id", _of("stores"), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("rules", sa.JSON, nullable=False),
    # NULL: saved before a history was kept
    sa.Column("saved_at", Utc),
    # who saved it, in words: a page, a command, an installation
    sa.Column("saved_by", sa.String(255), nullable=False, server_default=""),
)

#: One row for each impact.com account: who may call, and when.
accounts = sa.Table(
    "accounts",
    metadata,
    sa.Column("sid", sa.String(64), primary_key=True),
    # NULL: not held. Held until the credentials change.
    sa.Column("held_reason", sa.String(40)),
    sa.Column("held_at", Utc),
    # NULL or past: may call. Set from the network's rate answers.
    sa.Column("resume_at", Utc),
)

#: The inbox: what a platform delivered, before anybody has looked into it.
deliveries = sa.Table(
    "deliveries",
    metadata,
    _id(),
    sa.Column("platform", sa.String(16), nullable=False),
    sa.Column("domain", sa.String(255), nullable=False),
    sa.Column("topic", sa.String(64), nullable=False),
    # what makes a delivery one delivery: the platform's id for it, else a digest of the body
    sa.Column("delivery_key", sa.String(128), nullable=False),
    sa.Column("event_id", sa.String(128)),
    sa.Column("api_version", sa.String(16)),
    sa.Column("triggered_at", Utc),
    sa.Column("received_at", Utc, nullable=False),
    # NULL: expired or redacted
    sa.Column("body", sa.LargeBinary),
    # pending | settled | parked (a person or an installation is waited for)
    sa.Column("state", sa.String(12), nullable=False, server_default="pending"),
    # why it was settled or parked: a slug of domain.reasons; NULL while pending
    sa.Column("reason", sa.String(40)),
    sa.Column("detail", sa.Text),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    sa.Column("not_before", Utc, nullable=False),
    # NULL while nobody works on it
    sa.Column("claimed_at", Utc),
    sa.Column("settled_at", Utc),
    # the order it spoke of, once read
    sa.Column("order_key", sa.String(64)),
    sa.UniqueConstraint("platform", "domain", "topic", "delivery_key"),
)
sa.Index(
    "ix_deliveries_due",
    deliveries.c.not_before,
    deliveries.c.id,
    sqlite_where=deliveries.c.state == "pending",
    postgresql_where=deliveries.c.state == "pending",
)
sa.Index("ix_deliveries_order", deliveries.c.platform, deliveries.c.domain, deliveries.c.order_key)
sa.Index("ix_deliveries_received", deliveries.c.received_at)

orders = sa.Table(
    "orders",
    metadata,
    _id(),
    sa.Column("store_id", _of("stores"), nullable=False),
    # from the platform
    sa.Column("order_key", sa.String(64), nullable=False),
    sa.Column("number", sa.String(64), nullable=False),
    sa.Column("placed_at", Utc, nullable=False),
    sa.Column("changed_at", Utc, nullable=False),
    # the newest neutral Order, as domain.orders has it, in JSON
    sa.Column("snapshot", sa.Text, nullable=False),
    # the verdict: reported | withheld | waiting | attention, its reason, and what it rests on
    sa.Column("verdict", sa.String(12), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("evidence", sa.JSON, nullable=False),
    sa.Column("rules_version", sa.Integer, nullable=False),
    sa.Column("carrier", sa.String(24)),
    sa.Column("click_id", sa.String(64)),
    # net commissionable amount in the currency's smallest unit; NULL: could not be worked out
    sa.Column("net_minor", sa.BigInteger),
    sa.Column("currency", sa.String(3), nullable=False),
    # ours
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("judged_at", Utc, nullable=False),
    # what pages count and search by: the day it was placed, in UTC; the code that is reported; who is
    # credited; the digest of the buyer's address, NULL where it is not kept
    sa.Column("placed_on", sa.Date),
    sa.Column("promo_code", sa.String(255)),
    sa.Column("partner_name", sa.String(255)),
    sa.Column("email_sha1", sa.String(40)),
    # what a person decided: a slug of domain.decisions; NULL: nothing
    sa.Column("decision", sa.String(16)),
    # what clicks that come beside the order are joined by; NULL: unknown, or a customer asked to be forgotten
    sa.Column("checkout_token", sa.String(128)),
    sa.Column("cart_token", sa.String(128)),
    # when to look for its click again, NULL: nothing is expected; looks at the platform's record of visits
    # that are left, NULL: nobody has looked
    sa.Column("click_due_at", Utc),
    sa.Column("click_looks_left", sa.Integer),
    sa.UniqueConstraint("store_id", "order_key"),
)
sa.Index("ix_orders_placed", orders.c.store_id, orders.c.placed_at)
# The orders a change of settings must reach: few, whatever the table holds.
_OPEN = orders.c.verdict.in_(("waiting", "attention"))
sa.Index(
    "ix_orders_open", orders.c.store_id, orders.c.rules_version, sqlite_where=_OPEN, postgresql_where=_OPEN
)
sa.Index("ix_orders_verdict", orders.c.store_id, orders.c.verdict, orders.c.reason)
sa.Index("ix_orders_email", orders.c.store_id, orders.c.email_sha1)
sa.Index("ix_orders_number", orders.c.store_id, orders.c.number)
sa.Index("ix_orders_click", orders.c.store_id, orders.c.click_id)
sa.Index("ix_orders_code", orders.c.store_id, orders.c.promo_code)
sa.Index("ix_orders_partner", orders.c.store_id, orders.c.partner_name)
sa.Index("ix_orders_checkout", orders.c.store_id, orders.c.checkout_token)
sa.Index("ix_orders_cart", orders.c.store_id, orders.c.cart_token)
sa.Index(
    "ix_orders_click_due",
    orders.c.click_due_at,
    sqlite_where=orders.c.click_due_at.is_not(None),
    postgresql_where=orders.c.click_due_at.is_not(None),
)
# Holds all that the overview counts, in the order in which it groups: it counts from this alone.
sa.Index(
    "ix_orders_counted",
    *(
        orders.c[name]
        for name in (
            "store_id",
            "placed_on",
            "verdict",
            "reason",
            "currency",
            "carrier",
            "partner_name",
            "promo_code",
            "net_minor",
        )
    ),
)

#: Clicks that reached the app beside an order: at most one for each checkout, cart or customer.
clicks = sa.Table(
    "clicks",
    metadata,
    _id(),
    sa.Column("store_id", _of("stores"), nullable=False),
    # checkout | cart: a storefront told of it, the key is the token
    # customer: an order carried it, the key is the buyer's id
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("key", sa.String(128), nullable=False),
    # the order that it named, or that carried it; NULL: none
    sa.Column("order_key", sa.String(64)),
    sa.Column("click", sa.String(64), nullable=False),
    # granted | unknown
    sa.Column("consent", sa.String(8), nullable=False),
    # checkout_started | checkout_completed | order
    sa.Column("event", sa.String(24), nullable=False),
    # ours
    #   received_at, first_at   when it came last and first
    #   completed_at            frozen since then; NULL: a newer click still replaces it
    #   expires_at              when it goes, unless an order came
    #   look_at                 when to look for its order; NULL: it need not be looked for
    sa.Column("received_at", Utc, nullable=False),
    sa.Column("first_at", Utc, nullable=False),
    sa.Column("completed_at", Utc),
    sa.Column("expires_at", Utc, nullable=False),
    sa.Column("look_at", Utc),
    sa.UniqueConstraint("store_id", "kind", "key"),
)
sa.Index("ix_clicks_first", clicks.c.store_id, clicks.c.first_at)
sa.Index("ix_clicks_expires", clicks.c.expires_at)
sa.Index(
    "ix_clicks_look",
    clicks.c.look_at,
    sqlite_where=clicks.c.look_at.is_not(None),
    postgresql_where=clicks.c.look_at.is_not(None),
)

#: What impact.com has acknowledged of an order; one row for each (event type, order id) there: the order
#: itself, and what was added to it later.
conversions = sa.Table(
    "conversions",
    metadata,
    _id(),
    sa.Column("order_row_id", _of("orders"), nullable=False),
    # 1: the order; 2 and on: items added to it after it was reported
    sa.Column("part", sa.Integer, nullable=False, server_default="1"),
    sa.Column("account_sid", sa.String(64), nullable=False),
    sa.Column("event_type_id", sa.String(10), nullable=False),
    sa.Column("network_order_id", sa.String(64), nullable=False),
    # the domain's Reported: what stands there now
    sa.Column("reported", sa.JSON, nullable=False),
    # the version of the rules it was reported by, and is judged by until a re-map; NULL: the newest
    sa.Column("rules_version", sa.Integer),
    # where the network tells what became of the submission; NULL: it named nothing. Not kept for changes.
    sa.Column("queued_uri", sa.Text),
    sa.Column("accepted_at", Utc, nullable=False),
    sa.Column("changed_at", Utc, nullable=False),
    # changes of the action that impact.com has accepted since, of the 1,000 that it allows
    sa.Column("changes", sa.Integer, nullable=False, server_default="0"),
    # ours: reading back
    #   check_at         when to look next, or until when somebody is looking; NULL: nothing is left to learn
    #   checks           looks without a last word, since impact.com last accepted something
    #   checked_at       last look that was answered; NULL: none yet
    sa.Column("check_at", Utc),
    sa.Column("checks", sa.Integer, nullable=False, server_default="0"),
    sa.Column("checked_at", Utc),
    # what came of it
    #   finding          domain.verification.Finding; NULL: impact.com has not told yet
    #   finding_detail   what impact.com said, or why it could not be asked
    sa.Column("finding", sa.String(16)),
    sa.Column("finding_detail", sa.Text, nullable=False, server_default=""),
    # from impact.com: the action as last listed; NULL: none known.
    #   action_amount, payout   decimals as text, exactly as told, both in action_currency
    #   locking_date            from then on nothing can be changed
    #   repairs                 how often it was set right since impact.com last held what was reported
    sa.Column("repairs", sa.Integer, nullable=False, server_default="0"),
    sa.Column("action_id", sa.String(64)),
    sa.Column("partner_id", sa.String(64)),
    sa.Column("partner_name", sa.String(255)),
    sa.Column("action_state", sa.String(16)),
    sa.Column("action_amount", sa.String(40)),
    sa.Column("action_currency", sa.String(8)),
    sa.Column("payout", sa.String(40)),
    sa.Column("locking_date", Utc),
    sa.UniqueConstraint("order_row_id", "part"),
)
sa.Index(
    "ix_conversions_check",
    conversions.c.check_at,
    sqlite_where=conversions.c.check_at.is_not(None),
    postgresql_where=conversions.c.check_at.is_not(None),
)

#: Look-ups of the last hour, a row each: what several workers count an account's budget by.
lookups = sa.Table(
    "lookups",
    metadata,
    _id(),
    sa.Column("account_sid", sa.String(64), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Index("ix_lookups_account", "account_sid", "at"),
)

#: The outbox: one call to make, its payload frozen when the order was judged.
steps = sa.Table(
    "steps",
    metadata,
    _id(),
    sa.Column("store_id", _of("stores"), nullable=False),
    sa.Column("order_row_id", _of("orders"), nullable=False),
    sa.Column("account_sid", sa.String(64), nullable=False),
    # the conversion it is about
    sa.Column("part", sa.Integer, nullable=False, server_default="1"),
    # submit | modify | reverse | restore
    sa.Column("kind", sa.String(8), nullable=False),
    sa.Column("method", sa.String(6), nullable=False),
    sa.Column("path", sa.Text, nullable=False),
    sa.Column("form", sa.JSON, nullable=False),
    # what impact.com holds once it has accepted this: the domain's Reported
    sa.Column("outcome_reported", sa.JSON, nullable=False),
    # the version of the rules that planned it; NULL: written before this was kept
    sa.Column("rules_version", sa.Integer),
    # pending | in_flight | accepted | rejected | gave_up | replaced | shadow (written down, never sent)
    sa.Column("state", sa.String(12), nullable=False),
    # why it is where it is: NULL until the first attempt
    sa.Column("reason", sa.String(40)),
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", Utc, nullable=False),
    sa.Column("not_before", Utc, nullable=False),
    # give up after this many hours counts from here; moved by a replay
    sa.Column("trying_since", Utc, nullable=False),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    # once true, the payload stays as it is: impact.com may hold it already
    sa.Column("may_have_arrived", sa.Boolean, nullable=False, server_default=sa.false()),
    # NULL while nobody works on it
    sa.Column("claimed_at", Utc),
    sa.Column("claimed_by", sa.String(64)),
    sa.Column("settled_at", Utc),
)
# One step in flight per order: a second open one cannot even be written.
sa.Index(
    "uq_steps_open",
    steps.c.order_row_id,
    unique=True,
    sqlite_where=steps.c.state.in_(("pending", "in_flight")),
    postgresql_where=steps.c.state.in_(("pending", "in_flight")),
)
sa.Index(
    "ix_steps_due",
    steps.c.not_before,
    steps.c.id,
    sqlite_where=steps.c.state.in_(("pending", "in_flight")),
    postgresql_where=steps.c.state.in_(("pending", "in_flight")),
)
sa.Index("ix_steps_order", steps.c.order_row_id)

#: Actions that impact.com lists and this app did not report, as by the app that was here before.
unknown_actions = sa.Table(
    "unknown_actions",
    metadata,
    _id(),
    # from impact.com, as last listed; amount is a decimal as text, exactly as told
    sa.Column("account_sid", sa.String(64), nullable=False),
    sa.Column("campaign_id", sa.String(10), nullable=False),
    sa.Column("action_id", sa.String(255), nullable=False),
    sa.Column("network_order_id", sa.String(255), nullable=False),
    sa.Column("event_type_id", sa.String(255), nullable=False),
    sa.Column("event_date", Utc),
    sa.Column("amount", sa.String(40), nullable=False),
    sa.Column("currency", sa.String(8), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("partner_id", sa.String(255), nullable=False),
    # ours; resolved_at NULL: still nobody's
    sa.Column("first_seen", Utc, nullable=False),
    sa.Column("last_seen", Utc, nullable=False),
    sa.Column("resolved_at", Utc),
    sa.UniqueConstraint("account_sid", "action_id"),
)
sa.Index("ix_unknown_actions_order", unknown_actions.c.account_sid, unknown_actions.c.network_order_id)

#: Each call made, whatever came of it.
attempts = sa.Table(
    "attempts",
    metadata,
    _id(),
    sa.Column("step_id", _of("steps"), nullable=False, index=True),
    sa.Column("started_at", Utc, nullable=False),
    sa.Column("ended_at", Utc, nullable=False),
    # accepted | rejected | not_sent | uncertain
    sa.Column("outcome", sa.String(12), nullable=False),
    sa.Column("reason", sa.String(40), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    # NULL: no answer came
    sa.Column("status", sa.Integer),
    sa.Column("answer", sa.Text, nullable=False),
)

#: Product facts looked up once and kept a while, so that an order never waits for them.
products = sa.Table(
    "products",
    metadata,
    sa.Column("store_id", _of("stores"), primary_key=True),
    sa.Column("product_id", sa.String(64), primary_key=True),
    sa.Column("product_type", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("looked_up_at", Utc, nullable=False),
)

#: How many orders a store says it has of each day (UTC), when it was last asked.
balances = sa.Table(
    "balances",
    metadata,
    sa.Column("store_id", _of("stores"), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("orders_there", sa.Integer, nullable=False),
    sa.Column("counted_at", Utc, nullable=False),
)

#: What people did by hand; order_key NULL: to many orders at once, as the detail says.
acts = sa.Table(
    "acts",
    metadata,
    _id(),
    sa.Column("store_id", _of("stores"), nullable=False),
    sa.Column("act", sa.String(24), nullable=False),
    sa.Column("by", sa.String(255), nullable=False),
    sa.Column("at", Utc, nullable=False),
    sa.Column("order_key", sa.String(64)),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Index("ix_acts_order", "store_id", "order_key"),
)

#: What is not as it should be in a store, and what it is worth; one row a cause and subject while it lasts.
alerts = sa.Table(
    "alerts",
    metadata,
    _id(),
    sa.Column("store_id", _of("stores"), nullable=False),
    # domain.alerts.Cause, and what of it: an account, a reason, a currency; "" where there is but one
    sa.Column("cause", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(255), nullable=False, server_default=""),
    # as last seen: a sentence, and the orders and money it is about
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("money", sa.Text, nullable=False),
    sa.Column("raised_at", Utc, nullable=False),
    # since when it has looked well again; NULL: it does not. Soon after it is over
    sa.Column("calm_since", Utc),
    # NULL: open
    sa.Column("over_at", Utc),
    # when the message about its beginning and its end were queued; NULL: not yet
    sa.Column("told_at", Utc),
    sa.Column("over_told_at", Utc),
)
_LASTS = alerts.c.over_at.is_(None)
sa.Index(
    "uq_alerts_open",
    alerts.c.store_id,
    alerts.c.cause,
    alerts.c.subject,
    unique=True,
    sqlite_where=_LASTS,
    postgresql_where=_LASTS,
)
sa.Index("ix_alerts_store", alerts.c.store_id, alerts.c.id)

#: Where a store's alerts and digests go.
channels = sa.Table(
    "channels",
    metadata,
    sa.Column("store_id", _of("stores"), primary_key=True),
    sa.Column("addresses", sa.JSON, nullable=False),
    # locked by the vault, since who knows it can write there; NULL: none
    sa.Column("webhook_url", sa.Text),
    # none | daily | weekly
    sa.Column("digest", sa.String(8), nullable=False),
    # the last day that a digest has told of; NULL: none is sent
    sa.Column("digest_until", sa.Date),
)

#: Messages to people, kept until they are sent: another outbox.
messages = sa.Table(
    "messages",
    metadata,
    _id(),
    sa.Column("store_id", _of("stores"), nullable=False),
    # email | webhook; a webhook's address is the one the store has when it is sent, so recipient is ""
    sa.Column("channel", sa.String(8), nullable=False),
    sa.Column("recipient", sa.String(255), nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    # the same for a mail reader that shows HTML; NULL: text alone
    sa.Column("html", sa.Text),
    # pending | sent | gave_up
    sa.Column("state", sa.String(8), nullable=False, server_default="pending"),
    sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
    # what stood in the way last
    sa.Column("detail", sa.Text, nullable=False, server_default=""),
    sa.Column("created_at", Utc, nullable=False),
    # when to try next, or until when somebody is trying
    sa.Column("not_before", Utc, nullable=False),
    sa.Column("settled_at", Utc),
)
sa.Index(
    "ix_messages_due",
    messages.c.not_before,
    messages.c.id,
    sqlite_where=messages.c.state == "pending",
    postgresql_where=messages.c.state == "pending",
)

#: Tests that somebody follows from a click to the booked action; the newest of a store is shown.
trials = sa.Table(
    "trials",
    metadata,
    _id(),
    sa.Column("store_id", _of("stores"), nullable=False),
    # what its order is known by
    sa.Column("click", sa.String(64), nullable=False),
    # the app made the click, so impact.com knows of none
    sa.Column("is_own", sa.Boolean, nullable=False),
    # the address to follow
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("by", sa.String(255), nullable=False),
    sa.Column("started_at", Utc, nullable=False),
    # from impact.com, asked while somebody looks at the page: when last, NULL: not yet; and what it told
    sa.Column("looked_at", Utc),
    sa.Column("told", sa.JSON, nullable=False),
)
sa.Index("ix_trials_store", trials.c.store_id, trials.c.id)

#: What customers and platforms asked to be done with personal data, and when it was done.
privacy_requests = sa.Table(
    "privacy_requests",
    metadata,
    _id(),
    sa.Column("platform", sa.String(16), nullable=False),
    sa.Column("domain", sa.String(255), nullable=False),
    # customers/data_request | customers/redact | shop/redact
    sa.Column("topic", sa.String(64), nullable=False),
    sa.Column("order_keys", sa.JSON, nullable=False),
    sa.Column("received_at", Utc, nullable=False),
    sa.Column("done_at", Utc, nullable=False),
    sa.Column("summary", sa.Text, nullable=False),
)
