"""Every reason a verdict can have, with what it means, what happens next, and who must act.

The pages, the docs and the command line all tell reasons from this table; a test fails where one is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Verdict(StrEnum):
    """Where an order stands, in the merchant's words."""

    REPORTED = "reported"
    WITHHELD = "withheld"
    WAITING = "waiting"
    ATTENTION = "attention"


class Reason(StrEnum):
    """Why an order has its verdict, or why a delivery was put aside."""

    # reported
    ACCEPTED = "accepted"
    CREDITED = "credited"
    NOT_CREDITED = "not_credited"
    # withheld: decided, final unless the order or the rules change
    NOT_PAID = "not_paid"
    TEST_ORDER = "test_order"
    POINT_OF_SALE = "point_of_sale"
    DRAFT_WITHOUT_CLICK = "draft_without_click"
    SUBSCRIPTION_RENEWAL = "subscription_renewal"
    FORMER_APP = "former_app"
    BOOKED_ELSEWHERE = "booked_elsewhere"
    IGNORED = "ignored"
    NO_CLICK_OR_CODE = "no_click_or_code"
    NO_CLICK = "no_click"
    NO_ATTRIBUTION_KEY = "no_attribution_key"
    ZERO_VALUE = "zero_value"
    TOO_OLD = "too_old"
    CANCELLED_BEFORE_REPORT = "cancelled_before_report"
    REFUNDED_BEFORE_REPORT = "refunded_before_report"
    SHADOW = "shadow"
    # reported, and nothing to change
    UNCHANGED = "unchanged"
    ADDED_ITEMS = "added_items"
    REVERSED = "reversed"
    REVERSED_FOR_GOOD = "reversed_for_good"
    TOO_LATE = "too_late"
    TOO_MANY_CHANGES = "too_many_changes"
    NOTHING_TO_CHANGE = "nothing_to_change"
    OLDER_SNAPSHOT = "older_snapshot"
    # waiting: goes on by itself
    QUEUED = "queued"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    NOT_CONNECTED = "not_connected"
    NO_ANSWER = "no_answer"
    UNREADABLE_ANSWER = "unreadable_answer"
    INTERRUPTED = "interrupted"
    NOT_CONFIGURED = "not_configured"
    HELD_IN_SHADOW = "held_in_shadow"
    AWAITING_CLICK = "awaiting_click"
    # attention: a person must act
    TOTALS_DISAGREE = "totals_disagree"
    CREDENTIALS_REFUSED = "credentials_refused"
    NOT_ALLOWED = "not_allowed"
    INVALID_FIELD = "invalid_field"
    REQUEST_FAILED = "request_failed"
    WRONG_ADDRESS = "wrong_address"
    REFUSED = "refused"
    GAVE_UP = "gave_up"
    CONVERSION_INVALID = "conversion_invalid"
    PROGRAM_INVALID = "program_invalid"
    DRIFTED = "drifted"
    # of a delivery, not of an order
    UNREADABLE_BODY = "unreadable_body"
    UNKNOWN_TOPIC = "unknown_topic"
    UNKNOWN_STORE = "unknown_store"
    STORE_UNINSTALLED = "store_uninstalled"
    JUDGED = "judged"
    HINT_ONLY = "hint_only"
    DONE = "done"


Actor = Literal["nobody", "merchant", "operator", "impact.com"]


@dataclass(frozen=True)
class Explanation:
    """A reason in words: what happened, what happens next, who must act.

    otherwise   what would have had the order reported; "" where nothing would, or where it is reported
    """

    verdict: Verdict | None
    happened: str
    next: str
    actor: Actor = "nobody"
    otherwise: str = ""


_W, _R, _Q, _A = Verdict.WITHHELD, Verdict.REPORTED, Verdict.WAITING, Verdict.ATTENTION
_STAYS = "It is judged again when the order changes; after a change of rules, replay it."
_RETRY = "It is sent again by itself under the same order number, for 72 hours."

