"""Connected stores: their tokens, their impact.com account, and the merchant's rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import sqlalchemy as sa

from impact_app.domain.embed import Embed, Switch, Teller, after_a_look
from impact_app.ledger import outbox
from impact_app.ledger.database import Database
from impact_app.ledger.tables import accounts, deliveries, rule_versions, setups, stores
from impact_app.ledger.vault import Vault

#: Before every clock: what is due then is due at once.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)

#: The storefront is to be set up as the store stands now.
_CAPTURE_DUE: Mapping[str, Any] = {"capture_due_at": AT_ONCE, "capture_tries": 0}

#: Nothing is known of the app embed, and nobody has looked.
_NO_EMBED: Mapping[str, None] = {
    "embed_on": None,
    "embed_told_by": None,
    "embed_told_at": None,
    "embed_changed_at": None,
    "embed_theme": None,
    "embed_fault": None,
    "embed_deployed": None,
    "embed_looked_at": None,
}

_UNKNOWN_EMBED = Embed()

TokenKind = Literal["offline", "client_credentials", "pasted"]


@dataclass(frozen=True)
class Tokens:
    """What a platform gave us to call its API with. An expiry of None means: does not expire."""

    kind: TokenKind
    access: str
    access_expires_at: datetime | None = None
    refresh: str | None = None
    refresh_expires_at: datetime | None = None
    scopes: str = ""

    def __repr__(self) -> str:
        return f"Tokens(kind={self.kind!r}, access_expires_at={self.access_expires_at})"


@dataclass(frozen=True)
class Credentials:
    """What impact.com asks for with each call."""

    account_sid: str
    auth_token: str

    def __repr__(self) -> str:
        return f"Credentials(account_sid={self.account_sid!r})"


@dataclass(frozen=True)
class Store:
    """One store as everybody may see it: no secret is in here."""

    id: int
    platform: str
    domain: str
    state: Literal["connected", "uninstalled"]
    scopes: str
    token_kind: TokenKind | None
    reauthorize_reason: str | None
    account_sid: str | None
    has_auth_token: bool
    campaign_id: str | None
    event_type_id: str | None
    rules: Mapping[str, str]
    rules_version: int
    promo_codes: Sequence[Mapping[str, str]]
    promo_codes_at: datetime | None
    connected_at: datetime
    # what the platform told of the installation; its adapter knows the names
    installation: Mapping[str, Any]
    #: hosts of the shop as the platform tells them
    domains: Sequence[str] = ()
    #: the connected web pixel; None: none
    pixel_id: str | None = None
    #: what is missing of what the app sets up in the storefront; None: nothing
    capture_fault: str | None = None
    capture_checked_at: datetime | None = None
    #: when to set it up (again); None: nothing is due
    capture_due_at: datetime | None = None
    capture_tries: int = 0
    has_access_token: bool = False
    embed: Embed = _UNKNOWN_EMBED

    @property
    def is_configured(self) -> bool:
        """Whether orders of this store can be reported at all."""
        return bool(self.account_sid and self.has_auth_token and self.campaign_id and self.event_type_id)

    @property
    def is_shadow(self) -> bool:
        """Whether nothing of this store is sent; `outbox` holds to it as well, wherever a call comes from."""
        return self.rules.get("mode", "").strip() == "shadow"


@dataclass(frozen=True)
class RuleVersion:
    """The rules of a store as they were saved once. `saved_at` None: before a history was kept."""

    version: int
    rules: Mapping[str, str]
    saved_at: datetime | None
    saved_by: str


class Superseded(Exception):
    """Somebody saved other rules meanwhile; nothing was written."""


class Stores:
    """Reads and writes stores. Each method is one transaction of its own."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def find(self, platform: str, domain: str) -> Store | None:
        return self._one(stores.c.platform == platform, stores.c.domain == domain)

    def connected_at(self, domain: str) -> Store | None:
        """The connected store of this domain, on whichever platform it is."""
        query = sa.select(stores).where(stores.c.domain == domain, stores.c.state == "connected")
        with self._database.read() as connection:
            row = connection.execute(query.order_by(stores.c.id).limit(1)).one_or_none()
        return None if row is None else _store(row)

    def get(self, store_id: int) -> Store | None:
        return self._one(stores.c.id == store_id)

    def all(self) -> list[Store]:
        """Every store, connected or not, in the order they came."""
        with self._database.read() as connection:
            return [_store(row) for row in connection.execute(sa.select(stores).order_by(stores.c.id))]

    def connect(
        self,
        platform: str,
        domain: str,
        tokens: Tokens | None,
        *,
        now: datetime,
        installation: Mapping[str, Any] | None = None,
    ) -> Store:
        """Connect a store, or take up one that was here before with its settings and history as they were.

        `tokens=None` leaves those it has, and `installation=None` what is known of the installation.
        Deliveries that arrived before the store was known become due.
        """
        values: dict[str, Any] = {
            "state": "connected",
            "installed_at": now,
            "uninstalled_at": None,
            **_CAPTURE_DUE,
            **(self._locked(tokens) if tokens else {}),
            **({"installation": dict(installation)} if installation is not None else {}),
        }
        with self._database.write() as connection:
            known = stores.c.platform == platform, stores.c.domain == domain
            was = connection.execute(sa.select(stores.c.id, stores.c.state).where(*known)).one_or_none()
            if was is not None and was.state == "uninstalled":
                # The time away is not held against calls that waited for the store.
                outbox.renew_patience(connection, was.id, now)
            found = connection.execute(sa.update(stores).where(*known).values(values))
            if not found.rowcount:
                fresh = {"platform": platform, "domain": domain, "connected_at": now}
                made = sa.insert(stores).values(**fresh, rules={}, promo_codes=[], **values)
                row = connection.execute(made.returning(stores.c.id, stores.c.rules_version)).one()
                _keep_version(
                    connection, row.id, RuleVersion(row.rules_version, {}, now, "connecting the store")
                )
            connection.execute(
                sa.update(deliveries)
                .where(deliveries.c.platform == platform, deliveries.c.domain == domain)
                .where(deliveries.c.state == "parked", deliveries.c.body.is_not(None))
                .values(state="pending", reason=None, detail=None, not_before=now, claimed_at=None)
            )
            row = connection.execute(sa.select(stores).where(*known)).one()
        return _store(row)

    def save_tokens(self, store_id: int, tokens: Tokens) -> None:
        """Replace all tokens at once, so that no moment knows only one of a pair.

        A store that was removed meanwhile stays without.
        """
        with self._database.write() as connection:
            connection.execute(
                sa.update(stores)
                .where(stores.c.id == store_id, stores.c.state == "connected")
                .values(**self._locked(tokens))
            )

    def tokens(self, store_id: int) -> Tokens | None:
        """The store's tokens, or None while it has none. Raises `vault.Unreadable`."""
        with self._database.read() as connection:
            row = connection.execute(sa.select(stores).where(stores.c.id == store_id)).one_or_none()
        if row is None or row.access_token is None:
            return None
        return Tokens(
            kind=row.token_kind,
            access=self._vault.unlock(row.access_token),
            access_expires_at=row.access_expires_at,
            refresh=None if row.refresh_token is None else self._vault.unlock(row.refresh_token),
            refresh_expires_at=row.refresh_expires_at,
            scopes=row.scopes,
        )

    def save_installation(self, store_id: int, installation: Mapping[str, Any]) -> None:
        """Remember what the platform tells of the installation now, such as keys that it changed."""
        with self._database.write() as connection:
            values = {"installation": dict(installation)}
            connection.execute(sa.update(stores).where(stores.c.id == store_id).values(**values))

    def capture_soon(self, store_id: int) -> None:
        """Have the storefront looked at again, its theme included."""
        mine = sa.update(stores).where(stores.c.id == store_id, stores.c.state == "connected")
        with self._database.write() as connection:
            connection.execute(mine.values(embed_looked_at=None, **_CAPTURE_DUE))

    def needs_reauthorization(self, store_id: int, reason: str) -> None:
        """Remember that only a person can renew this store's token, and why."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(stores).where(stores.c.id == store_id).values(reauthorize_reason=reason)
            )

    def find_in(self, connection: sa.Connection, platform: str, domain: str) -> Store | None:
        """The store as this transaction sees it."""
        query = sa.select(stores).where(stores.c.platform == platform, stores.c.domain == domain)
        row = connection.execute(query).one_or_none()
        return None if row is None else _store(row)

    def get_in(self, connection: sa.Connection, store_id: int) -> Store | None:
        """The store as this transaction sees it."""
        row = connection.execute(sa.select(stores).where(stores.c.id == store_id)).one_or_none()
        return None if row is None else _store(row)

    def uninstall_in(
        self, connection: sa.Connection, store_id: int, *, since: datetime, now: datetime
    ) -> bool:
        """Forget the tokens and stop; settings and history stay for a re-install.

        False where the store was connected anew after `since`: a late notice must not undo that.
        """
        found = connection.execute(
            sa.update(stores)
            .where(stores.c.id == store_id, stores.c.installed_at <= since)
            .values(
                # With the app Shopify removes its pixel and its metafields.
                state="uninstalled",
                uninstalled_at=now,
                pixel_id=None,
                capture_due_at=None,
                **_NO_EMBED,
                **self._locked(None),
            )
        )
        return bool(found.rowcount)

    def save_scopes_in(self, connection: sa.Connection, store_id: int, scopes: str) -> None:
        """Remember what the store grants now."""
        mine = sa.update(stores).where(stores.c.id == store_id)
        connection.execute(mine.values(scopes=scopes, embed_looked_at=None, **_CAPTURE_DUE))

    def save_settings(
        self,
        store_id: int,
        *,
        account_sid: str | None = None,
        auth_token: str | None = None,
        campaign_id: str | None = None,
        event_type_id: str | None = None,
        rules: Mapping[str, str] | None = None,
        by: str = "",
        now: datetime | None = None,
    ) -> None:
        """Save what the merchant set; None keeps what is stored.

        Saving an account lifts a hold on it: the credentials are others, or may do more than before. Each
        save is a new version of the settings, by which orders judged under an older one are found; the
        history names when it was saved and `by` whom.
        """
        texts = {"account_sid": account_sid, "campaign_id": campaign_id, "event_type_id": event_type_id}
        values: dict[str, Any] = {name: text for name, text in texts.items() if text is not None}
        with self._database.write() as connection:
            if rules is None:
                rules = connection.scalar(sa.select(stores.c.rules).where(stores.c.id == store_id)) or {}
            values |= _next_version(connection, store_id, rules, by, now)
            if auth_token is not None:
                values["auth_token"] = self._vault.lock(auth_token)
                # What the former credentials were told says nothing of these.
                connection.execute(sa.delete(setups).where(setups.c.store_id == store_id))
            connection.execute(sa.update(stores).where(stores.c.id == store_id).values(**values))
            if account_sid is not None:
                _release(connection, account_sid)

    def save_rules(
        self,
        store_id: int,
        rules: Mapping[str, str],
        *,
        by: str,
        now: datetime,
        instead_of: int | None = None,
    ) -> None:
        """Save the rules alone, as a new version that names when it was saved and by whom.

        Raises `Superseded` where the rules are no longer those of the version `instead_of`.
        """
        with self._database.write() as connection:
            if instead_of is not None:
                _hold_to(connection, store_id, instead_of)
            values = _next_version(connection, store_id, rules, by, now)
            connection.execute(sa.update(stores).where(stores.c.id == store_id).values(**values))

    def take_capture(self, platform: str, now: datetime, until: datetime) -> Store | None:
        """Take a connected store whose storefront is to be set up; due again at `until` unless settled."""
        due = (
            sa.select(stores.c.id)
            .where(stores.c.platform == platform, stores.c.state == "connected")
            .where(stores.c.capture_due_at <= now, stores.c.access_token.is_not(None))
            .order_by(stores.c.capture_due_at, stores.c.id)
            .limit(1)
        )
        with self._database.read() as connection:
            if connection.execute(due).first() is None:
                return None
        taken = sa.update(stores).where(stores.c.id.in_(due.with_for_update(skip_locked=True)))
        with self._database.write() as connection:
            row = connection.execute(taken.values(capture_due_at=until).returning(stores)).one_or_none()
        return None if row is None else _store(row)

    def next_capture(self, platform: str) -> datetime | None:
        """When the next storefront is to be set up."""
        query = sa.select(sa.func.min(stores.c.capture_due_at)).where(
            stores.c.platform == platform,
            stores.c.state == "connected",
            stores.c.access_token.is_not(None),
        )
        with self._database.read() as connection:
            found: datetime | None = connection.scalar(query)
        return found

    def captured(
        self,
        store: Store,
        *,
        domains: Sequence[str],
        pixel_id: str | None,
        fault: str | None,
        now: datetime,
        next_at: datetime,
        scopes: str = "",
    ) -> None:
        """Note how a storefront was set up. Rules that were saved meanwhile leave it due.

        `scopes`: what the app may do there; kept where nobody told before, as with a token given by hand.
        """
        mine = sa.update(stores).where(stores.c.id == store.id, stores.c.state == "connected")
        is_newest = stores.c.rules_version == store.rules_version
        told: dict[str, Any] = {"domains": list(domains), "pixel_id": pixel_id, "capture_fault": fault}
        if scopes and not store.scopes:
            told["scopes"] = scopes
        with self._database.write() as connection:
            connection.execute(mine.values(**told, capture_checked_at=now, capture_tries=0))
            connection.execute(mine.where(is_newest).values(capture_due_at=next_at))

    def capture_failed(self, store: Store, fault: str, *, now: datetime, next_at: datetime) -> None:
        """Note why a storefront could not be set up; what was known of it stays."""
        mine = sa.update(stores).where(stores.c.id == store.id, stores.c.state == "connected")
        values = {"capture_fault": fault, "capture_checked_at": now, "capture_due_at": next_at}
        with self._database.write() as connection:
            connection.execute(mine.values(**values, capture_tries=stores.c.capture_tries + 1))

    def take_look(self, platform: str, now: datetime, every: timedelta) -> Store | None:
        """Take a connected store whose theme was not looked at for so long; it counts as looked at now."""
        due = sa.select(stores.c.id).where(*_look_due(platform, now, every)).order_by(stores.c.id).limit(1)
        with self._database.read() as connection:
            if connection.execute(due).first() is None:
                return None
        taken = sa.update(stores).where(stores.c.id.in_(due.with_for_update(skip_locked=True)))
        with self._database.write() as connection:
            row = connection.execute(taken.values(embed_looked_at=now).returning(stores)).one_or_none()
        return None if row is None else _store(row)

    def has_look_due(self, platform: str, now: datetime, every: timedelta) -> bool:
        """Whether a store's theme was not looked at for so long."""
        due = sa.select(stores.c.id).where(*_look_due(platform, now, every)).limit(1)
        with self._database.read() as connection:
            return connection.execute(due).first() is not None

    def note_embed(self, store_id: int, *, is_on: bool, is_deployed: bool, now: datetime) -> None:
        """Keep what Shopify's admin told of the app embed, and whether the published theme offers it at all.

        Of which theme it told is found by a look, which is due from now.
        """
        mine = sa.update(stores).where(stores.c.id == store_id)
        with self._database.write() as connection:
            _keep_embed(connection, store_id, is_on, "admin", None, now)
            connection.execute(mine.values(embed_deployed=is_deployed, embed_looked_at=None))

    def looked(self, store_id: int, seen: Switch, now: datetime) -> bool:
        """Keep what follows from a look at the published theme; whether the embed is on."""
        mine = sa.select(stores).where(stores.c.id == store_id, stores.c.state == "connected")
        with self._database.write() as connection:
            row = connection.execute(mine.with_for_update()).one_or_none()
            if row is None:
                return False
            is_on, told_by = after_a_look(_store(row).embed, seen)
            _keep_embed(connection, store_id, is_on, told_by, seen.theme, now)
        return is_on

    def not_looked(self, store_id: int, fault: str) -> None:
        """Note why the theme could not be read; what was known of it stays."""
        with self._database.write() as connection:
            connection.execute(sa.update(stores).where(stores.c.id == store_id).values(embed_fault=fault))

    def rule_versions(self, store_id: int) -> list[RuleVersion]:
        """Every version of the store's rules, the newest first."""
        query = sa.select(rule_versions).where(rule_versions.c.store_id == store_id)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(rule_versions.c.version.desc())).all()
        return [RuleVersion(row.version, row.rules, row.saved_at, row.saved_by) for row in rows]

    def restore_rules(
        self, store_id: int, version: int, by: str, *, now: datetime, instead_of: int | None = None
    ) -> int:
        """Make the rules of an earlier version the newest again; the new version's number.

        Raises LookupError where the store has no such version, and `Superseded` as `save_rules` does.
        """
        with self._database.write() as connection:
            rules = rules_of(connection, store_id, version)
            if rules is None:
                raise LookupError(f"There is no version {version} of this store's rules.")
            if instead_of is not None:
                _hold_to(connection, store_id, instead_of)
            values = _next_version(connection, store_id, rules, by, now)
            connection.execute(sa.update(stores).where(stores.c.id == store_id).values(**values))
        return int(values["rules_version"])

    def credentials(self, store_id: int) -> Credentials | None:
        """What to call impact.com with, or None while the merchant has set nothing."""
        with self._database.read() as connection:
            row = connection.execute(
                sa.select(stores.c.account_sid, stores.c.auth_token).where(stores.c.id == store_id)
            ).one_or_none()
        if row is None or not row.account_sid or not row.auth_token:
            return None
        return Credentials(row.account_sid, self._vault.unlock(row.auth_token))

    def save_promo_codes(self, store_id: int, codes: Sequence[Mapping[str, str]], *, now: datetime) -> None:
        """Remember which promo codes impact.com assigns to a partner."""
        with self._database.write() as connection:
            connection.execute(
                sa.update(stores)
                .where(stores.c.id == store_id)
                .values(promo_codes=[dict(code) for code in codes], promo_codes_at=now)
            )

    def renew_secrets(self) -> int:
        """Put every stored secret under the current key; the number of stores touched. Safe to repeat."""
        names = ("access_token", "refresh_token", "auth_token")
        with self._database.write() as connection:
            rows = connection.execute(sa.select(stores)).all()
            for row in rows:
                kept = {name: getattr(row, name) for name in names if getattr(row, name) is not None}
                renewed = {name: self._vault.renew(locked) for name, locked in kept.items()}
                if renewed:
                    connection.execute(sa.update(stores).where(stores.c.id == row.id).values(**renewed))
        return len(rows)

    def _one(self, *where: sa.ColumnElement[bool]) -> Store | None:
        with self._database.read() as connection:
            row = connection.execute(sa.select(stores).where(*where)).one_or_none()
        return None if row is None else _store(row)

    def _locked(self, tokens: Tokens | None) -> dict[str, Any]:
        return {
            "token_kind": tokens.kind if tokens else None,
            "access_token": self._vault.lock(tokens.access) if tokens else None,
            "access_expires_at": tokens.access_expires_at if tokens else None,
            "refresh_token": self._vault.lock(tokens.refresh) if tokens and tokens.refresh else None,
            "refresh_expires_at": tokens.refresh_expires_at if tokens else None,
            "scopes": tokens.scopes if tokens else "",
            "reauthorize_reason": None,
        }


