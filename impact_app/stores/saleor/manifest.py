"""What a Saleor reads when the app is installed: who it is, what it may do, what it wants to hear.

It is read once. A later change does not reach installed shops until they install again.
Source: Saleor 3.20 to 3.23, see NOTES.md.
"""

from __future__ import annotations

from typing import Any

from impact_app.stores.saleor.documents import EVENTS, Version, subscription
from impact_app.stores.saleor.install import PERMISSIONS

APP_ID = "impact.conversions"

#: The release lines whose schema the documents were held against; the next major may be another API.
REQUIRED_VERSION = ">=3.20 <4"


def manifest(app_url: str, version: Version) -> dict[str, Any]:
    """The manifest for a Saleor of this version; `app_url` is where this app is reached, without a slash."""
    return {
        "id": APP_ID,
        "version": "1.0.0",
        "name": "impact.com conversions",
        "about": "Reports paid orders to impact.com, once each, with the right money, and follows refunds.",
        "author": "The shop's own installation",
        "permissions": list(PERMISSIONS),
        "appUrl": f"{app_url}/saleor/",
        "tokenTargetUrl": f"{app_url}/saleor/register",
        "requiredSaleorVersion": REQUIRED_VERSION,
        "extensions": extensions(app_url, version),
        "webhooks": [
            {
                "name": "Orders for impact.com",
                "asyncEvents": [*EVENTS, "APP_DELETED"],
                "query": subscription(version),
                "targetUrl": f"{app_url}/saleor/webhooks",
                "isActive": True,
            }
        ],
    }


def extensions(app_url: str, version: Version) -> list[dict[str, Any]]:
    """What the app adds to the dashboard's page of an order.

    The frame beside the order came with 3.22; a mount that a Saleor does not know fails the installation.
    """
    action = {
        "label": "impact.com: why (not) reported",
        "mount": "ORDER_DETAILS_MORE_ACTIONS",
        "target": "POPUP",
        "url": f"{app_url}/saleor/order",
        "permissions": list(PERMISSIONS),
    }
    beside = {
        "label": "impact.com",
        "mount": "ORDER_DETAILS_WIDGETS",
        "target": "WIDGET",
        "url": f"{app_url}/saleor/order-verdict",
        "permissions": list(PERMISSIONS),
        "options": {"widgetTarget": {"method": "GET"}},
    }
    return [action] if version < (3, 22) else [action, beside]
