"""What botocore does anew for every request and need not: a quarter of a small request's work.

A get of 10 KiB made 3,520 calls of Python functions below `get_object`; with these it makes 2,756.
"""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from aiobotocore.parsers import AioResponseParserFactory, AioRestXMLParser

_names_by_header: dict[str, dict[str, list[str]]] = {}
"""For each kind of answer what botocore calls each header, in lower case; "" is all the rest."""


class _Parser(AioRestXMLParser):  # type: ignore[misc]  # no types for mypy to look into
    """Looks at the headers that an answer has, not for each of forty that it might have."""

    def _parse_non_payload_attrs(
        self, response: Any, shape: Any, member_shapes: Any, final_parsed: dict[str, Any]
    ) -> None:
        names = _names_by_header.get(shape.name) or _names(shape.name, member_shapes)
        there = {
            name: member_shapes[name]
            for header in ("", *response["headers"])
            for name in names.get(header.lower(), ())
        }
        super()._parse_non_payload_attrs(response, shape, there, final_parsed)


def _names(shape_name: str, member_shapes: Any) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {"": []}
    for name, member in member_shapes.items():
        is_header = member.serialization.get("location") == "header"
        header = member.serialization.get("name", name).lower() if is_header else ""
        names.setdefault(header, []).append(name)
    _names_by_header[shape_name] = names
    return names


def _timestamp(text: str) -> datetime:
    """Parse the two forms that S3 uses; botocore's own parser tries every form there is."""
    if text[:1].isdigit():
        return datetime.fromisoformat(text)
    return parsedate_to_datetime(text)


class ParserFactory(AioResponseParserFactory):  # type: ignore[misc]
    """Makes the parsers of a session's clients: S3's, and those that ask for credentials."""

    def create_parser(self, protocol_name: str) -> Any:
        """Return a parser of the answers that a protocol gives."""
        if protocol_name == "rest-xml":
            return _Parser(timestamp_parser=_timestamp)
        return super().create_parser(protocol_name)


def apply_patches(client: Any, *, own_server: bool) -> None:
    """Have `client` not ask who never says yes, nor for what does not change."""
    # With one attempt in all it never has another; the location decides on that.
    client.meta.events.unregister("needs-retry.s3", unique_id="retry-config-s3")
    if own_server:  # Amazon's may send us to another region
        _remember_endpoints(client._ruleset_resolver)  # noqa: SLF001 - it has no other switch


def _remember_endpoints(resolver: Any) -> None:
    resolve = resolver.construct_endpoint
    known: dict[tuple[str, str | None], Any] = {}

    async def construct_endpoint(operation_model: Any, call_args: Any, request_context: Any) -> Any:
        what = operation_model.name, call_args.get("Bucket")
        if what not in known:
            known[what] = await resolve(operation_model, call_args, request_context)
        return known[what]

    resolver.construct_endpoint = construct_endpoint