def _look_due(platform: str, now: datetime, every: timedelta) -> tuple[sa.ColumnElement[bool], ...]:
    looked = stores.c.embed_looked_at
    return (
        stores.c.platform == platform,
        stores.c.state == "connected",
        stores.c.access_token.is_not(None),
        sa.or_(looked.is_(None), looked <= now - every),
    )


def _keep_embed(
    connection: sa.Connection, store_id: int, is_on: bool, told_by: Teller, theme: str | None, now: datetime
) -> None:
    since = sa.case((stores.c.embed_on.is_(is_on), stores.c.embed_changed_at), else_=now)
    told: dict[str, Any] = {"embed_on": is_on, "embed_told_by": told_by, "embed_told_at": now}
    told |= {"embed_changed_at": since, "embed_theme": theme}
    if theme is not None:
        told["embed_fault"] = None
    if is_on:
        told["embed_deployed"] = True
    mine = sa.update(stores).where(stores.c.id == store_id, stores.c.state == "connected")
    connection.execute(mine.values(**told))


def rules_of(connection: sa.Connection, store_id: int, version: int) -> Mapping[str, str] | None:
    """The rules as a version has them, or None where that version is not known."""
    found: Mapping[str, str] | None = connection.scalar(
        sa.select(rule_versions.c.rules).where(
            rule_versions.c.store_id == store_id, rule_versions.c.version == version
        )
    )
    return found


