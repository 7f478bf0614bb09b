#!/usr/bin/env python3
"""Drives every operation of docs/api/openapi.yaml against a real mediad and holds each answer against the document, both ways.

usage: openapi_test.py OPENAPI.yaml BINARY_DIR
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zlib

from prometheus_client.parser import text_string_to_metric_families

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ceph_gateway import ObjectStore  # noqa: E402  (of tests/support)
from openapi_document import Document, quoted

JWT_SECRET = "6f1ed002ab5595859014ebf0951522d9"
URL_SECRET = "0c1d7f6a52c94e8fb3a1d0e7c6b5a493"

# What no test can bring about from outside, and why.
UNSEEN = {
    ("status", "getHealth", "503"): "takes a database and a storage that fail together",
    ("content", ("operation", "getHealth", "503"), "application/json"): "as above",
    ("enum", ("components", "schemas", "HealthStatus"), "unhealthy"): "as above",
    ("enum", ("components", "schemas", "HealthCheck", "properties", "status"), "timeout"): "takes a disk that hangs",
    ("enum", ("components", "schemas", "ReadinessCheck", "properties", "status"), "timeout"): "takes a disk that hangs",
    ("content", ("components", "responses", "TusLocked"), "application/json"): "a request gives way within its time, unless the machine is overloaded",
    ("header", ("components", "responses", "TusLocked"), "Tus-Resumable"): "as above",
    ("header", ("components", "responses", "TusLocked"), "Retry-After"): "as above",
    ("status", "appendToUpload", "423"): "as above",
    ("status", "overrideUploadMethod", "423"): "as above",
    ("content", ("components", "responses", "PictureNotYet"), "application/json"): "takes a crowd: tests/e2e/mediad_pictures_test.cpp is one",
    ("header", ("components", "responses", "PictureNotYet"), "Retry-After"): "as above",
    ("status", "getRendition", "503"): "as above",
    ("status", "getPicture", "503"): "as above",
    ("status", "getSheetIndex", "503"): "as above",
    ("status", "getVideo", "503"): "as above, or a video that takes long: tests/e2e/mediad_video_test.cpp has one",
    ("status", "terminateUpload", "423"): "as above",
    ("type", ("components", "schemas", "Video", "properties", "remark"), "value"): "takes sound that cannot be decoded: tests/integration/video_encode_test.cpp has it",
    ("enum", ("components", "schemas", "Held"), "unseen"): "takes the moment between an upload and its picture: tests/integration/library_gate_test.cpp has it",
}
# Contents of another form than JSON that need files of a kind that is not made here.
UNSEEN_CONTENTS = {"video/*": "takes a film", "application/octet-stream": "takes a file that mediactl let in unjudged"}


# Files.

def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height, shade, alpha=False, damaged=False):
    """A picture, or one whose structure is whole and whose pixels cannot be decoded."""
    pixel = bytes([shade, 128, 255 - shade] + ([100] if alpha else []))
    pixels = b"".join(b"\0" + pixel * width for _ in range(height))
    packed = b"\x78\x9c" + b"\xff" * 60 if damaged else zlib.compress(pixels)
    head = struct.pack(">IIBBBBB", width, height, 8, 6 if alpha else 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def tiles(side):
    """A picture with something in it, the same one in every size."""
    shade = lambda x, y: ((y * 8 // side * 8 + x * 8 // side) ** 2 * 45 + x * 8 // side * 101) % 251
    pixels = b"".join(b"\0" + bytes(value for x in range(side) for value in [shade(x, y)] * 3) for y in range(side))
    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def film():
    """A second of H.264 that moves, its data before its headers."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "film.mp4")
        subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", "testsrc2=s=64x48:r=10:d=2", "-c:v", "libx264", "-pix_fmt", "yuv420p", path], check=True)
        with open(path, "rb") as file:
            return file.read()


def moving_gif():
    frame = b"\x21\xf9\x04\x00\x0a\x00\x00\x00" + b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    return b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff" + frame + frame + b"\x3b"


# Credentials.

def token(owner, **claims):
    def packed(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")
    text = packed({"alg": "HS256", "typ": "JWT"}) + b"." + packed({"sub": owner, "exp": int(time.time()) + 3600, **claims})
    code = hmac.new(JWT_SECRET.encode(), text, hashlib.sha256).digest()
    return (text + b"." + base64.urlsafe_b64encode(code).rstrip(b"=")).decode()


def signature(secret, purpose, fields):
    message = b"".join(struct.pack(">Q", len(field.encode())) + field.encode() for field in [purpose, *fields])
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed(path, query, lifetime=3600):
    """The parameters of a signed URL, as server/src/url_signer.cpp makes them."""
    query = query + [("expires", str(int(time.time()) + lifetime)), ("key", signature(URL_SECRET, "libmedia key id", [])[:10])]
    fields = ["GET", path] + [text for pair in sorted(query) for text in pair]
    return query + [("signature", signature(URL_SECRET, "libmedia delivery 1", fields))]


class Answer:
    def __init__(self, response, head_only):
        self.status = response.status
        self.fields = response.getheaders()
        self.body = response.read()
        self.head_only = head_only

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name.lower()), None)

    def json(self):
        return json.loads(self.body)


