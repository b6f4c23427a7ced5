"""The network's records as its API shows them; names and types from the OpenAPI files of Brand API v14."""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any

from . import money
from .actions import PENDING, Action, Item
from .attribution import valid_at
from .setup import Account, Campaign, Contract, PromoCode, Setup
from .submissions import Submission
from .values import iso

Record = dict[str, Any]


def _number(amount: Decimal) -> float:
    # The schema says "number". 15 digits pass through a float unchanged; amounts have at most 14.
    return float(amount)


def _moment(moment: datetime | None) -> str:
    return "" if moment is None else iso(moment)


def action(booked: Action, setup: Setup, now: datetime) -> Record:
    sent, campaign = booked.conversion.fields, setup.campaign(booked.conversion.campaign_id)
    amount, payout, tracked = booked.amount, booked.payout, booked.tracked_amount
    delta_amount = amount if booked.last_delta_amount is None else booked.last_delta_amount
    delta_payout = payout if booked.last_delta_payout is None else booked.last_delta_payout
    address = sent.get("IpAddress", "")
    return {
        "Id": booked.id,
        "CampaignId": booked.conversion.campaign_id,
        "CampaignName": campaign.name if campaign else "",
        "ActionTrackerId": booked.event_type.id,
        "ActionTrackerName": booked.event_type.name,
        "EventCode": booked.event_type.code,
        "MediaPartnerId": booked.partner.id,
        "MediaPartnerName": booked.partner.name,
        "State": booked.state(now),
        "AdId": 506720,
        "ClientCost": _number(payout),
        "Payout": _number(payout),
        "DeltaPayout": _number(delta_payout),
        "IntendedPayout": _number(booked.tracked_payout),
        "Amount": _number(amount),
        "DeltaAmount": _number(delta_amount),
        "IntendedAmount": _number(tracked),
        "Currency": booked.currency,
        "ReferringDate": iso(booked.referred_at),
        "EventDate": iso(booked.conversion.event_date),
        "CreationDate": iso(booked.created_at),
        "LockingDate": iso(booked.locking_date),
        "ClearedDate": "",
        "ReferringType": booked.referral,
        "ReferringDomain": "",
        "PromoCode": sent.get("OrderPromoCode", ""),
        "Oid": booked.order_id,
        "CustomerId": sent.get("CustomerId", ""),
        "CustomerStatus": booked.customer_status,
        "CustomerPostCode": sent.get("CustomerPostCode", ""),
        "CustomerArea": "",
        "CustomerCity": sent.get("CustomerCity", ""),
        "CustomerRegion": sent.get("CustomerRegion", ""),
        "CustomerCountry": sent.get("CustomerCountry", ""),
        "IpAddress": hashlib.sha256(address.encode()).hexdigest()[:32] if address else "",
        "SharedId": sent.get("SharedId", ""),
        "CallerId": sent.get("CallerId", ""),
        "Note": booked.note,
        "Uri": _action_uri(booked),
    }


def _action_uri(booked: Action) -> str:
    return f"/Advertisers/{booked.account_sid}/Actions/{booked.id}"


def item(booked: Action, line: Item) -> Record:
    return {
        "Sku": line.sku,
        "ItemName": line.name,
        "Category": line.category,
        "Quantity": str(line.quantity),
        "SaleAmount": money.text(line.amount, booked.currency),
        "SaleAmountCurrency": booked.currency,
        "Payout": _number(line.payout),
        "PayoutCurrency": booked.currency,
        "Rebate": _number(line.rebate),
        "RebateCurrency": booked.currency,
        "AdjustmentDate": _moment(line.adjusted_at),
        "AdjustmentReason": line.adjustment_reason,
        "Uri": f"{_action_uri(booked)}/Items/{line.sku}",
    }


def updates(booked: Action) -> Iterator[tuple[datetime, Record]]:
    """List the change log of one action with the time of each entry, its creation first, an entry an item."""
    for place, line in enumerate(booked.items):
        yield (
            booked.created_at,
            _update(
                booked,
                f"{booked.id}.{95_000_000 + place}",
                booked.created_at,
                state=PENDING,
                disposition="IR_BLANK",
                sku=line.sku,
                category=line.tracked_category,
                quantity=line.tracked_quantity,
                delta_amount=line.tracked_amount,
                delta_payout=line.tracked_payout,
            ),
        )
    for entry in booked.updates:
        yield (
            entry.at,
            _update(
                booked,
                entry.id,
                entry.at,
                state=entry.state,
                disposition=entry.disposition,
                sku=entry.item,
                category=entry.category,
                quantity=entry.quantity,
                delta_amount=entry.delta_amount,
                delta_payout=entry.delta_payout,
            ),
        )


def _update(
    booked: Action,
    update_id: str,
    at: datetime,
    *,
    state: str,
    disposition: str,
    sku: str,
    category: str,
    quantity: int,
    delta_amount: Decimal,
    delta_payout: Decimal,
) -> Record:
    return {
        "Id": update_id,
        "ActionId": booked.id,
        "CampaignId": booked.conversion.campaign_id,
        "ActionTrackerId": booked.event_type.id,
        "EventTypeId": str(booked.event_type.id),
        "EventTypeName": booked.event_type.name,
        "EventCode": booked.event_type.code,
        "MediaPartnerId": booked.partner.id,
        "State": state,
        "StateDetail": "",
        "StateDetailDescription": "",
        "AdId": 506720,
        "Disposition": disposition,
        "DeltaPayout": _number(delta_payout),
        "DeltaAmount": _number(delta_amount),
        "Currency": booked.currency,
        "Category": category,
        "Sku": sku,
        "Quantity": str(quantity),
        "CatalogName": "",
        "CatalogCategory": "",
        "CatalogDescription": "",
        "CatalogManufacturer": "",
        "CatalogOriginalFormatCategory": "",
        "CatalogSubCategory": "",
        "PayoutLevel": "ITEM",
        "DefaultPayoutRate": f"{booked.partner.rate * 100:f}",
        "ContractId": f"S-{booked.partner.id}",
        "UpdateDate": iso(at),
        "LockingDate": iso(booked.locking_date),
        "ClearingDate": "",
        "ActionDate": iso(booked.conversion.event_date),
        "Oid": booked.order_id,
        "CustomerId": booked.conversion.fields.get("CustomerId", ""),
        "CustomerStatus": booked.customer_status,
        "SharedId": booked.conversion.fields.get("SharedId", ""),
        "ActionUri": _action_uri(booked),
        "Uri": f"/Advertisers/{booked.account_sid}/ActionUpdates/{update_id}",
    }


