#!/usr/bin/env python3
"""Makes the C++ file that holds docs/api/openapi.yaml twice: as it is, and as a page to read.

usage: embed_api.py OPENAPI.yaml STYLE.css OUTPUT.cpp [PAGE.html]

The page is written here and not by a script in the browser: it needs no parser there, no permission to run anything, and can be read
with anything that shows HTML.
"""

import base64
import hashlib
import html
import json
import re
import sys

try:
    import yaml
except ImportError:
    sys.exit("embed_api.py: python3 has no module yaml (python3-yaml on Debian)")

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")


def escape(text):
    return html.escape(str(text), quote=True)


def anchor(*words):
    return re.sub(r"[^a-z0-9]+", "-", "-".join(words).lower()).strip("-")


def inline(text):
    """The few marks that descriptions use: `code`, [words](url)."""
    text = escape(text)
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", text)
    return re.sub(r"\[([^\]]+)\]\((https?://[^)\s]+)\)", r'<a href="\2" rel="noreferrer">\1</a>', text)


def prose(text):
    """Paragraphs and lists of Markdown."""
    made = []
    for block in re.split(r"\n\s*\n", (text or "").strip()):
        if block.startswith("- ") or "\n- " in block:
            head, *items = re.split(r"(?:^|\n)- ", block)
            if head.strip():
                made.append(f"<p>{inline(head.strip())}</p>")
            made.append("<ul>" + "".join(f"<li>{inline(' '.join(item.split()))}</li>" for item in items) + "</ul>")
        elif block:
            made.append(f"<p>{inline(' '.join(block.split()))}</p>")
    return "".join(made)


def code(value):
    return f"<pre><code>{escape(json.dumps(value, indent=2, ensure_ascii=False))}</code></pre>"