def _hold_to(connection: sa.Connection, store_id: int, version: int) -> None:
    """Keep the store's rules from everybody else, and see that they are those of a version.

    Saving the account makes a version, too, and leaves the rules as they were.
    """
    mine = sa.select(stores.c.rules).where(stores.c.id == store_id).with_for_update()
    if connection.execute(mine).scalar_one() != rules_of(connection, store_id, version):
        raise Superseded(f"The rules are no longer those of version {version}.")


def _next_version(
    connection: sa.Connection, store_id: int, rules: Mapping[str, str], by: str, now: datetime | None
) -> dict[str, Any]:
    """Keep a new version of the rules; the values that make it the store's newest."""
    before = sa.select(stores.c.rules_version).where(stores.c.id == store_id).with_for_update()
    version = connection.execute(before).scalar_one() + 1
    _keep_version(connection, store_id, RuleVersion(version, rules, now, by))
    return {"rules": dict(rules), "rules_version": version, **_CAPTURE_DUE}


def _keep_version(connection: sa.Connection, store_id: int, kept: RuleVersion) -> None:
    connection.execute(
        sa.insert(rule_versions).values(
            store_id=store_id,
            version=kept.version,
            rules=dict(kept.rules),
            saved_at=kept.saved_at,
            saved_by=kept.saved_by[:255],
        )
    )


