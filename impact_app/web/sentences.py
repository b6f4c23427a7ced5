"""Sentences with values in them, which the line writes in English, recognised so that pages translate them.

An order's detail, a fault, an alert are kept as they were first told: the same in the database, in the log
and in a mail. Here stands the pattern of each. A value's name says what it is:

    told     a sentence of this table itself, or several      amount, total   money, or orders with it
    number   a figure                                         rate            a share in percent
    day      2026-11-20                                       moment          a day with its time
    units    what an action holds of an item                  code            an error code of impact.com
    status   the number of an HTTP answer                     text            anything, shown as it stands

A name may go on after an underscore, so that one sentence can hold two of a kind.
"""

from __future__ import annotations

import re
from functools import cache

#: Longer texts come from elsewhere: no sentence of ours grows to that.
_LONGEST = 1000

_AMOUNT = r"-?\d[\d,]*(?:\.\d+)? [A-Z]{3}"
_SHAPES = {
    "told": r".+",
    "amount": _AMOUNT,
    "total": rf"\d[\d,]* orders?(?:, {_AMOUNT})*",
    "number": r"-?\d[\d,]*(?:\.\d+)?",
    "rate": r"\d+(?:\.\d+)?%",
    "day": r"\d{4}-\d\d-\d\d",
    "moment": r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?|\d\d? [A-Z][a-z]{2} \d{4}, \d\d:\d\d",
    "units": r"none|\d+ for -?\d+(?:\.\d+)?",
    "code": r"[A-Z][A-Z0-9_]+",
    "status": r"\d{3}",
    "text": r".+?",
}
_VALUE = re.compile(r"%\((\w+)\)s")

