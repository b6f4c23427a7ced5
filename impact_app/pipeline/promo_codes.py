"""Learning once a day which promo codes belong to a partner, so that the right one of several is reported."""

from __future__ import annotations

from datetime import datetime

import structlog

from impact_app.ledger.stores import Stores
from impact_app.ledger.vault import Unreadable
from impact_app.transports.api.client import ImpactApi
from impact_app.transports.api.promo_codes import NotListed, partner_codes

log = structlog.get_logger()


def refresh(stores: Stores, api: ImpactApi, now: datetime) -> None:
    """Ask for every configured store; one that cannot be asked keeps the codes it has."""
    for store in stores.all():
        if store.state != "connected" or not store.campaign_id:
            continue
        try:
            credentials = stores.credentials(store.id)
            if credentials is None:
                continue
            codes = partner_codes(api, credentials.account_sid, credentials.auth_token, store.campaign_id)
        except (NotListed, Unreadable) as fault:
            log.warning("promo_codes.not_listed", store=store.id, fault=str(fault))
            continue
        stores.save_promo_codes(store.id, codes, now=now)
        log.info("promo_codes.listed", store=store.id, codes=len(codes))
