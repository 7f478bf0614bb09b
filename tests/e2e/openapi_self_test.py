#!/usr/bin/env python3
"""Shows that openapi_document.py sees what it is there to see: each kind of difference, made up, is a fault.

usage: openapi_self_test.py OPENAPI.yaml
"""

import json
import sys

from openapi_document import Document

LIVE = {"status": "alive", "timestamp": "2026-11-25T10:30:00.000Z", "service": "media-management-service", "version": "0.1.0"}
ERROR = {"error": "Not Found", "message": "there is none", "request_id": "r"}
FIELDS = {
    "X-Request-Id": "r", "Content-Type": "application/json", "Date": "now", "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'", "X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer",
}


class Made:
    """An answer that nobody gave."""

    def __init__(self, status, body, fields, head_only=False):
        self.status = status
        self.body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.fields = list(fields.items()) if isinstance(fields, dict) else fields
        self.head_only = head_only

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)


DOCUMENT = Document(sys.argv[1])


def faults(operation_id, answer, query=(), sent=(), sent_body=None):
    document = DOCUMENT
    document.faults = []
    operation = document.operations[operation_id]
    document.check(operation, operation.servers[0], list(query), list(sent), sent_body, answer)
    return document.faults


def without(value, name):
    return {key: inner for key, inner in value.items() if key != name}


def main():
    missing = {**ERROR, "details": {"field": "id", "accepts": "1"}}
    good = [
        ("getLiveness", Made(200, LIVE, FIELDS)),
        ("getLiveness", Made(200, b"", FIELDS, head_only=True)),
        ("getMedia", Made(404, missing, FIELDS)),
        ("deleteMedia", Made(204, b"", without(FIELDS, "Content-Type"))),
        ("getMedia", Made(503, ERROR, {**FIELDS, "Retry-After": "1"})),
    ]
    bad = {
        "a field that is not documented": ("getLiveness", Made(200, {**LIVE, "more": 1}, FIELDS)),
        "a field that is not delivered": ("getLiveness", Made(200, without(LIVE, "version"), FIELDS)),
        "a value of another type": ("getLiveness", Made(200, {**LIVE, "version": 1}, FIELDS)),
        "a time that is none": ("getLiveness", Made(200, {**LIVE, "timestamp": "now"}, FIELDS)),
        "a header that is not documented": ("getLiveness", Made(200, LIVE, {**FIELDS, "X-More": "1"})),
        "a header that is not delivered": ("getLiveness", Made(200, LIVE, without(FIELDS, "X-Request-Id"))),
        "a header that is there twice": ("getLiveness", Made(200, LIVE, list(FIELDS.items()) + [("Cache-Control", "a"), ("cache-control", "b")])),
        "another media type": ("getLiveness", Made(200, LIVE, {**FIELDS, "Content-Type": "text/plain"})),
        "no JSON": ("getLiveness", Made(200, b"alive", FIELDS)),
        "a body for HEAD": ("getLiveness", Made(200, LIVE, FIELDS, head_only=True)),
        "a body where there is none": ("deleteMedia", Made(204, b"x", FIELDS)),
        "a status that is not documented": ("getLiveness", Made(302, b"", FIELDS)),
        "a status that only a range documents": ("getMedia", Made(409, ERROR, FIELDS)),
        "an error of another shape": ("getMedia", Made(404, {**ERROR, "code": 7}, FIELDS)),
        "an error of another request": ("getMedia", Made(404, {**ERROR, "request_id": "other"}, FIELDS)),
        "401 without a challenge": ("getMedia", Made(401, {**ERROR, "error": "Unauthorized"}, FIELDS)),
    }
    asked = {
        "a parameter that is not documented": {"query": [("more", "1")]},
        "a request field that is not documented": {"sent": [("X-More", "1")]},
    }
    failed = [f"{one[0]} {one[1].status}: {faults(*one)}" for one in good if faults(*one)]
    failed += [f"{name}: not seen" for name, one in bad.items() if not faults(*one)]
    failed += [f"{name}: not seen" for name, request in asked.items() if not faults("getLiveness", Made(200, LIVE, FIELDS), **request)]
    taken = Made(200, {"deleted": [1], "not_found": []}, FIELDS)
    as_json = [("Content-Type", "application/json")]
    if faults("deleteManyMedia", taken, sent=as_json, sent_body=b'{"ids": [1]}'):
        failed.append("a request as documented is a fault")
    if not faults("deleteManyMedia", taken, sent=as_json, sent_body=b'{"ids": [1], "more": 1}'):
        failed.append("a request that is not as documented: not seen")

    document = Document(sys.argv[1])
    operation = document.operations["getLiveness"]
    before = len(document.promised() - document.seen)
    document.check(operation, operation.servers[0], [], [], None, Made(200, LIVE, FIELDS))
    # The operation's status, content and server, and the four properties.
    if before - len(document.promised() - document.seen) != 7:
        failed.append("what an answer shows is counted wrongly")
    for line in failed:
        print(line)
    print(f"{len(good) + len(bad) + len(asked) + 3} checks, {len(failed)} failed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