EXPLANATIONS: dict[Reason, Explanation] = {
    Reason.ACCEPTED: Explanation(
        _R,
        "impact.com has accepted the conversion.",
        "What it made of it is read back, usually within two hours.",
    ),
    Reason.CREDITED: Explanation(
        _R, "impact.com has credited a partner with the order.", "Nothing is left to do."
    ),
    Reason.NOT_CREDITED: Explanation(
        _R,
        "impact.com has the order and pays nobody for it.",
        "That is an answer, not a failure. Later changes of the order are not sent.",
    ),
    Reason.NOT_PAID: Explanation(
        _W,
        "The order is not fully paid.",
        "It is judged again once it is paid.",
        otherwise="Payment in full.",
    ),
    Reason.TEST_ORDER: Explanation(
        _W,
        "The order was paid with a test gateway.",
        _STAYS,
        otherwise="The rule “Test orders” set to report them.",
    ),
    Reason.POINT_OF_SALE: Explanation(
        _W,
        "The order was taken at a point of sale.",
        _STAYS,
        otherwise="The rule “Point of sale” set to report them.",
    ),
    Reason.DRAFT_WITHOUT_CLICK: Explanation(
        _W,
        "Staff wrote this order, and it carries no click.",
        _STAYS,
        otherwise="A click on the order, or the rule “Draft orders without a click” set to report them.",
    ),
    Reason.SUBSCRIPTION_RENEWAL: Explanation(
        _W,
        "A subscription made this order as a renewal.",
        _STAYS,
        otherwise="The rule “Subscription renewals” set to report them.",
    ),
    Reason.FORMER_APP: Explanation(
        _W,
        "The order carries the former app's mark and was placed before this app took over.",
        "The former app reported it; a second report would pay the partner twice.",
        otherwise="An earlier moment in the rule “Reported by the former app until”.",
    ),
    Reason.IGNORED: Explanation(
        _W,
        "Somebody decided by hand not to report the order.",
        "A replay undoes that.",
        otherwise="A replay.",
    ),
    Reason.BOOKED_ELSEWHERE: Explanation(
        _W,
        "impact.com already holds an action for this order that this app did not report.",
        "It is not sent: a second report would pay the partner twice. Whoever reported it changes it, too.",
    ),
    Reason.NO_CLICK_OR_CODE: Explanation(
        _W,
        "The order carries neither a click nor a promo code.",
        _STAYS,
        otherwise="A click or a promo code on the order, or the rule “Which orders to report” set to all.",
    ),
    Reason.NO_CLICK: Explanation(
        _W,
        "The order carries no click, and the rules ask for one.",
        _STAYS,
        otherwise="A click on the order, or the rule “Which orders to report” set to take promo codes, too.",
    ),
    Reason.NO_ATTRIBUTION_KEY: Explanation(
        _W,
        "The order has no click, code or customer id: nothing impact.com could credit it by.",
        _STAYS,
        otherwise="A click, a promo code or a customer account on the order.",
    ),
    Reason.ZERO_VALUE: Explanation(
        _W,
        "Nothing in this order counts towards commission.",
        _STAYS,
        otherwise="An item that counts, or the rule “Orders worth nothing” set to report them.",
    ),
    Reason.TOO_OLD: Explanation(
        _W,
        "The order was placed more than 88 days ago; impact.com takes none that old.",
        "It is not sent.",
        otherwise="Hearing of it within 88 days of the purchase.",
    ),
    Reason.CANCELLED_BEFORE_REPORT: Explanation(
        _W, "The order was cancelled before it was reported.", "There is nothing to report."
    ),
    Reason.REFUNDED_BEFORE_REPORT: Explanation(
        _W, "The order was refunded in full before it was reported.", "There is nothing to report."
    ),
    Reason.SHADOW: Explanation(
        _W,
        "The order was judged in shadow mode: its call is written down, and was not sent.",
        "It is not sent by itself, even once the mode is live. Re-map or replay it then to send it.",
    ),
    Reason.UNCHANGED: Explanation(_R, "impact.com already holds what it should.", "Nothing is sent."),
    Reason.ADDED_ITEMS: Explanation(
        _R,
        "Items were added after the order was reported; impact.com cannot add items to an action.",
        "The items first reported stay as they are. The rule for added items can report them as a second "
        "conversion.",
    ),
    Reason.REVERSED: Explanation(
        _R, "impact.com holds the order as reversed: nothing is paid for it.", "Nothing is left to do."
    ),
    Reason.REVERSED_FOR_GOOD: Explanation(
        _R,
        "The order counts again, but its action was reversed, and what it first held is not known any more.",
        "Nothing is sent, so that it is never paid twice. Pay the partner at impact.com what is due.",
        "merchant",
    ),
    Reason.TOO_LATE: Explanation(
        _R,
        "The order changed, but its action is locked; impact.com changes nothing of it any more.",
        "Nothing is sent. Settle the difference with the partner, as by a funds transfer at impact.com.",
        "merchant",
    ),
    Reason.TOO_MANY_CHANGES: Explanation(
        _R,
        "The order changed, but its action has had the 1,000 changes that impact.com allows.",
        "Nothing is sent. Ask impact.com's support to make the change.",
        "merchant",
    ),
    Reason.NOTHING_TO_CHANGE: Explanation(
        _R,
        "The order changed, but it was reported with an amount of zero, which cannot be reversed.",
        "Nothing is sent, and nothing is paid for it.",
    ),
    Reason.OLDER_SNAPSHOT: Explanation(None, "A newer state of this order is known.", "It is not used."),
    Reason.QUEUED: Explanation(_Q, "The call to impact.com is written and due.", "It is sent in a moment."),
    Reason.SERVER_ERROR: Explanation(_Q, "impact.com answered with an error of its own.", _RETRY),
    Reason.RATE_LIMITED: Explanation(
        _Q, "The account's calls for this hour are used up.", "It is sent when the next hour begins."
    ),
    Reason.NOT_CONNECTED: Explanation(_Q, "impact.com could not be reached.", _RETRY),
    Reason.NO_ANSWER: Explanation(
        _Q, "impact.com gave no answer in time; the call may have arrived.", _RETRY
    ),
    Reason.UNREADABLE_ANSWER: Explanation(
        _Q, "The answer was not one impact.com gives; the call may have arrived.", _RETRY
    ),
    Reason.INTERRUPTED: Explanation(_Q, "The program stopped while it was sending.", _RETRY),
    Reason.NOT_CONFIGURED: Explanation(
        _Q,
        "The store has no impact.com account, campaign or event type yet.",
        "It is judged again once the settings are saved.",
        "merchant",
    ),
    Reason.HELD_IN_SHADOW: Explanation(
        _Q,
        "A call about an order that this app reported is due, and shadow mode sends nothing.",
        "It is sent once the mode is live.",
        "merchant",
    ),
    Reason.AWAITING_CLICK: Explanation(
        _Q,
        "The order carries no click, and one may still come: by the web pixel, or from Shopify's record of "
        "the visits before it.",
        "It is judged three minutes after it was placed at the latest. A later click still counts.",
    ),
    Reason.TOTALS_DISAGREE: Explanation(
        _A,
        "The items do not add up to the store's own subtotal to the cent.",
        "It is held, since a wrong amount would be paid out. Look at the sums, then replay.",
        "merchant",
    ),
    Reason.CREDENTIALS_REFUSED: Explanation(
        _A,
        "impact.com refused the account SID and token.",
        "Every order of this account waits. Enter working credentials in the settings; all are sent then.",
        "merchant",
    ),
    Reason.NOT_ALLOWED: Explanation(
        _A,
        "impact.com knows the credentials, but the token may not do this.",
        "Every order of this account waits. Give the token the Conversions scope, then save the settings.",
        "merchant",
    ),
    Reason.INVALID_FIELD: Explanation(
        _A, "impact.com refused a field of the conversion.", "Correct what is named, then replay.", "merchant"
    ),
    Reason.REQUEST_FAILED: Explanation(
        _A,
        "impact.com read the call and could not carry it out.",
        "Ask impact.com, then replay.",
        "impact.com",
    ),
    Reason.WRONG_ADDRESS: Explanation(
        _A,
        "There is nothing at impact.com under this address.",
        "Check IMPACT_API_URL, then replay.",
        "operator",
    ),
    Reason.REFUSED: Explanation(
        _A,
        "impact.com refused the call for a reason it did not name.",
        "Look at its answer, then replay.",
        "merchant",
    ),
    Reason.GAVE_UP: Explanation(
        _A, "impact.com could not be reached for 72 hours.", "Replay the order when it is back.", "merchant"
    ),
    Reason.CONVERSION_INVALID: Explanation(
        _A,
        "impact.com took the conversion, and could not book it because of what it says.",
        "Correct what impact.com names, then replay.",
        "merchant",
    ),
    Reason.PROGRAM_INVALID: Explanation(
        _A,
        "impact.com took the conversion, and could not book it under this campaign and event type.",
        "Correct them in the settings, or at impact.com and replay; it is sent again then.",
        "merchant",
    ),
    Reason.DRIFTED: Explanation(
        _A,
        "impact.com holds something else than was reported.",
        "It may be meant: somebody may have changed or reversed the action at impact.com. A replay sets it "
        "to what the order is worth.",
        "merchant",
    ),
    Reason.UNREADABLE_BODY: Explanation(
        None, "The delivery is signed but its body cannot be read.", "It is kept and shown.", "operator"
    ),
    Reason.UNKNOWN_TOPIC: Explanation(
        None, "The app does not know this topic.", "It is kept, and nothing is done."
    ),
    Reason.UNKNOWN_STORE: Explanation(
        None,
        "The delivery comes from a store that is not connected yet.",
        "It is read once the store connects.",
    ),
    Reason.STORE_UNINSTALLED: Explanation(
        None, "The store has removed the app.", "It is read if the store installs it again."
    ),
    Reason.JUDGED: Explanation(None, "The delivery was read and its order judged.", "Nothing is left to do."),
    Reason.HINT_ONLY: Explanation(
        None,
        "The delivery says that an order changed, without the order.",
        "The order's own update follows and decides.",
    ),
    Reason.DONE: Explanation(None, "What the delivery asked for was done.", "Nothing is left to do."),
}
