"""Is an answer as documented? seed_examples.py BODY 'path:type[=value]' …

A path goes into objects by name and into arrays by number (data.0.id). Every field of the object that a path leads into and that is not named is
passed over: more may be there. A value after '=' is the one wanted; for enum, the values that may be there, with commas. On success prints nothing.
"""

import base64
import json
import re
import sys
from datetime import datetime, timezone


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def is_time(value):
    """RFC 3339 in UTC, and of our days."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value):
        return False
    return abs((datetime.fromisoformat(value[:-1]).replace(tzinfo=timezone.utc) - datetime.now(timezone.utc)).total_seconds()) < 7200


def is_cursor(value):
    if not isinstance(value, str):
        return False
    try:
        return is_integer(json.loads(base64.b64decode(value, validate=True))["id"])
    except (ValueError, KeyError, TypeError):
        return False


TYPES = {
    "integer": lambda value: is_integer(value) and value >= 0,
    "id": lambda value: is_integer(value) and 0 < value < 2**53,
    "text": lambda value: isinstance(value, str) and value != "",
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "time": is_time,
    "digest": lambda value: isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None,
    "url": lambda value: isinstance(value, str) and re.match(r"https?://[^/ ]+/[^ ]*$", value) is not None,
    "cursor": is_cursor,
    "array": lambda value: isinstance(value, list),
    "enum": lambda value: isinstance(value, str),
}


def find(document, path):
    for step in path.split(".") if path else []:
        document = document[int(step)] if isinstance(document, list) else document[step]
    return document


def fault_of(document, expectation):
    path, _, rest = expectation.partition(":")
    kind, has_value, wanted = rest.partition("=")
    try:
        value = find(document, path)
    except (KeyError, IndexError, ValueError, TypeError):
        return f"{path} is not there"
    if not TYPES[kind](value):
        return f"{path} is no {kind}: {value!r}"
    if not has_value:
        return None
    if kind == "enum":
        return None if value in wanted.split(",") else f"{path} is none of {wanted}: {value!r}"
    written = str(len(value)) if kind == "array" else value if isinstance(value, str) else json.dumps(value)
    return None if written == wanted else f"{path} is not {wanted}: {written}"


def main():
    with open(sys.argv[1], "rb") as file:
        text = file.read()
    try:
        document = json.loads(text)
    except ValueError:
        sys.exit(f"no JSON: {text[:200]!r}")
    faults = [fault for fault in (fault_of(document, expectation) for expectation in sys.argv[2:]) if fault]
    if faults:
        sys.exit("\n".join(faults) + f"\n{text.decode(errors='replace')}")


main()