class Page:
    def __init__(self, document, style):
        self.document = document
        self.style = style
        self.parts = []

    def resolve(self, node):
        """The node that a reference leads to, and the schema's name where it is one of the components."""
        name = None
        while isinstance(node, dict) and "$ref" in node:
            path = node["$ref"].removeprefix("#/").split("/")
            if path[:2] == ["components", "schemas"] and len(path) == 3:
                name = name or path[2]
            target = self.document
            for step in path:
                target = target[step.replace("~1", "/").replace("~0", "~")]
            beside = {key: value for key, value in node.items() if key != "$ref"}
            node = {**target, **beside}
        return node, name

    def add(self, text):
        self.parts.append(text)

    def type_of(self, schema):
        """A schema in a few words, with a link where it has a section of its own."""
        schema, name = self.resolve(schema)
        if name and (schema.get("properties") or schema.get("enum")):
            return f'<a href="#{anchor("schema", name)}">{escape(name)}</a>'
        if "oneOf" in schema:
            return " or ".join(self.type_of(one) for one in schema["oneOf"])
        if "const" in schema:
            return f"<code>{escape(schema['const'])}</code>"
        if "enum" in schema:
            return ", ".join(f"<code>{escape(value)}</code>" for value in schema["enum"])
        kinds = schema.get("type", "anything")
        kinds = [kinds] if isinstance(kinds, str) else kinds
        words = []
        for kind in kinds:
            if kind == "array":
                words.append("array of " + self.type_of(schema.get("items", {})))
            elif kind == "string" and "contentMediaType" in schema:
                words.append("bytes")
            else:
                words.append(escape(kind))
        text = " or ".join(words)
        limits = [(escape(word), escape(schema[key])) for key, word in
                  (("minimum", "from"), ("maximum", "to"), ("minLength", "at least"), ("maxLength", "at most"),
                   ("minItems", "at least"), ("maxItems", "at most"), ("default", "default")) if key in schema]
        if limits:
            text += ", " + " ".join(f"{word} {value}" for word, value in limits)
        if "pattern" in schema:
            text += f", <code>{escape(schema['pattern'])}</code>"
        return text

    def described(self, node):
        """A parameter's or property's description, and what its schema says where it says nothing itself."""
        schema = node.get("schema", node)
        resolved, name = self.resolve(schema)
        text = node.get("description") or ("" if name and name not in ("Time", "Digest") else resolved.get("description", ""))
        made = inline(" ".join(text.split()))
        example = node.get("example")
        if example is not None:
            made += f"{' ' if made else ''}For example <code>{escape(example)}</code>."
        if node.get("deprecated"):
            made += " Deprecated."
        return made

    def rows(self, entries, with_place=False):
        self.add("<table><thead><tr><th>Name</th>" + ("<th>In</th>" if with_place else "") + "<th>Type</th><th>Meaning</th></tr></thead><tbody>")
        for name, place, node, required in entries:
            must = ' <span class="must">required</span>' if required else ""
            self.add(f"<tr><td><code>{escape(name)}</code>{must}</td>" + (f"<td>{escape(place)}</td>" if with_place else "") +
                     f"<td>{self.type_of(node.get('schema', node))}</td><td>{self.described(node)}</td></tr>")
        self.add("</tbody></table>")

    def properties(self, schema):
        required = schema.get("required", [])
        entries = [(name, "", dict(node, description=node.get("description") or self.resolve(node)[0].get("description", ""))
                    if "$ref" in node else node, name in required) for name, node in schema["properties"].items()]
        self.rows(entries)

    def content(self, content):
        for media_type, body in content.items():
            self.add(f"<p><code>{escape(media_type)}</code>: {self.type_of(body.get('schema', {}))}</p>")
            schema, name = self.resolve(body.get("schema", {}))
            if not name and schema.get("properties"):
                self.properties(schema)
            if "example" in body:
                self.add(code(body["example"]))

    def needs(self, operation):
        choices = []
        for choice in operation.get("security", self.document.get("security", [])):
            names = {"bearer": "a bearer token", "apiKey": "an API key", "signedUrl": "the signed URL"}
            choices.append(" and ".join(names.get(name, name) for name in choice) or "nothing")
        text = "nothing" if choices == ["nothing"] else ", or ".join(
            "nothing (where the media is public)" if one == "nothing" else one for one in choices)
        return f'<p class="needs">Needs {escape(text)}. <code>{escape(operation["operationId"])}</code></p>'

    def operation(self, path, item, method):
        operation = item[method]
        self.add(f'<h3 id="{anchor(operation["operationId"])}"><span class="method {method}">{method.upper()}</span> '
                 f'<span class="path">{escape(path)}</span></h3>')
        self.add(f'<p class="summary">{inline(operation["summary"])}</p>{prose(operation.get("description"))}{self.needs(operation)}')
        parameters = [self.resolve(one)[0] for one in item.get("parameters", []) + operation.get("parameters", [])]
        if parameters:
            self.add("<h4>Parameters</h4>")
            self.rows([(one["name"], one["in"], one, one.get("required", False)) for one in parameters], with_place=True)
        if "requestBody" in operation:
            self.add("<h4>Body</h4>")
            self.content(self.resolve(operation["requestBody"])[0]["content"])
        self.add("<h4>Answers</h4>")
        for status, response in operation["responses"].items():
            response, _ = self.resolve(response)
            self.add(f'<details{" open" if str(status)[0] == "2" else ""}><summary><span class="status">{escape(status)}</span> '
                     f'{inline(response["description"])}</summary>')
            if response.get("headers"):
                headers = [(name, "", self.resolve(node)[0]) for name, node in response["headers"].items()]
                self.rows([(name, place, node, node.get("required", False)) for name, place, node in headers])
            self.content(response.get("content", {}))
            self.add("</details>")

    def schema(self, name, schema):
        self.add(f'<h3 id="{anchor("schema", name)}">{escape(name)}</h3>{prose(schema.get("description"))}')
        if schema.get("properties"):
            self.properties(schema)
            for property_name, node in schema["properties"].items():
                if "$ref" not in node and node.get("properties"):
                    self.add(f"<h4>{escape(name)}: {escape(property_name)}</h4>")
                    self.properties(node)
        else:
            self.add(f"<p>{self.type_of(schema)}</p>")

    def render(self):
        info = self.document["info"]
        groups = {tag["name"]: [] for tag in self.document["tags"]}
        for path, item in self.document["paths"].items():
            for method in METHODS:
                if method in item:
                    groups[item[method]["tags"][0]].append((path, item, method))
        schemas = {name: schema for name, schema in self.document["components"]["schemas"].items()
                   if schema.get("properties") or schema.get("enum")}
        title = f"{info['title']} {info['version']}"
        self.add(f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}: HTTP API</title>'
                 '<meta name="viewport" content="width=device-width, initial-scale=1">'
                 f"<style>{self.style}</style></head><body><nav aria-label=\"Contents\">")
        self.add(f'<p><a href="#top"><strong>{escape(title)}</strong></a></p>')
        for name, operations in groups.items():
            self.add(f'<strong>{escape(name)}</strong><ul>')
            for path, item, method in operations:
                self.add(f'<li><a href="#{anchor(item[method]["operationId"])}"><span class="method {method}">{method.upper()}</span> '
                         f"{inline(item[method]['summary'])}</a></li>")
            self.add("</ul>")
        self.add("<strong>Schemas</strong><ul>" +
                 "".join(f'<li><a href="#{anchor("schema", name)}">{escape(name)}</a></li>' for name in schemas) + "</ul></nav>")
        self.add(f'<main><h1 id="top">{escape(title)}</h1><p class="summary">{inline(info["summary"])}</p>')
        bases = ", ".join(f"<code>{escape(server['url'])}</code>" for server in self.document["servers"])
        self.add(f'<p>Base path: {bases}. For programs: <a href="openapi.yaml">openapi.yaml</a>.</p>{prose(info["description"])}')
        self.add("<h2>Credentials</h2>")
        for name, scheme in self.document["components"]["securitySchemes"].items():
            where = "Authorization: Bearer …" if scheme["type"] == "http" else f"{scheme['name']} ({scheme['in']})"
            self.add(f"<h3>{escape(name)}</h3><p><code>{escape(where)}</code></p>{prose(scheme['description'])}")
        described = {tag["name"]: tag.get("description") for tag in self.document["tags"]}
        for name, operations in groups.items():
            self.add(f'<h2 id="{anchor("tag", name)}">{escape(name)}</h2>{prose(described[name])}')
            for path, item, method in operations:
                self.operation(path, item, method)
        self.add('<h2 id="schemas">Schemas</h2>')
        for name, schema in schemas.items():
            self.schema(name, schema)
        self.add("</main></body></html>\n")
        return "".join(self.parts)


def literal(text):
    """With its length: a constant expression that counted the characters would be too long for compilers."""
    mark = "document"
    while f'){mark}"' in text:
        mark += "_"
    return f'R"{mark}({text}){mark}"sv'


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    with open(sys.argv[2], encoding="utf-8") as file:
        style = file.read()
    page = Page(yaml.safe_load(text), style).render()
    style_hash = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    def etag(content):
        return '"' + hashlib.sha256(content.encode()).hexdigest()[:32] + '"'

    made = f"""// Made from docs/api/openapi.yaml by server/pages/embed_api.py.
#include "routes/documents.hpp"

namespace media::server {{
namespace {{
using namespace std::string_view_literals;

constexpr ApiDocument kDocument = {{
{literal(text)},
{literal(etag(text))},
{literal(page)},
{literal(etag(page))},
{literal(policy)},
}};
}}  // namespace

const ApiDocument& api_document() noexcept {{ return kDocument; }}

}}  // namespace media::server
"""
    with open(sys.argv[3], "w", encoding="utf-8") as file:
        file.write(made)
    if len(sys.argv) == 5:
        with open(sys.argv[4], "w", encoding="utf-8") as file:
            file.write(page)


if __name__ == "__main__":
    main()