class Mediad:
    def __init__(self, document, binaries, folder, environment):
        self.document = document
        self.folder = folder
        self.store = os.path.join(folder, "store")
        self.log = os.path.join(folder, "log")
        port_file = os.path.join(folder, "port")
        inherited = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") or name.endswith("SAN_OPTIONS")}
        variables = {**inherited, "RUN_MODE": "local", "MEDIA_SERVICE_SERVER_PORT": "0", "MEDIA_SERVICE_STORAGE_BASE_PATH": self.store,
                     "MEDIA_SERVICE_LOGGING_LEVEL": "debug", "MEDIA_SERVICE_LOGGING_CONSOLE_FORMAT": "json", **environment}
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([os.path.join(binaries, "mediad"), "--port-file", port_file], env=variables, cwd=folder, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL)
        for _ in range(400):
            if os.path.exists(port_file) or self.process.poll() is not None:
                break
            time.sleep(0.05)
        if not os.path.exists(port_file):
            sys.exit("mediad did not start:\n" + self.text_of_log())
        with open(port_file, encoding="ascii") as file:
            self.port = int(file.read())
        self.caller = None
        self.requests = 0

    def text_of_log(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(30)
        assert code == 0, f"mediad ended with {code}"

    def routes(self):
        lines = [json.loads(line) for line in self.text_of_log().splitlines() if '"route"' in line]
        return {(line["method"], line["pattern"]): line["access"] for line in lines if line.get("message") == "route"}

    def send(self, operation, server, path, query, expect, headers=(), body=None, head_only=False, caller="default", announce=None):
        """One request as it is; the answer, once it was held against the document."""
        headers = list(headers)
        caller = self.caller if caller == "default" else caller
        if caller:
            headers.append(("Authorization", f"Bearer {caller}"))
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.append(("Content-Type", "application/json"))
        method = "HEAD" if head_only else operation.method
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.requests += 1
        slash = "/" if self.requests % 3 == 0 else ""  # makes no difference
        target = server + path + slash + ("?" + urllib.parse.urlencode(query) if query else "")
        connection.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            connection.putheader(name, value)
        if announce is not None or body is not None:
            connection.putheader("Content-Length", str(len(body) if announce is None else announce))
        connection.putheader("Connection", "close")
        connection.endheaders(body)
        answer = Answer(connection.getresponse(), head_only)
        connection.close()
        self.document.check(operation, server, query, headers, body, answer)
        if answer.status != expect:
            sys.exit(f"{method} {target}: expected {expect}, got {answer.status}: {answer.body[:500]!r}")
        return answer

    def call(self, operation_id, expect, path=(), query=(), root=False, **more):
        """An operation by its name; `path` fills the template."""
        operation = self.document.operations[operation_id]
        filled = operation.path
        for name, value in dict(path).items():
            filled = filled.replace("{" + name + "}", quoted(value))
        assert "{" not in filled, filled
        return self.send(operation, "" if root else operation.servers[0], filled, list(query), expect, **more)

    def follow(self, method, url, expect, **more):
        """A URL that mediad gave out."""
        parts = urllib.parse.urlsplit(url)
        assert parts.netloc == f"127.0.0.1:{self.port}", url
        operation, server = self.document.find(method, parts.path)
        query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        return self.send(operation, server, parts.path[len(server):], query, expect, **more)

    def upload(self, content, name, kind="image/png", **more):
        return self.call("uploadMedia", 200, headers=[("Content-Type", kind), ("X-Filename", name)], body=content, **more).json()

    def wait(self, media_id):
        for _ in range(600):
            status = self.call("getMediaStatus", 200, {"id": media_id}, query=[("wait", "20")]).json()
            if status["status"] in ("Complete", "Failed"):
                return status
            time.sleep(0.05)
        sys.exit(f"media {media_id} is processing for ever")


def expect_equal(what, got, wanted):
    if got != wanted:
        sys.exit(f"{what}: {got!r}, and not {wanted!r}")


# What there is to do. Each of these leaves the media of the caller as it likes; none depends on another's.

def drive_routes(mediad):
    """The router and the document know the same operations, and say the same of who may call them."""
    documented = {}
    for operation in mediad.document.operations.values():
        names = {name for choice in operation.security for name in choice}
        access = "open" if not names else "by_signature" if names == {"signedUrl"} else "by_media" if "signedUrl" in names else "by_method"
        for server in operation.servers:
            documented[operation.method, server + operation.path] = access
    # OPTIONS says what there is, to anybody, whatever its route is marked with.
    routed = {key: "open" if key[0] == "OPTIONS" else access for key, access in mediad.routes().items()}
    for key in sorted(routed.keys() | documented.keys()):
        if routed.get(key) != documented.get(key):
            mediad.document.faults.append(f"{' '.join(key)}: {routed.get(key, 'no route')} in mediad, {documented.get(key, 'absent')} in the document")


def drive_health(mediad):
    version = mediad.document.tree["info"]["version"]
    expect_equal("the document's version", version, mediad.call("getLiveness", 200, caller=None).json()["version"])
    for operation in ("getLiveness", "getHealth", "getReadiness"):
        mediad.call(operation, 200, caller=None)
        mediad.call(operation, 200, caller="no such token")
        mediad.call(operation, 200, head_only=True)


def drive_metrics(mediad):
    for root in (False, True):
        answer = mediad.call("getMetrics", 200, root=root, caller=None)
        mediad.call("getMetrics", 200, root=root, head_only=True)
        families = list(text_string_to_metric_families(answer.body.decode()))
        assert len(families) > 15, families
        for family in families:
            assert family.documentation.endswith(".") and family.samples, family
            # Prometheus's rules for names: base units, and a counter says that it is one.
            assert re.fullmatch(r"[a-z]+(_[a-z]+)+", family.name), family
            assert (family.type == "counter") == all(sample.name.endswith("_total") for sample in family.samples), family
            assert family.type in ("counter", "gauge", "histogram"), family


def check_taken_paths(document, mediad):
    """Metrics may be put at any path but those that lead to something else."""
    environment = {"RUN_MODE": "local", "PATH": os.environ["PATH"]}
    for operation in document.operations.values():
        first = "/" + operation.path.split("/")[1]
        if first == "/metrics":
            continue
        for path in (first, first + "/more"):
            environment["MEDIA_SERVICE_MIDDLEWARE_METRICS_PATH"] = path
            result = subprocess.run([mediad, "--check-config"], env=environment, capture_output=True, text=True, timeout=60)
            assert result.returncode == 2 and "METRICS_PATH: accepts" in result.stderr, (path, result)


def drive_broken_storage(mediad):
    shutil.rmtree(os.path.join(mediad.store, "temp"))
    time.sleep(1.1)  # answers a second old are given again
    expect_equal("health", mediad.call("getHealth", 200).json()["status"], "degraded")
    expect_equal("readiness", mediad.call("getReadiness", 503).json()["status"], "not_ready")


def drive_documents(mediad):
    for operation, kind in (("getApiDescription", "application/yaml"), ("getApiPage", "text/html; charset=utf-8")):
        for root in (False, True):
            whole = mediad.call(operation, 200, root=root, caller=None)
            expect_equal("Content-Type", whole.field("Content-Type"), kind)
            mediad.call(operation, 200, root=root, head_only=True)
            mediad.call(operation, 200, root=root, headers=[("If-Match", whole.field("ETag"))])
            mediad.call(operation, 304, root=root, headers=[("If-None-Match", whole.field("ETag"))])
            mediad.call(operation, 412, root=root, headers=[("If-Match", '"another"')])
    text = mediad.call("getApiDescription", 200).body.decode()
    expect_equal("/openapi.yaml", text, mediad.document.text)
    answer = mediad.call("getApiPage", 200)
    page = answer.body.decode()
    for operation in mediad.document.operations.values():
        assert operation.path in page and f"<code>{operation.id}</code>" in page, f"{operation.id} is not on the page"
    style = page[page.index("<style>") + 7:page.index("</style>")]
    allowed = "'sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() + "'"
    assert f"style-src {allowed};" in answer.field("Content-Security-Policy"), "the page's style is not the one that its policy allows"
    for word in ("<script", "src=", " style=", "<link", "<img", "@import", "url("):
        assert word not in page, f"the page has {word}, which its policy does not allow"


def drive_uploads(mediad):
    photo = png(40, 30, 1)
    first = mediad.upload(photo, "one.png")
    expect_equal("media_id", first["media_id"], first["id"])
    expect_equal("upload_url", mediad.follow("GET", first["upload_url"], 200).body, photo)
    expect_equal("deduplicated", mediad.upload(photo, "again.png")["deduplicated"], True)
    mediad.call("uploadMedia", 200, headers=[("Content-Type", "image/png"), ("Content-Disposition", 'attachment; filename="b.png"')],
                body=png(8, 8, 2))
    form = (b'--x\r\nContent-Disposition: form-data; name="filename"\r\n\r\nform.png\r\n--x\r\nContent-Disposition: form-data; name="file"; '
            b'filename="f.png"\r\nContent-Type: image/png\r\n\r\n' + png(8, 8, 3) + b"\r\n--x--\r\n")
    answer = mediad.call("uploadMedia", 200, headers=[("Content-Type", "multipart/form-data; boundary=x")], body=form)
    expect_equal("original_filename", answer.json()["original_filename"], "form.png")

    key = [("Idempotency-Key", "upload-1"), ("Content-Type", "image/png"), ("X-Filename", "k.png")]
    mediad.call("uploadMedia", 200, headers=key, body=png(8, 8, 4))
    mediad.call("uploadMedia", 409, headers=key, body=png(8, 8, 5))
    kind = [("Content-Type", "image/png")]
    mediad.call("uploadMedia", 400, headers=[("Idempotency-Key", ""), *kind], body=photo)
    mediad.call("uploadMedia", 400, headers=kind, body=b"")
    mediad.call("uploadMedia", 400, headers=[("Content-Type", "multipart/form-data; boundary=x")], body=form[:100])
    mediad.call("uploadMedia", 411, headers=kind)
    mediad.call("uploadMedia", 413, headers=kind, body=bytes(65536), announce=10**12)
    mediad.call("uploadMedia", 415, headers=[("Content-Type", "text/html")], body=b"<html></html>")
    mediad.call("uploadMedia", 422, headers=[("Content-Type", "image/jpeg")], body=photo)


def drive_promises(mediad):
    photo = png(40, 30, 11)
    wanted = {"filename": "p.png", "content_type": "image/png", "file_size": len(photo)}
    key = [("Idempotency-Key", "promise-1")]
    promise = mediad.call("requestUpload", 200, headers=key, body=wanted).json()
    mediad.call("requestUpload", 409, headers=key, body={**wanted, "file_size": 9})
    media_id, url = promise["media_id"], promise["upload_url"]
    expect_equal("status", mediad.call("getMediaStatus", 200, {"id": media_id}).json()["status"], "Pending")
    mediad.call("getMedia", 200, {"id": media_id})
    mediad.call("downloadMedia", 404, {"id": media_id})
    mediad.call("listMedia", 200, query=[("status", "Pending")])

    for change in (wanted | {"filename": "p.exe"}, wanted | {"content_type": "text/html"}, wanted | {"file_size": 0}, wanted | {"file_size": 10**12}, wanted | {"sha256": "x"}):
        mediad.call("requestUpload", 400, body=change)
    mediad.call("requestUpload", 411)
    mediad.call("requestUpload", 413, body={**wanted, "filename": "x" * 70000})
    mediad.call("requestUpload", 415, headers=[("Content-Type", "text/plain")], body=json.dumps(wanted).encode())

    mediad.follow("PUT", url + "&more=1", 400, body=photo)
    mediad.follow("PUT", url, 400, body=photo[:-1])
    mediad.follow("PUT", url.replace("signature=", "signature=0"), 401, body=photo)
    mediad.follow("PUT", url, 411)
    kept = mediad.follow("PUT", url, 200, body=photo, caller=None).json()
    expect_equal("content_hash", kept["content_hash"], hashlib.sha256(photo).hexdigest())
    mediad.follow("PUT", url, 200, body=photo, caller="no such token")
    mediad.follow("PUT", url, 409, body=png(40, 30, 12)[:len(photo)].ljust(len(photo), b"\0"))
    expect_equal("status", mediad.call("requestUpload", 200, headers=key, body=wanted).json()["status"], "Processing")
    other = mediad.call("requestUpload", 200, body={**wanted, "filename": "p.jpg", "content_type": "image/jpeg",
                                                    "sha256": hashlib.sha256(photo).hexdigest()}).json()
    mediad.follow("PUT", other["upload_url"], 422, body=photo)
    mediad.wait(media_id)


def drive_media(mediad):
    done = mediad.upload(png(400, 300, 21), "done.png")["id"]
    broken = mediad.upload(png(64, 64, 22, damaged=True), "broken.png")["id"]
    moving = mediad.upload(moving_gif(), "moving.gif", "image/gif")["id"]
    expect_equal("done", mediad.wait(done)["status"], "Complete")
    expect_equal("broken", mediad.wait(broken)["status"], "Failed")
    mediad.wait(moving)
    for one in (done, broken, moving):
        mediad.call("getMedia", 200, {"id": one})
        mediad.call("getMediaStatus", 200, {"id": one})
        mediad.call("getMediaStatus", 200, {"id": one}, head_only=True)
        mediad.call("getMedia", 200, {"id": one}, head_only=True)
    expect_equal("duration", mediad.call("getMedia", 200, {"id": moving}).json()["duration_ms"], 200)

    listing = lambda *query, **more: mediad.call("listMedia", 200, query=query, **more)
    first = listing(("limit", "1"))
    assert first.field("Link"), "no Link to the next page"
    second = listing(("limit", "1"), ("cursor", first.json()["pagination"]["next_cursor"])).json()
    listing(("limit", "1"), ("cursor", second["pagination"]["prev_cursor"]))
    listing(head_only=True)
    listing(("limit", "2"), ("offset", "1"))
    listing(("order", "desc"), ("type", "image/"), ("q", "done"), ("from", "2020-01-01T00:00:00Z"), ("to", "2999-01-01T00:00:00Z"))
    for status in ("Complete", "Failed", "Processing"):
        listing(("status", status))
    for name, value in (("limit", "0"), ("cursor", "x"), ("offset", "-1"), ("order", "x"), ("status", "x"), ("from", "x")):
        mediad.call("listMedia", 400, query=[(name, value)])

    tag = mediad.call("getMedia", 200, {"id": done}).field("ETag")
    mediad.call("getMedia", 200, {"id": done}, headers=[("If-Match", tag)])
    mediad.call("getMedia", 304, {"id": done}, headers=[("If-None-Match", tag)])
    mediad.call("getMedia", 412, {"id": done}, headers=[("If-Match", '"x"')])
    mediad.call("getMediaStatus", 400, {"id": done}, query=[("wait", "21")])
    large, small = (mediad.upload(tiles(side), f"tiles{side}.png")["id"] for side in (160, 80))
    for one in (large, small):
        mediad.wait(one)
    alike = mediad.call("listSimilarMedia", 200, {"id": large}).json()
    expect_equal("similar", [one["media"]["id"] for one in alike["data"]], [small])
    mediad.call("listSimilarMedia", 200, {"id": large}, query=[("distance", "32"), ("limit", "1")])
    mediad.call("listSimilarMedia", 200, {"id": large}, head_only=True)
    expect_equal("similar to nothing", mediad.call("listSimilarMedia", 200, {"id": done}).json()["data"], [])
    for name, value in (("distance", "33"), ("limit", "0")):
        mediad.call("listSimilarMedia", 400, {"id": large}, query=[(name, value)])
    for operation, path in (("getMedia", ""), ("getMediaStatus", "/status"), ("listSimilarMedia", "/similar")):
        mediad.call(operation, 200, {"id": done}, query=signed(f"/media/{done}{path}", []), caller=None)
        mediad.call(operation, 401, {"id": done}, query=signed(f"/media/{done + 1}{path}", []), caller=None)
        mediad.call(operation, 400, {"id": "x"})
        mediad.call(operation, 404, {"id": 4711})

    change = lambda status, body, **more: mediad.call("changeMedia", status, {"id": done}, body=body, **more)
    change(200, {"original_filename": "renamed.png"}, headers=[("If-Match", tag)])
    change(412, {"original_filename": "more.png"}, headers=[("If-Match", tag)])
    for visibility in ("authenticated", "public", "private"):
        change(200, {"visibility": visibility})
    change(200, {"tags": ["sea", "sun"], "expires_at": "2999-01-01T00:00:00Z"})
    expect_equal("tagged", [one["id"] for one in listing(("tag", "sun")).json()["data"]], [done])
    change(200, {"expires_at": None})
    change(400, {"tags": [""]})
    change(400, {"expires_at": "2020-01-01T00:00:00Z"})
    change(400, {"original_filename": "a/b"})
    change(400, {"owner_id": "bob"})
    mediad.call("changeMedia", 411, {"id": done})
    change(413, {"original_filename": "x" * 70000})
    change(415, b"{}", headers=[("Content-Type", "text/plain")])
    mediad.call("changeMedia", 404, {"id": 4711}, body={})

    mediad.call("deleteMedia", 400, {"id": "x"})
    mediad.call("deleteMedia", 404, {"id": 4711})
    mediad.call("deleteMedia", 204, {"id": moving})
    mediad.call("deleteManyMedia", 200, body={"ids": [broken, 4711]})
    mediad.call("deleteManyMedia", 400, body={"ids": []})
    mediad.call("deleteManyMedia", 411)
    mediad.call("deleteManyMedia", 413, body={"ids": [1] * 40000})
    mediad.call("deleteManyMedia", 415, headers=[("Content-Type", "text/plain")], body=b"{}")


def drive_content(mediad, operation, media_id, path, query, more_path=()):
    """What every route that serves bytes can do."""
    where = {"id": media_id, **dict(more_path)}
    call = lambda status, headers=(), extra=(), **more: mediad.call(operation, status, where, query=[*query, *extra], headers=headers, **more)
    whole = call(200)
    tag, date = whole.field("ETag"), whole.field("Last-Modified")
    call(200, head_only=True)
    expect_equal("a range", call(206, [("Range", "bytes=0-9")]).body, whole.body[:10])
    call(206, [("Range", "bytes=0-9,20-29"), ("If-Range", tag)])
    call(200, [("Range", "bytes=0-9"), ("If-Range", '"x"')])
    call(416, [("Range", f"bytes={len(whole.body)}-")])
    call(200, [("If-Match", tag), ("If-None-Match", '"x"')])
    call(304, [("If-None-Match", tag)])
    call(304, [("If-Modified-Since", date)])
    call(200, [("If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"), ("If-Unmodified-Since", date)])
    call(412, [("If-Match", '"x"')])
    call(412, [("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT")])
    free = signed(path, list(query))
    mediad.call(operation, 200, where, query=free, caller=None)
    mediad.call(operation, 200, where, query=free, caller=None, head_only=True)
    mediad.call(operation, 401, where, query=free[:-1] + [("signature", "0" * 64)], caller=None)
    mediad.call(operation, 400, where, query=free + [("key", "x")], caller=None)
    mediad.call(operation, 400, {**where, "id": "x"}, query=query)
    mediad.call(operation, 404, {**where, "id": 4711}, query=query)
    return whole


def drive_pictures(mediad):
    done = mediad.upload(png(400, 300, 31), "pictures.png")["id"]
    clear = mediad.upload(png(64, 64, 32, alpha=True), "clear.png")["id"]
    broken = mediad.upload(png(64, 64, 33, damaged=True), "damaged.png")["id"]
    for one in (done, clear, broken):
        mediad.wait(one)
    drive_content(mediad, "downloadMedia", done, f"/media/{done}/download", [])
    mediad.call("downloadMedia", 200, {"id": done}, query=[("disposition", "inline")])
    mediad.call("downloadMedia", 400, {"id": done}, query=[("disposition", "x")])

    thumb = drive_content(mediad, "getRendition", done, f"/media/{done}/renditions/thumb", [], [("preset", "thumb")])
    immutable = mediad.call("getRendition", 200, {"id": done, "preset": "thumb"}, query=[("v", thumb.field("ETag").strip('"'))])
    assert "immutable" in immutable.field("Cache-Control"), immutable.fields
    for name in ("medium", "large"):
        mediad.call("getRendition", 200, {"id": done, "preset": name}, headers=[("Accept", "image/avif,image/webp,*/*")])
    for form in ("avif", "webp", "jpeg", "png"):
        answer = mediad.call("getRendition", 200, {"id": done, "preset": "thumb"}, query=[("format", form)])
        expect_equal("Content-Type", answer.field("Content-Type"), f"image/{form}")
    mediad.call("getRendition", 200, {"id": clear, "preset": "thumb"}, headers=[("Accept", "image/webp")])
    mediad.call("getRendition", 400, {"id": done, "preset": "thumb"}, query=[("format", "bmp")])
    mediad.call("getRendition", 404, {"id": done, "preset": "huge"})
    mediad.call("getRendition", 422, {"id": broken, "preset": "thumb"})
    for entry in mediad.call("getMedia", 200, {"id": done}).json()["renditions"]:
        expect_equal("size", len(mediad.follow("GET", entry["url"], 200, caller=None).body), entry["size"])

    drive_content(mediad, "getPicture", done, f"/media/{done}/image", [("w", "320")])
    mediad.call("getPicture", 200, {"id": done}, query=[("w", "320"), ("h", "320"), ("fit", "cover"), ("format", "webp"), ("v", "0" * 64)])
    for form in ("avif", "png"):
        mediad.call("getPicture", 200, {"id": done}, query=[("w", "320"), ("format", form)])
    query = [("w", "33"), ("h", "44"), ("q", "50"), ("enlarge", "1"), ("bg", "ff8000"), ("fit", "contain"), ("format", "jpeg")]
    mediad.call("getPicture", 200, {"id": done}, query=signed(f"/media/{done}/image", query), caller=None)
    mediad.call("getPicture", 401, {"id": done}, query=query)
    query = [("w", "40"), ("h", "40"), ("fit", "cover"), ("gravity", "0.3:0.75"), ("dpr", "1.5"), ("rotate", "90"), ("flip", "hv"), ("trim", "10"),
             ("sharpen", "1.5:0.8"), ("blur", "2.5"), ("icc", "keep"), ("meta", "copyright"), ("format", "png")]
    searched = [("w", "41"), ("score", "90.5"), ("max_bytes", "100000"), ("format", "webp")]
    mediad.call("getPicture", 200, {"id": done}, query=signed(f"/media/{done}/image", searched), caller=None)
    deep = [("w", "42"), ("depth", "10"), ("format", "avif")]
    mediad.call("getPicture", 200, {"id": done}, query=signed(f"/media/{done}/image", deep), caller=None)
    mediad.call("getPicture", 401, {"id": done}, query=deep)
    mediad.call("getPicture", 400, {"id": done}, query=signed(f"/media/{done}/image", [("w", "320"), ("depth", "10"), ("format", "webp")]), caller=None)
    mediad.call("getPicture", 200, {"id": done}, query=signed(f"/media/{done}/image", query), caller=None)
    mediad.call("getPicture", 200, {"id": done}, query=[("w", "320"), ("h", "320"), ("fit", "pad"), ("gravity", "southeast"), ("format", "png")])
    for name, value in (("gravity", "up"), ("dpr", "9"), ("rotate", "45"), ("flip", "x"), ("trim", "0"), ("sharpen", "0"), ("blur", "1e9"), ("icc", "p3"), ("meta", "all"), ("depth", "12"), ("score", "100"), ("max_bytes", "0")):
        mediad.call("getPicture", 400, {"id": done}, query=[("w", "320"), (name, value)])
    query = [("w", "33"), ("format", "gif"), ("frames", "all")]
    mediad.call("getPicture", 200, {"id": done}, query=signed(f"/media/{done}/image", query), caller=None)
    mediad.call("getPicture", 401, {"id": done}, query=query)
    for bad in ([], [("w", "0")], [("w", "320"), ("w", "800")], [("w", "320"), ("more", "1")]):
        mediad.call("getPicture", 400, {"id": done}, query=bad)
    mediad.call("getPicture", 422, {"id": broken}, query=[("w", "320")])


def drive_videos(mediad):
    content = film()
    shown = mediad.upload(content, "film.mp4", "video/mp4")["id"]
    # Whole in its structure, and no frame in it.
    begin, end = content.index(b"mdat") + 4, content.index(b"moov") - 4
    hollow = mediad.upload(content[:begin] + b"\0" * (end - begin) + content[end:], "hollow.mp4", "video/mp4")["id"]
    photo = mediad.upload(png(8, 8, 77), "still.png")["id"]
    for one in (shown, hollow, photo):
        mediad.wait(one)
    expect_equal("renditions of a video", len(mediad.call("getMedia", 200, {"id": shown}).json()["renditions"]), 9)
    for more in ([("at", "0.5")], [("frames", "clip")], [("frames", "sheet")]):
        query = [("w", "40"), ("format", "webp")] + more
        mediad.call("getPicture", 200, {"id": shown}, query=signed(f"/media/{shown}/image", query), caller=None)
        mediad.call("getPicture", 401, {"id": shown}, query=query)
    index = mediad.call("getSheetIndex", 200, {"id": shown})
    url = index.body.decode().split("\n")[3].split("#")[0]
    expect_equal("the sheet", mediad.follow("GET", url, 200, caller=None).field("Content-Type"), "image/webp")
    for form in ("avif", "webp", "jpeg", "png"):
        mediad.call("getSheetIndex", 200, {"id": shown}, query=[("w", "320"), ("format", form)])
    mediad.call("getSheetIndex", 200, {"id": shown}, query=signed(f"/media/{shown}/sheet.vtt", [("w", "33")]), caller=None)
    mediad.call("getSheetIndex", 401, {"id": shown}, query=[("w", "33")])
    mediad.call("getSheetIndex", 400, {"id": shown}, query=[("w", "0")])
    mediad.call("getSheetIndex", 400, {"id": shown}, query=[("format", "gif")])
    mediad.call("getSheetIndex", 404, {"id": photo})
    mediad.call("getSheetIndex", 422, {"id": hollow})

    drive_content(mediad, "getVideo", shown, f"/media/{shown}/video", [("format", "mp4"), ("codecs", "keep")])
    mediad.call("getVideo", 404, {"id": shown})
    mediad.call("getVideo", 400, {"id": shown}, query=[("format", "gif")])
    mediad.call("getVideo", 400, {"id": shown}, query=[("q", "3")])
    mediad.call("getVideo", 404, {"id": photo}, query=[("codecs", "keep")])

    def order(status, media_id, wanted, **more):
        more.setdefault("headers", [("Content-Type", "application/json")])
        return mediad.call("orderVideo", status, {"id": media_id}, body=json.dumps(wanted).encode(), **more)

    for wanted in ({"format": "mp4", "w": 160}, {"format": "webm", "w": 160, "h": 160}):
        order(202, shown, wanted)
        for _ in range(6000):
            video = next(each for each in mediad.call("listVideos", 200, {"id": shown}).json()["data"] if f"format={wanted['format']}" in each["transform"] and "keep" not in each["transform"])
            if video["state"] == "ready":
                break
            time.sleep(0.01)  # A small film is encoded quickly, and is to be seen running.
        expect_equal("progress", video["progress"], 100)
        order(200, shown, wanted)
        expect_equal("the video", len(mediad.follow("GET", video["url"], 200, caller=None).body), video["size"])
        mediad.call("getVideo", 200, {"id": shown}, query=[(name, str(value)) for name, value in wanted.items()])
    order(202, hollow, {})
    for _ in range(600):
        if mediad.call("listVideos", 200, {"id": hollow}).json()["data"][0]["state"] == "failed":
            break
        time.sleep(0.1)
    mediad.call("getVideo", 422, {"id": hollow})
    order(422, photo, {"format": "mp4"})
    order(400, shown, {"format": "gif"})
    order(400, shown, {"codecs": "keep"})
    order(404, 4711, {})
    order(415, shown, {}, headers=[("Content-Type", "text/plain")])
    mediad.call("listVideos", 404, {"id": 4711})
    mediad.call("listVideos", 400, {"id": "x"})
    mediad.call("listVideos", 200, {"id": shown}, query=signed(f"/media/{shown}/videos", []), caller=None)


def drive_links(mediad):
    one, two = (mediad.upload(png(8, 8, shade), f"link{shade}.png")["id"] for shade in (41, 42))
    for operations, subject in ((("listRecipeMedia", "attachToRecipe", "detachFromRecipe"), {"recipe": 7}),
                                (("listIngredientMedia", "attachToIngredient", "detachFromIngredient"), {"recipe": 7, "ingredient": 8}),
                                (("listStepMedia", "attachToStep", "detachFromStep"), {"recipe": 7, "step": 9})):
        get, attach, detach = operations
        mediad.call(get, 200, subject)
        mediad.call(attach, 204, {**subject, "id": one}, query=[("position", "2")])
        mediad.call(attach, 204, {**subject, "id": two})
        expect_equal(get, mediad.call(get, 200, subject).json(), [two, one])
        mediad.call(get, 200, subject, head_only=True)
        mediad.call(attach, 400, {**subject, "id": one}, query=[("position", "x")])
        mediad.call(attach, 404, {**subject, "id": 4711})
        mediad.call(detach, 204, {**subject, "id": one})
        mediad.call(detach, 404, {**subject, "id": one})
        mediad.call(detach, 400, {**subject, "id": "x"})
        mediad.call(get, 400, {**subject, "recipe": 0})


TUS = ("Tus-Resumable", "1.0.0")
BYTES = ("Content-Type", "application/offset+octet-stream")


def tus(mediad, operation, status, upload=None, *headers, **more):
    return mediad.call(operation, status, {"id": upload} if upload else (), headers=[TUS, *headers], **more)


def create(mediad, length, *headers, **more):
    answer = tus(mediad, "createUpload", 201, None, ("Upload-Length", str(length)), *headers, **more)
    return answer.field("Location").rsplit("/", 1)[1]


def drive_tus(mediad):
    photo = png(40, 30, 51)
    claims = ("Upload-Metadata", "filename " + base64.b64encode(b"t.png").decode() + ",filetype " + base64.b64encode(b"image/png").decode())
    offset = lambda number: ("Upload-Offset", str(number))
    checksum = lambda content: ("Upload-Checksum", "sha1 " + base64.b64encode(hashlib.sha1(content).digest()).decode())
    mediad.call("describeUploads", 204, caller=None)
    mediad.call("describeUpload", 204, {"id": "any"}, caller=None)

    # One upload in two pieces, the second by the other method.
    one = create(mediad, len(photo), claims)
    tus(mediad, "getUploadOffset", 200, one)
    tus(mediad, "appendToUpload", 204, one, BYTES, offset(0), checksum(photo[:20]), body=photo[:20])
    patch = ("X-HTTP-Method-Override", "PATCH")
    tus(mediad, "overrideUploadMethod", 204, one, patch, BYTES, offset(20), checksum(photo[20:30]), body=photo[20:30])
    for operation, extra in (("appendToUpload", []), ("overrideUploadMethod", [patch])):
        tus(mediad, operation, 400, one, *extra, BYTES, ("Upload-Offset", "x"), body=b"x")
        tus(mediad, operation, 404, "none", *extra, BYTES, offset(0), body=b"x")
        tus(mediad, operation, 409, one, *extra, BYTES, offset(5), body=b"x")
        mediad.call(operation, 412, {"id": one}, headers=[*extra, BYTES, offset(30)], body=b"x")
        tus(mediad, operation, 413, one, *extra, BYTES, offset(30), body=photo + photo)
        tus(mediad, operation, 415, one, *extra, ("Content-Type", "text/plain"), offset(30), body=b"x")
        tus(mediad, operation, 460, one, *extra, BYTES, offset(30), checksum(b"another"), body=b"x")
    done = tus(mediad, "overrideUploadMethod", 204, one, patch, BYTES, offset(30), body=photo[30:])
    media_id = done.field("Media-Id")
    expect_equal("Media-Id", tus(mediad, "getUploadOffset", 200, one).field("Media-Id"), media_id)
    mediad.call("getMedia", 200, {"id": media_id})
    last = create(mediad, len(photo))
    assert tus(mediad, "appendToUpload", 204, last, BYTES, offset(0), body=photo).field("Media-Id")

    # At once, and in parts.
    at_once = tus(mediad, "createUpload", 201, None, ("Upload-Length", str(len(photo))), claims, BYTES, checksum(photo), body=photo)
    assert at_once.field("Media-Id"), at_once.fields
    parts = []
    for piece in (photo[:50], photo[50:]):
        part = create(mediad, len(piece), ("Upload-Concat", "partial"))
        tus(mediad, "getUploadOffset", 200, part)
        parts.append((part, piece))
    final = ("Upload-Concat", "final;" + " ".join(f"/api/v1/media-management/uploads/{part}" for part, _ in parts))
    tus(mediad, "createUpload", 409, None, final)
    for part, piece in parts:
        tus(mediad, "appendToUpload", 204, part, BYTES, offset(0), body=piece)
    joined = tus(mediad, "createUpload", 201, None, final, claims).field("Location")
    assert mediad.follow("HEAD", joined, 200, headers=[TUS]).field("Upload-Concat").startswith("final;")
    for operation, extra in (("appendToUpload", []), ("overrideUploadMethod", [patch])):
        tus(mediad, operation, 403, joined.rsplit("/", 1)[1], *extra, BYTES, offset(0), body=b"x")

    # What is refused.
    size = ("Upload-Length", str(len(photo)))
    tus(mediad, "createUpload", 400)
    tus(mediad, "createUpload", 404, None, ("Upload-Concat", "final;/api/v1/media-management/uploads/none"))
    mediad.call("createUpload", 412, headers=[size])
    tus(mediad, "createUpload", 413, None, ("Upload-Length", str(10**12)))
    tus(mediad, "createUpload", 415, None, size, ("Content-Type", "text/plain"), body=photo)
    tus(mediad, "createUpload", 460, None, size, BYTES, checksum(b"another"), body=photo)
    wrong = ("Upload-Metadata", "filetype " + base64.b64encode(b"image/jpeg").decode())
    tus(mediad, "createUpload", 422, None, size, wrong, BYTES, body=photo)
    for operation, extra in (("appendToUpload", []), ("overrideUploadMethod", [patch])):
        tus(mediad, operation, 422, create(mediad, len(photo), wrong), *extra, BYTES, offset(0), body=photo)
    tus(mediad, "overrideUploadMethod", 405, one)
    tus(mediad, "getUploadOffset", 404, "none")
    mediad.call("getUploadOffset", 412, {"id": one})
    for operation, extra in (("terminateUpload", []), ("overrideUploadMethod", [("X-HTTP-Method-Override", "DELETE")])):
        tus(mediad, operation, 204, create(mediad, 9), *extra)
        tus(mediad, operation, 404, "none", *extra)
        mediad.call(operation, 412, {"id": one}, headers=extra)


def drive_expired_uploads(mediad):
    """At a mediad whose uploads live for a second."""
    old = create(mediad, 9)
    time.sleep(2.1)
    tus(mediad, "getUploadOffset", 410, old)
    for operation, extra in (("appendToUpload", []), ("overrideUploadMethod", [("X-HTTP-Method-Override", "PATCH")])):
        tus(mediad, operation, 410, old, *extra, BYTES, ("Upload-Offset", "0"), body=b"x")
    tus(mediad, "terminateUpload", 204, old)


def drive_redirect(mediad):
    """At a mediad that hands whole downloads to its object store."""
    picture = png(8, 8, 73)
    mine = mediad.upload(picture, "elsewhere.png")
    there = mediad.call("downloadMedia", 302, {"id": mine["id"]}).field("Location")
    parts = urllib.parse.urlsplit(there)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request("GET", parts.path + "?" + parts.query)
    answer = connection.getresponse()
    expect_equal("what the object store sends", (answer.status, answer.read()), (200, picture))
    connection.close()
    mediad.call("downloadMedia", 206, {"id": mine["id"]}, headers=[("Range", "bytes=0-3")])


def drive_full_queue(mediad, binaries):
    """At a mediad that takes one video order at a time and encodes none."""
    quota = [os.path.join(binaries, "mediactl"), "--store", mediad.store, "quota"]
    mine = mediad.upload(moving_gif(), "moves.gif", "image/gif")["id"]
    mediad.wait(mine)

    def order(status, side):
        return mediad.call("orderVideo", status, {"id": mine}, headers=[("Content-Type", "application/json")], body=json.dumps({"w": side}).encode())

    subprocess.run(quota + ["set", "local", "--bytes", "1"], check=True, capture_output=True)
    order(413, 16)
    subprocess.run(quota + ["clear", "local"], check=True, capture_output=True)
    order(202, 16)
    order(202, 16)
    assert int(order(503, 32).field("Retry-After")) > 0


def drive_no_encoder(mediad):
    """At a mediad beside which there is no media-video-worker."""
    mine = mediad.upload(moving_gif(), "moves.gif", "image/gif")["id"]
    mediad.wait(mine)
    mediad.call("orderVideo", 501, {"id": mine}, headers=[("Content-Type", "application/json")], body=b"{}")


def drive_gate(mediad, binaries):
    """At a mediad that holds what its scanner, which is not there, has not seen."""
    control = [os.path.join(binaries, "mediactl"), "--store", mediad.store, "quarantine", "put", "--reason"]
    kept = {"unscanned": png(8, 8, 81), "polyglot": png(8, 8, 82) + b"<html><body>", "infected": png(8, 8, 83), "banned": png(8, 8, 84)}
    for reason, content in kept.items():
        mine = mediad.upload(content, f"{reason}.png")["id"]
        if reason in ("infected", "banned"):
            subprocess.run(control + [reason, str(mine)], check=True, capture_output=True)
        expect_equal("held", mediad.call("getMedia", 200, {"id": mine}).json()["held"], reason)
        status = mediad.call("getMediaStatus", 200, {"id": mine}).json()
        expect_equal("its status", (status["held"], status["status"]), (reason, "Failed" if reason in ("infected", "banned") else "Processing"))
        mediad.call("downloadMedia", 409, {"id": mine})
        mediad.call("getRendition", 409, {"id": mine, "preset": "thumb"})
        mediad.call("getPicture", 409, {"id": mine}, query=[("w", "320")])
        mediad.call("getSheetIndex", 409, {"id": mine})
        mediad.call("getVideo", 409, {"id": mine})
        mediad.call("orderVideo", 409, {"id": mine}, headers=[("Content-Type", "application/json")], body=b"{}")
    for reason in ("infected", "banned"):
        mediad.call("uploadMedia", 422, headers=[("Content-Type", "image/png"), ("X-Filename", "again.png")], body=kept[reason])
    health = mediad.call("getHealth", 200).json()
    expect_equal("health", (health["status"], health["checks"]["scanner"]["reason"]), ("degraded", "clamd does not answer"))
    mediad.call("getReadiness", 200)


def drive_credentials(mediad, binaries):
    """Nobody, somebody without the scope, a stranger and an API key at everything that asks for a credential."""
    mine = mediad.upload(png(8, 8, 61), "mine.png")["id"]
    shown = mediad.upload(png(8, 8, 62), "shown.png")["id"]
    mediad.call("changeMedia", 200, {"id": shown}, body={"visibility": "public"})
    path = {"id": mine, "recipe": 1, "ingredient": 1, "step": 1, "preset": "thumb", "token": "x"}
    for operation in mediad.document.operations.values():
        where = {name: path[name] for place, name in operation.parameters if place == "path"}
        fields = [TUS] if operation.path.startswith("/uploads") else []
        if operation.path == "/uploads/{id}":
            where = {"id": "none"}
        query = [("w", "320")] if operation.id == "getPicture" else []
        names = {name for choice in operation.security for name in choice}
        call = lambda status, **more: mediad.call(operation.id, status, where, query=query, headers=fields, **more)
        if not names or names == {"signedUrl"}:
            continue
        body = b"" if operation.method in ("POST", "PATCH", "PUT") else None
        for refused in (None, "no such token", token("ann", exp=1)):
            answer = call(401, caller=refused, body=body)
            assert answer.field("WWW-Authenticate").startswith("Bearer"), operation.id
        call(403, caller=token("ann", scope="openid"), body=body)
    for operation in ("changeMedia", "deleteMedia"):
        mediad.call(operation, 403, {"id": shown}, caller=token("bob"), body={} if operation == "changeMedia" else None)
        mediad.call(operation, 404, {"id": mine}, caller=token("bob"), body={} if operation == "changeMedia" else None)
    for operation in ("getMedia", "getMediaStatus", "downloadMedia"):
        mediad.call(operation, 404, {"id": mine}, caller=token("bob"))
        mediad.call(operation, 200, {"id": mine}, caller=token("root", scope="media:admin"))
        mediad.call(operation, 200, {"id": shown}, caller=None)
    made = subprocess.run([os.path.join(binaries, "mediactl"), "apikey", "create", "--owner", "ann", "--store", mediad.store, "--json"],
                          check=True, capture_output=True, text=True)
    key = [("X-API-Key", json.loads(made.stdout.splitlines()[0])["token"])]
    mediad.call("getMedia", 200, {"id": mine}, caller=None, headers=key)
    mediad.call("listMedia", 200, caller=None, headers=key)
    mediad.call("changeMedia", 200, {"id": mine}, caller=None, headers=key, body={"visibility": "private"})


def drive_other_methods(mediad):
    """405 and the rest of what paths and not operations answer: one at each kind of path."""
    document = mediad.document
    for operation_id, method in (("getMedia", "POST"), ("getUploadOffset", "PUT"), ("getLiveness", "DELETE")):
        operation = document.operations[operation_id]
        connection = http.client.HTTPConnection("127.0.0.1", mediad.port, timeout=60)
        connection.request(method, operation.servers[0] + operation.path.replace("{id}", "1"), headers={"Content-Length": "0"})
        answer = Answer(connection.getresponse(), False)
        connection.close()
        expect_equal(f"{method} {operation.path}", answer.status, 405)
        assert answer.field("Allow"), answer.fields
        # Held against the operation that is there: what it says of other failures is true of this one.
        response = {"getMedia": "getMedia", "getUploadOffset": "appendToUpload", "getLiveness": "getLiveness"}[operation_id]
        document.check(document.operations[response], operation.servers[0], [], [], None, answer)


def main():
    document = Document(sys.argv[1])
    binaries = os.path.abspath(os.path.join(sys.argv[2], "bin"))
    check_taken_paths(document, os.path.join(binaries, "mediad"))
    with tempfile.TemporaryDirectory(prefix="openapi-") as folder:
        first, second = (os.path.join(folder, name) for name in ("guarded", "local"))
        os.mkdir(first)
        os.mkdir(second)
        guarded = Mediad(document, binaries, first, {"JWT_SECRET": JWT_SECRET, "UPLOAD_URL_SECRET": URL_SECRET})
        try:
            guarded.caller = token("ann")
            drive_routes(guarded)
            drive_health(guarded)
            drive_metrics(guarded)
            drive_documents(guarded)
            drive_uploads(guarded)
            drive_promises(guarded)
            drive_media(guarded)
            drive_pictures(guarded)
            drive_videos(guarded)
            drive_links(guarded)
            drive_tus(guarded)
            drive_credentials(guarded, binaries)
            drive_other_methods(guarded)
        finally:
            guarded.stop()
        third, objects = (os.path.join(folder, name) for name in ("distant", "objects"))
        os.mkdir(third)
        object_store = ObjectStore(objects)
        try:
            distant = Mediad(document, binaries, third, {**object_store.settings(), "MEDIA_SERVICE_STORAGE_S3_REDIRECT": "true"})
            try:
                drive_redirect(distant)
            finally:
                distant.stop()
        finally:
            object_store.stop()
        fourth = os.path.join(folder, "gated")
        os.mkdir(fourth)
        gated = Mediad(document, binaries, fourth, {"MEDIA_SERVICE_SCANNER_CLAMD_ADDRESS": "unix:/nonexistent/clamd", "MEDIA_SERVICE_SCANNER_UNSCANNED": "hold",
                                                    "MEDIA_SERVICE_MIDDLEWARE_VALIDATION_POLYGLOTS": "hold",
                                                    "MEDIA_SERVICE_STORAGE_WARM": os.path.join(folder, "warm"),
                                                    "MEDIA_SERVICE_STORAGE_COLD": os.path.join(folder, "cold")})
        try:
            drive_gate(gated, binaries)
        finally:
            gated.stop()
        fifth = os.path.join(folder, "pictures-only")
        os.mkdir(fifth)
        for program in ("mediad", "media-worker"):
            shutil.copy(os.path.join(binaries, program), fifth)
        pictures_only = Mediad(document, fifth, fifth, {})
        try:
            drive_no_encoder(pictures_only)
        finally:
            pictures_only.stop()
        local = Mediad(document, binaries, second, {"MEDIA_SERVICE_UPLOAD_RESUMABLE_LIFETIME_SECONDS": "1", "MEDIA_SERVICE_PROCESSING_ENCODINGS": "0",
                                                    "MEDIA_SERVICE_PROCESSING_ENCODING_QUEUE": "1"})
        try:
            drive_expired_uploads(local)
            drive_full_queue(local, binaries)
            mine = local.upload(png(8, 8, 71), "local.png")
            expect_equal("owner_id", mine["owner_id"], "local")
            local.wait(mine["id"])
            local.call("listMedia", 200, caller="any token")
            drive_broken_storage(local)
        finally:
            local.stop()

    promised = document.promised()
    absent = promised - document.seen
    faults = sorted(set(document.faults))
    for one in sorted(absent, key=repr):
        if one not in UNSEEN and not (one[0] == "content" and one[2] in UNSEEN_CONTENTS):
            faults.append(f"documented, and never seen: {one}")
    for one in UNSEEN:
        if one not in absent:
            faults.append(f"it can be seen, or is not documented, so openapi_test.py need not leave it out: {one}")
    for fault in faults:
        print(fault)
    print(f"{document.exchanges} answers, {len(document.operations)} operations, {len(promised & document.seen)} of {len(promised)} things documented were "
          f"seen, {len(faults)} faults")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
