"""A pretend impact.com: keeps books as the network does, judges every call, and fails when told to.

It knows nothing of the rest of this app, so that it can be an independent judge of what the app sends.
"""

from .books import Books
from .faults import ALL, LASTING, TRANSIENT, Fault, Faults, fault
from .server import RunningNetwork, running_network, serve
from .setup import (
    Account,
    Agency,
    Campaign,
    Click,
    Contract,
    EventType,
    Partner,
    PromoCode,
    Setup,
    Token,
    UnusableSetup,
    setup_from_json,
)
from .web import create_network

__all__ = [
    "ALL",
    "LASTING",
    "TRANSIENT",
    "Account",
    "Agency",
    "Books",
    "Campaign",
    "Click",
    "Contract",
    "EventType",
    "Fault",
    "Faults",
    "Partner",
    "PromoCode",
    "RunningNetwork",
    "Setup",
    "Token",
    "UnusableSetup",
    "create_network",
    "fault",
    "running_network",
    "serve",
    "setup_from_json",
]
