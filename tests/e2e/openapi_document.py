"""docs/api/openapi.yaml as something to hold answers against, in both directions: whatever is answered must be in the document, and
whatever is in the document must be answered at least once."""

import json
import re
import urllib.parse

import jsonschema
import yaml

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
# Those of HTTP itself (RFC 9110), of which an API description does not speak.
PROTOCOL_FIELDS = {"date", "server", "content-length", "content-type", "connection", "keep-alive"}
# What any request may meet, listed or not: the ranges 4XX and 5XX stand for these alone.
GENERAL_STATUSES = {405, 408, 414, 429, 431, 500, 501, 503, 505, 507}


class Operation:
    def __init__(self, document, path, method, item, node):
        self.document = document
        self.path = path
        self.method = method.upper()
        self.node = node
        self.id = node["operationId"]
        self.servers = [server["url"].rstrip("/") for server in item.get("servers", document.tree["servers"])]
        self.security = node.get("security", document.tree.get("security", []))
        self.parameters = {}
        for one in item.get("parameters", []) + node.get("parameters", []):
            one = document.resolve(one)[0]
            self.parameters[one["in"], one["name"].lower()] = one
        self.pattern = re.compile("^" + re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path)) + "$")

    def response(self, status):
        """The node and pointer of what is documented for a status, and whether by itself or by a range."""
        responses = self.node["responses"]
        key = str(status)
        if key not in responses:
            key = key[0] + "XX"
        if key not in responses:
            return None, None, None
        node, pointer = self.document.resolve(responses[key], ("operation", self.id, key))
        return node, pointer, key


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.tree = yaml.load(self.text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.operations = {}
        for template, item in self.tree["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = Operation(self, template, method, item, item[method])
                    assert operation.id not in self.operations, operation.id
                    self.operations[operation.id] = operation
        self.everywhere = {name.lower(): how for name, how in self.tree["x-headers-of-every-answer"].items()}
        self.seen = set()
        self.faults = []
        self.exchanges = 0

    # References.

    def resolve(self, node, pointer=()):
        while isinstance(node, dict) and "$ref" in node:
            pointer = tuple(node["$ref"].removeprefix("#/").split("/"))
            node = self.tree
            for step in pointer:
                node = node[step]
        return node, pointer

    def inlined(self, node):
        """Without references, for validators: there are no schemas that contain themselves."""
        node, _ = self.resolve(node)
        if isinstance(node, dict):
            return {key: self.inlined(value) for key, value in node.items()}
        if isinstance(node, list):
            return [self.inlined(value) for value in node]
        return node

    def problems(self, schema, value):
        validator = jsonschema.Draft202012Validator(self.inlined(schema))
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in validator.iter_errors(value)]

    # What there is to see in a schema, and what of it a value shows.

    def shown(self, schema, pointer, value):
        schema, pointer = self.resolve(schema, pointer)
        for index, branch in enumerate(schema.get("oneOf", [])):
            if not self.problems(branch, value):
                self.seen.add(("branch", pointer, index))
                self.shown(branch, pointer + (str(index),), value)
        if isinstance(schema.get("type"), list):
            kind = "null" if value is None else "value"
            self.seen.add(("type", pointer, kind))
        if "enum" in schema:
            self.seen.add(("enum", pointer, value))
        if isinstance(value, dict):
            for name, inner in schema.get("properties", {}).items():
                if name in value:
                    self.seen.add(("property", pointer, name))
                    self.shown(inner, pointer + ("properties", name), value[name])
        if isinstance(value, list) and "items" in schema:
            for inner in value:
                self.seen.add(("items", pointer, ""))
                self.shown(schema["items"], pointer + ("items",), inner)

    def showable(self, schema, pointer, into):
        schema, pointer = self.resolve(schema, pointer)
        for index, branch in enumerate(schema.get("oneOf", [])):
            into.add(("branch", pointer, index))
            self.showable(branch, pointer + (str(index),), into)
        if isinstance(schema.get("type"), list):
            into.update(("type", pointer, kind) for kind in ("null", "value"))
        into.update(("enum", pointer, value) for value in schema.get("enum", []))
        for name, inner in schema.get("properties", {}).items():
            into.add(("property", pointer, name))
            self.showable(inner, pointer + ("properties", name), into)
        if "items" in schema:
            into.add(("items", pointer, ""))
            self.showable(schema["items"], pointer + ("items",), into)

    def promised(self):
        """Everything that the document says may come back."""
        all_of_it = set()
        for operation in self.operations.values():
            for (place, name), parameter in operation.parameters.items():
                if place != "path":
                    all_of_it.add(("parameter", operation.id, f"{place} {parameter['name']}"))
            for server in operation.servers:
                all_of_it.add(("server", operation.id, server))
            for key in operation.node["responses"]:
                if key.endswith("XX"):
                    continue
                response, pointer, _ = operation.response(key)
                all_of_it.add(("status", operation.id, key))
                for name in response.get("headers", {}):
                    all_of_it.add(("header", pointer, name))
                if operation.method != "HEAD":
                    for media_type, content in response.get("content", {}).items():
                        all_of_it.add(("content", pointer, media_type))
                        self.showable(content["schema"], pointer + (media_type,), all_of_it)
        return all_of_it

    # One exchange.

    def check(self, operation, server, query, sent, sent_body, answer):
        """`query` and `sent` are pairs; `answer` has status, fields (pairs) and body."""
        self.exchanges += 1
        where = f"{operation.id} -> {answer.status}"

        def fault(text):
            self.faults.append(f"{where}: {text}")

        self.seen.add(("server", operation.id, server))
        response, pointer, key = operation.response(answer.status)
        if response is None:
            return fault("the status is not documented")
        if key.endswith("XX") and answer.status not in GENERAL_STATUSES:
            fault(f"the status is documented by {key} alone: {answer.body[:300]!r}")
        self.seen.add(("status", operation.id, key))
        self.check_fields(operation, response, pointer, answer, fault)
        self.check_body(operation, response, pointer, answer, fault)
        if answer.status < 400:
            self.check_request(operation, query, sent, sent_body, fault)

    def check_fields(self, operation, response, pointer, answer, fault):
        documented = {name.lower(): (name, self.resolve(node)[0]) for name, node in response.get("headers", {}).items()}
        got = {}
        for name, value in answer.fields:
            if name.lower() in got:
                fault(f"{name} is there twice")
            got[name.lower()] = value
        for name, value in got.items():
            if name in documented:
                self.seen.add(("header", pointer, documented[name][0]))
                schema = self.inlined(documented[name][1].get("schema", {}))
                typed = as_typed(schema, value)
                for problem in self.problems(schema, typed):
                    fault(f"{name}: {problem}")
            elif name not in PROTOCOL_FIELDS and name not in self.everywhere:
                fault(f"the field {name}: {value} is not documented")
        for name, (spelled, node) in documented.items():
            if node.get("required") and name not in got:
                fault(f"the field {spelled} is missing")
        for name, how in self.everywhere.items():
            if how == "required" and name not in got:
                fault(f"the field {name}, which every answer has, is missing")

    def check_body(self, operation, response, pointer, answer, fault):
        content = response.get("content", {})
        if operation.method == "HEAD" or answer.head_only:
            if answer.body:
                fault("a body for HEAD")
            return
        if not content:
            if answer.body:
                fault(f"a body where none is documented: {answer.body[:300]!r}")
            return
        given = (answer.field("content-type") or "").split(";")[0].strip()
        key = next((one for one in content if one == given), None) or next(
            (one for one in content if one.endswith("/*") and given.startswith(one[:-1])), None)
        if key is None:
            return fault(f"the type {given!r} is not documented")
        self.seen.add(("content", pointer, key))
        if given != "application/json":
            return
        try:
            value = json.loads(answer.body)
        except ValueError:
            return fault(f"no JSON: {answer.body[:300]!r}")
        for problem in self.problems(content[key]["schema"], value):
            fault(problem)
        self.shown(content[key]["schema"], pointer + (key,), value)
        if answer.status >= 400 and operation.id not in ("getHealth", "getReadiness"):
            for problem in self.problems({"$ref": "#/components/schemas/Error"}, value):
                fault(f"no Error: {problem}")
            if value.get("request_id") != answer.field("x-request-id"):
                fault("request_id is another than X-Request-Id")

    def check_request(self, operation, query, sent, sent_body, fault):
        """What was sent with success must be documented, too."""
        schemes = self.tree["components"]["securitySchemes"]
        of_security = {schemes[name].get("name", "authorization").lower() for choice in operation.security for name in choice}
        for name, value in query:
            parameter = operation.parameters.get(("query", name.lower()))
            if parameter is None and name.lower() not in of_security:
                fault(f"the query parameter {name} is not documented")
            self.check_parameter(operation, parameter, value, fault)
        for name, value in sent:
            parameter = operation.parameters.get(("header", name.lower()))
            if parameter is None and name.lower() not in of_security | {"content-type", "content-length", "accept", "host", "authorization", "x-api-key"}:
                fault(f"the request field {name} is not documented")
            self.check_parameter(operation, parameter, value, fault)
        names = {(place, name.lower()) for place, pairs in (("query", query), ("header", sent)) for name, _ in pairs}
        for (place, name), parameter in operation.parameters.items():
            if parameter.get("required") and place != "path" and (place, name) not in names:
                fault(f"succeeded without {name}, which is documented as required")
        body = operation.node.get("requestBody")
        if not body:
            return
        if body["required"] and not sent_body:
            fault("succeeded without a body, which is documented as required")
        given = dict((name.lower(), value) for name, value in sent).get("content-type", "").split(";")[0]
        if given == "application/json":
            for problem in self.problems(body["content"]["application/json"]["schema"], json.loads(sent_body)):
                fault(f"taken, but not documented: {problem}")

    def check_parameter(self, operation, parameter, value, fault):
        if parameter is None:
            return
        self.seen.add(("parameter", operation.id, f"{parameter['in']} {parameter['name']}"))
        schema = self.inlined(parameter["schema"])
        typed = as_typed(schema, value)
        for problem in self.problems(schema, typed):
            fault(f"{parameter['name']}: {problem}")

    def find(self, method, path):
        """The operation and server of a URL's path."""
        for operation in self.operations.values():
            if operation.method != method:
                continue
            for server in operation.servers:
                if path.startswith(server + "/") and operation.pattern.match(path[len(server):]):
                    if "{" not in operation.path or not self.is_literal(method, path[len(server):], operation):
                        return operation, server
        raise KeyError(f"{method} {path}")

    def is_literal(self, method, path, found):
        return any(other.path == path and other.method == method and other is not found for other in self.operations.values())


def as_typed(schema, value):
    """A text of a field or parameter as what its schema counts it as; what is no plain number stays text, and is found out."""
    if schema.get("type") == "integer" and value.isdigit():
        return int(value)
    if schema.get("type") == "number" and re.fullmatch(r"[0-9]+(\.[0-9]+)?", value):
        return float(value)
    return value


def quoted(text):
    return urllib.parse.quote(str(text), safe="")
