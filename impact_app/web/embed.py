"""Whether the app embed is on: Shopify's App Bridge tells our script, and our script tells the app."""

from __future__ import annotations

from flask import Response, abort, request

from impact_app.ledger.stores import Store
from impact_app.web.access import here, services
from impact_app.web.pages import pages

#: App Bridge's words, each as: whether the embed is on, and whether the published theme offers it.
#: Source: shopify.dev, App Bridge "App API", `activations[].status`, seen 2026-11.
WORDS = {"active": (True, True), "available": (False, True), "unavailable": (False, False)}


@pages.post("/setup/embed")
def note_embed() -> Response:
    """Keep what was told."""
    word, store = request.form.get("embed", ""), here().store
    if store.platform != "shopify" or word not in WORDS:
        abort(404, "There is no such state of the app embed.")
    is_on, is_deployed = WORDS[word]
    services().stores.note_embed(store.id, is_on=is_on, is_deployed=is_deployed, now=services().clock())
    return Response(status=204)


def embed_known(store: Store) -> str:
    """What is known of it, in App Bridge's word; "unknown" where nobody has told."""
    said = store.embed.is_on, store.embed.is_deployed
    return next((word for word, known in WORDS.items() if known == said), "unknown")