#: The first that fits is taken, so what is more particular stands first.
PATTERNS: tuple[str, ...] = (
    # What is said of an order, beside its reason.
    "It waits until %(moment)s UTC.",
    "The platform says %(text)s.",
    "Made by %(text)s.",
    "Placed %(number)s days before.",
    "Locked since %(day)s.",
    "impact.com holds %(amount)s, the order is worth %(amount_ours)s: %(amount_apart)s too much.",
    "impact.com holds %(amount)s, the order is worth %(amount_ours)s: %(amount_apart)s too little.",
    "impact.com holds %(amount)s, the order is worth %(amount_ours)s; only units differ.",
    "The order is too old for another conversion.",
    "They are reported once they are paid.",
    "The items come to %(amount)s as ordered; the store says %(amount_store)s.",
    "The items kept come to %(amount)s; the store says %(amount_store)s.",
    "%(text)s: %(number)s has more digits than %(text_currency)s allows.",
    "%(text)s: its discounts and refunds exceed its price.",
    "%(text)s: %(amount)s cannot be charged.",
    "Action %(text_id)s for order id %(text_order)s: %(amount)s, %(text_state)s, partner unknown.",
    "Action %(text_id)s for order id %(text_order)s: %(amount)s, %(text_state)s, partner %(text_partner)s.",
    "Action %(text_id)s for order id %(text_order)s: %(amount)s, partner unknown.",
    "Action %(text_id)s for order id %(text_order)s: %(amount)s, partner %(text_partner)s.",
    # What impact.com makes of a conversion.
    "impact.com does not explain this code.",
    "impact.com does not list the action any more.",
    "State: reported reversed, impact.com holds not reversed.",
    "State: reported not reversed, impact.com holds reversed.",
    "Amount: reported %(number)s, impact.com holds %(number_held)s.",
    "Item %(text)s: reported %(units)s, impact.com holds %(units_held)s.",
    "%(amount)s too much.",
    "%(amount)s too little.",
    "Status %(status)s is not documented.",
    "It answered with a redirect.",
    "The answer is not the documented one.",
    "%(code)s: %(told)s",
    # Why a click does not count, and where it was found.
    "it is empty",
    "it is longer than %(number)s characters",
    "it contains blanks or control characters",
    "it contains characters that could not be read",
    "it came after the order was reported",
    "it names another order",
    "it came after the referral window",
    "it lies outside the referral window",
    "The platform's record of the visits before the order has it.",
    "%(text)s, received %(moment)s UTC.",
    "Order %(text)s of the same customer carried it, placed %(moment)s UTC.",
    # What an alert says.
    "Of the last %(number)s days' orders %(rate)s carry a click; usually %(rate_usual)s do.",
    "About %(total)s would have carried one and do not.",
    "In the last 7 days %(total)s came with a click; some of these would not be credited now.",
    "Known to be off since %(moment)s UTC.",
    "%(total)s came without a click since.",
    "No order came since.",
    "Usually %(rate)s of the orders carry one: about %(total)s are not credited.",
    "Usually %(rate)s of the orders carry one; those will not be credited.",
    "%(total)s: the 88 days end within %(number)s days.",
    "%(total)s: impact.com locks them within %(number)s days.",
    "%(total)s waits: %(told)s",
    "%(total)s wait: %(told)s",
    "%(total)s wait.",
    "Nothing has arrived since %(moment)s UTC.",
    "Usually about %(total)s would have come.",
    "impact.com holds %(total)s otherwise than reported.",
    "On %(day)s: %(total)s at the store, %(total_here)s with a verdict here.",
    # What is wrong with a rule; the page names it by its title.
    "“%(told)s” takes %(text)s or %(text_last)s, not %(text_given)s.",
    "“%(told)s” takes a whole number from %(number)s to %(number_most)s, not %(text)s.",
    "“%(told)s” takes 1 to %(number)s printable characters, not %(text)s.",
    "“%(told)s” takes names of URL parameters with commas between, not %(text)s.",
    "“%(told)s” takes hosts such as shop.example.fr with commas between, not %(text)s.",
    "“%(told)s” takes any of %(text_all)s with commas between, not %(text)s.",
    "“%(told)s” takes a date such as 2026-11-20, not %(text)s.",
    "“%(told)s” takes lines like 'country=DE,AT -> 1234:5678', not %(text)s.",
    "“%(told)s” knows the conditions %(text_all)s, not %(text)s.",
    "“%(told)s” has a quotation mark without its partner in %(text)s.",
    # What came of trying the account.
    "impact.com accepts these credentials.",
    "The account has currency %(text_currency)s and time zone %(text_zone)s.",
    "The account has currency %(text)s.",
    "The account has time zone %(text)s.",
    "impact.com refuses this account SID and auth token.",
    "impact.com knows these credentials, but the token may not read the account. That is no fault if it "
    "has the Conversions scope (and Actions, for refunds); the first order will show it.",
    "impact.com could not be reached, so the credentials could not be tried.",
    "impact.com could not answer just now (status %(status)s), so nothing was tried.",
    "The address of impact.com answered with status %(status)s, so the credentials could not be tried. "
    "Check IMPACT_API_URL.",
    "The address of impact.com answered with something else than an account, so the credentials could not "
    "be tried. Check IMPACT_API_URL.",
    # Why it is not known what the token may do.
    "impact.com could not be asked: %(told)s.",
    "no connection came about",
    "no answer came that could be read",
    "the time for asking was over",
    "the look-ups of this hour are used up",
    "it answered with status %(status)s before",
    "impact.com answered with status %(status)s.",
    "impact.com did not answer: %(text)s.",
    "impact.com's answer was no JSON.",
    "impact.com's answer was not the documented one.",
    "impact.com's answer is not the list that was asked for.",
    "Choose a program first: contracts are asked for by program.",
    "The app has asked impact.com as often as it may for now. Try again after %(text)s UTC.",
    # Why something was not done by hand.
    "Nothing of this order was reported, so there is nothing to take back.",
    "impact.com has this order, or may have it. Take it back instead.",
    "Only an order that stands at impact.com as it was first reported can be sent again.",
    "impact.com has listed this order, so it is not lost.",
    "A call of this order is under way already.",
    "The call that reported this order is no longer kept for this account.",
    # Why a message did not leave.
    "No mail server is set up: SMTP_URL and MAIL_FROM are to be set.",
    "The webhook's address cannot be read any more: enter it again.",
    "There is no webhook any more.",
    "The webhook is at a private address, which is not called.",
    "The webhook's host could not be reached.",
    "The webhook gave no answer in time.",
    "The webhook did not take the message: it answered %(status)s.",
    "The mail server refused the user and password of SMTP_URL.",
    "The mail server refused the address.",
    "The mail server refused the address of MAIL_FROM.",
    "The mail server does not offer what SMTP_URL asks for (TLS or a login).",
    "The mail server did not take the message.",
    "The mail server's certificate is not trusted, or is another host's.",
    "No secure connection to the mail server came about.",
    "The mail server could not be reached.",
    "The message cannot be mailed.",
    # What became of a delivery, of the connection to the platform, and of the storefront.
    "The app failed on it (%(text)s) and will try again; see its log.",
    "Shopify refuses the stored access token, which cannot be renewed: open the app once in the Shopify "
    "admin, or connect the store again.",
    "Shopify does not accept SHOPIFY_API_SECRET, or the app is not installed: mend that, then open the app "
    "once in the Shopify admin, or connect the store again.",
    "Shopify renews the access token no more (%(text)s): open the app once in the Shopify admin, or "
    "connect the store again.",
    "Saleor denies the app access (HTTP %(status)s).",
    "Saleor denies the app access: %(text)s Install the app in Saleor again.",
    "Install the app in Saleor again.",
    "The app may not read themes (access scope read_themes), so it learns whether the script is on only when "
    "somebody opens this page in Shopify's admin. Open the app there and agree to what it asks for.",
    "The shop has no published theme.",
    "Shopify did not tell the published theme's settings.",
    "The published theme's settings cannot be read.",
    "The app may not connect a web pixel: it lacks the access scopes write_pixels and "
    "read_customer_events. Open the app in Shopify's admin and agree to what it asks for.",
    "Shopify did not take the script's settings: %(text)s",
    "Shopify did not take the web pixel's settings: %(text)s",
    "Shopify did not connect the web pixel: %(text)s",
    # Why an address begins no test.
    "Enter a whole address, such as https://your-shop.com/.",
    "This is no address of your shop. If impact.com made the link, open it first, and paste the address of "
    "the page that you land on.",
    "The address carries something that is no click id.",
    # What a door says.
    "This is not the admin password.",
    "Too many wrong passwords. Wait %(number)s seconds and try again.",
    "Open the app from Saleor's dashboard: only there it is told who you are.",
    "Saleor's word for you is not accepted: %(told)s. Open the app again.",
    "the user's token is another Saleor's",
    "the user's token is not for this installation of the app",
    "the user is no member of staff",
    "the user's token does not hold (%(text)s)",
    "The session token is missing or has run out.",
    "Nothing was changed. Open the app from Shopify again to install it.",
    "The parameter %(text)s must be given exactly once.",
    "The parameter 'shop' is not a myshopify.com domain.",
    "The request is not signed by Shopify for this app.",
    "The request is too old, or this machine's clock is wrong.",
    "This browser did not begin the installation, or began it too long ago.",
    "The database cannot be reached at the moment. Try again.",
    "The request could not be carried out.",
    # Who did something.
    "admin password",
    "command line",
    "connecting the store",
    "Shopify user %(text)s",
    "Saleor user %(text)s",
    # The widest come last.
    "(%(told)s) %(told_after)s",
    "%(told)s (about %(total)s)",
    "%(told)s (%(total)s)",
    "%(text)s: %(amount)s.",
)


def recognised(text: str) -> tuple[str, dict[str, str]] | None:
    """The pattern that a text was made by, with its values; None for a text that is not one of ours."""
    if len(text) > _LONGEST:
        return None
    for pattern, shape in _shapes():
        if found := shape.fullmatch(text):
            return pattern, found.groupdict()
    return None


def kind(name: str) -> str:
    """What a value is, from its name: "amount" for "amount_store"."""
    return name.partition("_")[0]


@cache
def _shapes() -> list[tuple[str, re.Pattern[str]]]:
    return [(pattern, _shape(pattern)) for pattern in PATTERNS]


def _shape(pattern: str) -> re.Pattern[str]:
    """A pattern as an expression: every second part is a value's name."""
    parts = _VALUE.split(pattern)
    literals = [re.escape(part) for part in parts[::2]]
    values = [f"(?P<{name}>{_SHAPES[kind(name)]})" for name in parts[1::2]]
    return re.compile("".join(part for pair in zip(literals, [*values, ""], strict=True) for part in pair))