def submission(queued: Submission, account: Account, setup: Setup, now: datetime) -> Record:
    return {
        "BatchId": queued.batch_id,
        "AccountId": account.number,
        "SubmissionDate": iso(queued.submitted_at),
        "CampaignId": queued.campaign_id,
        "ActionTrackerId": queued.event_type_id,
        "MediaPartnerId": queued.partner_id,
        "EventCode": queued.event_code,
        "OrderId": queued.order_id,
        "Payload": queued.payload,
        "Type": queued.type,
        "Status": queued.status(setup, now),
        "CompletionDate": _moment(queued.completed_at),
        "ErrorType": queued.error_type,
        "ErrorReason": queued.error_reason,
        "Uri": submission_uri(queued),
    }


def submission_uri(queued: Submission) -> str:
    return f"/Advertisers/{queued.account_sid}/APISubmissions/{queued.batch_id}"


def program(campaign: Campaign, account: Account) -> Record:
    return {
        "Id": campaign.id,
        "Name": campaign.name,
        "State": campaign.state,
        "Type": campaign.type,
        "ShortDescription": "",
        "PromoCodeTracking": campaign.promo_code_tracking,
        "TrackingDomain": campaign.tracking_domain,
        "ViewThroughCrediting": campaign.view_through,
        "IdentityMatching": "ACCOUNT",
        "GatewayTrackingSettings": {
            "DefaultLandingPage": campaign.landing_page,
            "MediaPartnerTrackingTemplate": campaign.tracking_template,
            "CampaignTrackingTemplate": campaign.program_template,
            "SSLSupport": True,
            "DeepLinking": campaign.deep_linking,
            "DeepLinkDomains": campaign.deep_link_domains,
            "UniqueClickWindowLength": "24h",
            "UniqueClickWindowType": "ROLLING",
        },
        "Uri": f"/Advertisers/{account.sid}/Campaigns/{campaign.id}",
    }


def contract(agreed: Contract, account: Account, setup: Setup, now: datetime) -> Record:
    """One contract; `ValidReferrals` tell a partner of its window. Whether they tell a brand is not known."""
    partner = setup.partner(agreed.partner_id)
    uri = f"/Advertisers/{account.sid}/Campaigns/{agreed.campaign_id}/Contracts/{agreed.id}"
    window = {"Type": "CLICKS", "Window": f"{agreed.window:g}", "WindowUnit": agreed.window_unit}
    payouts = [
        {
            "EventTypeId": kind.id,
            "EventTypeName": kind.name,
            "EventCategory": "SALE",
            "DefaultPayoutRate": _number((partner.rate if partner else Decimal(0)) * 100),
            "PayoutLevel": "ITEM",
            **({"CreditPolicy": "LAST_REFERRER", "ValidReferrals": [window]} if agreed.tells_window else {}),
        }
        for kind in setup.event_types
        if agreed.covers(kind)
    ]
    return {
        "Id": agreed.id,
        "PartnerId": agreed.partner_id,
        "PartnerValue1": "",
        "Status": agreed.status(now),
        "StartDate": _moment(agreed.start),
        "EndDate": _moment(agreed.end),
        "BrandSignatory": "Brand Person",
        "PartnerSignatory": partner.name if partner else "",
        "TemplateTerms": {
            "TemplateId": 99999,
            "VersionId": 1,
            "Name": "Public Terms",
            "Labels": [],
            "Currency": account.currency,
            "EventPayouts": payouts,
        },
        "HasCampaignTerms": False,
        "PdfUri": f"{uri}/Download",
        "Uri": uri,
    }


def promo_code(code: PromoCode, account: Account, setup: Setup, now: datetime) -> Record:
    campaign, partner = setup.campaign(code.campaign_id), setup.partner(code.partner_id)
    return {
        "Id": code.id,
        "Code": code.code,
        "Type": code.type,
        "CreditPolicy": code.credit_policy,
        "CampaignId": code.campaign_id,
        "CampaignName": campaign.name if campaign else "",
        "AssignedPartnerId": code.partner_id,
        "AssignedPartnerName": partner.name if partner else "",
        "StartDate": _moment(code.start),
        "EndDate": _moment(code.end),
        "State": promo_code_state(code, now),
        "DealId": None,
        "Uri": f"/Advertisers/{account.sid}/PromoCodes/{code.id}",
    }


def promo_code_state(code: PromoCode, now: datetime) -> str:
    return "ACTIVE" if valid_at(code, now) else "INACTIVE"


def company(account: Account) -> Record:
    return {
        "CompanyName": account.name,
        "Website": "https://shop.example/",
        "Timezone": "(GMT) Coordinated Universal Time",
        "Currency": account.currency,
        "Uri": f"/Advertisers/{account.sid}/CompanyInformation",
    }