def _release(connection: sa.Connection, account_sid: str) -> None:
    connection.execute(
        sa.update(accounts).where(accounts.c.sid == account_sid).values(held_reason=None, held_at=None)
    )


def _store(row: Any) -> Store:
    return Store(
        id=row.id,
        platform=row.platform,
        domain=row.domain,
        state=row.state,
        scopes=row.scopes,
        token_kind=row.token_kind,
        reauthorize_reason=row.reauthorize_reason,
        account_sid=row.account_sid,
        has_auth_token=row.auth_token is not None,
        campaign_id=row.campaign_id,
        event_type_id=row.event_type_id,
        rules=row.rules,
        rules_version=row.rules_version,
        promo_codes=row.promo_codes,
        promo_codes_at=row.promo_codes_at,
        connected_at=row.connected_at,
        domains=tuple(row.domains or ()),
        pixel_id=row.pixel_id,
        capture_fault=row.capture_fault,
        capture_checked_at=row.capture_checked_at,
        capture_due_at=row.capture_due_at,
        capture_tries=row.capture_tries,
        has_access_token=row.access_token is not None,
        installation=row.installation or {},
        embed=Embed(
            is_on=row.embed_on,
            told_by=row.embed_told_by,
            told_at=row.embed_told_at,
            changed_at=row.embed_changed_at,
            theme=row.embed_theme,
            fault=row.embed_fault,
            is_deployed=row.embed_deployed is not False,
        ),
    )
