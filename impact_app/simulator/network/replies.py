"""Answers in the network's wording: JSON or XML, its three envelopes, and lists in pages."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape, quoteattr

from flask import Request, Response

from .validation import Complaint

# Characters that XML 1.0 cannot carry at all.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def wants_json(request: Request) -> bool:
    return request.environ.get("network.json_suffix", False) or "json" in request.headers.get("Accept", "")


def reply(request: Request, body: Mapping[str, Any], status: int = 200) -> Response:
    """Answer in JSON where it is asked for, else in XML, as the network does."""
    if wants_json(request):
        return Response(json.dumps(body), status, content_type="application/json;charset=utf-8")
    document = f'<?xml version="1.0" encoding="UTF-8"?>{_element("ImpactRadiusResponse", body)}'
    return Response(document, status, content_type="application/xml;charset=utf-8")


def _element(name: str, value: Any) -> str:
    if isinstance(value, Mapping):
        attributes = "".join(
            f" {key[1:]}={quoteattr(_text(inner))}" for key, inner in value.items() if key.startswith("@")
        )
        inside = "".join(_element(key, inner) for key, inner in value.items() if not key.startswith("@"))
        return f"<{name}{attributes}>{inside}</{name}>"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "".join(_element(name, entry) for entry in value)
    return f"<{name}>{escape(_text(value))}</{name}>"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else _NOT_XML.sub("\ufffd", str(value))


def error(request: Request, status: int, message: str, complaints: Sequence[Complaint] = ()) -> Response:
    """Answer with the general envelope: `Status`, `Message`, and `Errors` where fields are named."""
    _remember(request, complaints, message)
    errors = [{"Field": complaint.field, "Message": complaint.message} for complaint in complaints]
    body: dict[str, Any] = {"Status": "ERROR", "Message": message}
    return reply(request, body | ({"Errors": errors} if errors else {}), status)


def _remember(request: Request, complaints: Sequence[Complaint], message: str) -> None:
    # The call log shows why a call was refused, so that nobody has to repeat it to find out.
    sentences = [f"{complaint.field}: {complaint.message}" for complaint in complaints[:5]] or [message]
    request.environ["network.refusal"] = " ".join(sentences)


def conversion_error(request: Request, complaints: Sequence[Complaint]) -> Response:
    """Answer 400 with the envelope of Conversions, in lower-case names with a level."""
    _remember(request, complaints, "")
    errors = [
        {"field": complaint.field, "level": "ERROR", "message": complaint.message} for complaint in complaints
    ]
    return reply(request, {"Status": "ERROR", "errors": errors}, 400)


def page(request: Request, records: Sequence[Any], name: str, number: int, size: int) -> dict[str, Any]:
    """Cut one page out of the records and describe it with the paging keys, all of them text."""
    pages = max(1, -(-len(records) // size))
    start = (number - 1) * size
    shown = records[start : start + size]

    def uri(wanted: int) -> str:
        if not 1 <= wanted <= pages:
            return ""
        kept = [
            (key, value) for key, value in request.args.items(multi=True) if key not in ("Page", "PageSize")
        ]
        return f"{request.path}?{urlencode([*kept, ('Page', wanted), ('PageSize', size)])}"

    return {
        "@page": str(number),
        "@numpages": str(pages),
        "@pagesize": str(size),
        "@total": str(len(records)),
        "@start": str(start),
        "@end": str(start + len(shown) - 1 if shown else start),
        "@uri": uri(number),
        "@firstpageuri": uri(1),
        "@previouspageuri": uri(number - 1),
        "@nextpageuri": uri(number + 1),
        "@lastpageuri": uri(pages),
        name: shown,
    }
