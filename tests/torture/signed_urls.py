#!/usr/bin/env python3
"""Changes signed URLs in every way that a URL can be changed, and expects a running mediad to take none of them.

usage: signed_urls.py PROGRAMS [MUTANTS]     PROGRAMS: the folder of mediactl, mediad and the rest; MUTANTS: 100000

URLs for downloads, renditions, pictures and uploads, as they are written in the request line: every character changed, dropped, doubled, put in and
spelt as an escape, other cases, parameters that are missing, there twice, exchanged, empty or more, paths with `..`, `//`, `;` and other ids, other
methods, signatures of other URLs, keys, lengths and bases, other times, and random mixtures of these up to MUTANTS. What still says the same by
RFC 3986 (another order of the parameters, an escape that was not needed) may be taken. Afterwards the URLs hold, no promise of an upload is used
up, nothing was made or removed, and no signature, key or secret is in the log. The negative control: a right URL that is called a mutant.
"""
import base64
import hashlib
import hmac
import json
import os
import random
import re
import socket
import sys
import time

from rig import API, Mediad, Programs, Violation, digest, expect_violation, png, work_folder

SECRET = "6f1ed002ab5595859014ebf0951522d9"
CHARACTERS = "0123456789abcdefABCDEFXZgz/%+ .-_~?&=;:#@!,*'()\\\"<>[]{}|^`"
METHODS = ("POST", "PUT", "DELETE", "PATCH", "GET", "get", "TRACE", "CONNECT", "PROPFIND")


def bearer(owner):
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    claims = {"sub": owner, "exp": int(time.time()) + 86_400}
    text = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
    return (text + b"." + encode(hmac.new(SECRET.encode(), text, hashlib.sha256).digest())).decode()


def decoded(text, plus):
    """Of percent escapes; None where one is broken."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return None
    raw = (text.replace("+", " ") if plus else text).encode("latin-1")
    try:
        return re.sub(rb"%([0-9A-Fa-f]{2})", lambda found: bytes([int(found.group(1), 16)]), raw).decode("utf-8")
    except UnicodeDecodeError:
        return None


def meaning(method, target):
    """What a request asks for, by RFC 3986 and RFC 9112: two of the same meaning are the same URL. None: nothing at all."""
    scheme = re.match(r"https?://[^/?]+", target, re.IGNORECASE)
    if scheme:
        target = target[scheme.end() :]
    path, _, query = target.partition("?")
    if not path.startswith("/") or re.search(r"[^!-~]|#", target):
        return None
    segments = [decoded(segment, False) for segment in path[1:].split("/")]
    if any(segment is None or segment in (".", "..") or "/" in segment for segment in segments):
        return None
    if segments[-1] == "":
        segments.pop()
    pairs = []
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            pairs.append((decoded(name, True), decoded(value, True)))
    if any(part is None for pair in pairs for part in pair):
        return None
    return method, tuple(segments), tuple(sorted(pairs))


class Client:
    """One connection, opened anew where the server closes it."""

    def __init__(self, port):
        self.port, self.socket, self.buffer = port, None, b""

    def ask(self, method, target, body=b"", fields=""):
        head = f"{method} {target} HTTP/1.1\r\nHost: x\r\n{fields}Content-Length: {len(body)}\r\n\r\n".encode("latin-1")
        for attempt in range(3):
            if self.socket is None:
                self.socket, self.buffer = socket.create_connection(("127.0.0.1", self.port), 20), b""
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            try:
                self.socket.sendall(head + body)
                return self.answer(method)
            except (ConnectionError, BrokenPipeError):
                # A connection that was to be closed after the last answer; one that is new has to be answered.
                self.close()
                if attempt == 2:
                    raise Violation(f"{method} {target}: the connection broke") from None
        return None

    def answer(self, method):
        while b"\r\n\r\n" not in self.buffer:
            self.more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        length = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
        if length is None:
            raise Violation(f"an answer without a length: {head[:200]}")
        wanted = 0 if method == "HEAD" else int(length.group(1))
        while len(self.buffer) < wanted:
            self.more()
        content, self.buffer = self.buffer[:wanted], self.buffer[wanted:]
        if re.search(rb"\r\nconnection: *close", head, re.IGNORECASE):
            self.close()
        return int(head.split(b" ", 2)[1]), content

    def more(self):
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError
        self.buffer += piece

    def close(self):
        if self.socket is not None:
            self.socket.close()
        self.socket = None


class Url:
    def __init__(self, method, target, body=b""):
        self.method, self.target, self.body = method, target, body
        self.means = meaning(method, target)
        self.path, _, query = target.partition("?")
        self.pairs = [tuple(pair.split("=", 1)) for pair in query.split("&")]

    def of(self, pairs, path=None):
        return (self.path if path is None else path) + "?" + "&".join(f"{name}={value}" for name, value in pairs)

    def value(self, name):
        return dict(self.pairs)[name]


def by_character(url):
    target = url.target
    for at, old in enumerate(target):
        for new in CHARACTERS:
            yield target[:at] + new + target[at + 1 :]
        yield target[:at] + target[at + 1 :]
        yield target[:at] + old + target[at:]
        yield target[:at] + old.swapcase() + target[at + 1 :]
        yield target[:at] + f"%{ord(old):02X}" + target[at + 1 :]
        yield target[:at] + f"%25{ord(old):02X}" + target[at + 1 :]
        yield target[:at] + chr(ord(old) | 0x80) + target[at + 1 :]
        yield target[:at]
        for new in "0aF/&=%.":
            yield target[:at] + new + target[at:]
        if at + 1 < len(target):
            yield target[:at] + target[at + 1] + old + target[at + 2 :]


def by_parameter(url, others):
    pairs = url.pairs
    for at, (name, value) in enumerate(pairs):
        yield url.of(pairs[:at] + pairs[at + 1 :])
        yield url.of(pairs[: at + 1] + pairs[at:])
        yield url.of(pairs + [(name, "")])
        yield url.of(pairs[:at] + [(name, "")] + pairs[at + 1 :])
        yield url.of(pairs[:at] + [(name.upper(), value)] + pairs[at + 1 :])
        yield url.of(pairs[:at] + [(name + "[]", value)] + pairs[at + 1 :])
        for other in others:
            for _, strange in other.pairs:
                yield url.of(pairs[:at] + [(name, strange)] + pairs[at + 1 :])
                yield url.of(pairs + [(name, strange)])
    signature = url.value("signature")
    for changed in (
        signature.upper(), signature[:32], signature[:-2], signature + "00", signature * 2, "", "0" * 64, "f" * 64, signature[::-1], f"sha256={signature}",
        base64.b64encode(bytes.fromhex(signature)).decode().replace("+", "%2B"), base64.urlsafe_b64encode(bytes.fromhex(signature)).decode(),
        hashlib.sha256(url.target.encode()).hexdigest(), hmac.new(b"", url.target.encode(), hashlib.sha256).hexdigest(),
        hmac.new(SECRET.encode(), url.target.encode(), hashlib.sha256).hexdigest(),
    ):  # fmt: skip
        yield url.of([(name, changed if name == "signature" else value) for name, value in pairs])
    now = int(url.value("expires"))
    for changed in (now + 1, now - 1, now + 3600, 2 * now, 0, -1, -now, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, 1 << 64, f"{now}.0", f"+{now}", f"0{now}", f"{now}e0", f"0x{now:x}", "never"):
        yield url.of([(name, changed if name == "expires" else value) for name, value in pairs])
    for name in ("a", "w", "h", "q", "key", "format", "v", "size", "type", "disposition", "download", "inline", "method", "signature%00", "expires%20", "_", ""):
        yield url.of(pairs + [(name, "1")])
        yield url.of([(name, "1")] + pairs)


def by_path(url):
    for path in (
        url.path + "/", url.path + "//", "/" + url.path, url.path.replace("/media/", "//media/"), url.path.replace("/media/", "/media/./"),
        url.path.replace("/media/", "/media/../media/"), url.path + "/..", url.path + "/.", url.path + "/../download", url.path + "%2f", url.path + "%00", url.path + ";a",
        url.path.replace("/media/", "/%6dedia/"), url.path.replace("/media/", "/MEDIA/"), url.path.replace("/media/", "/media%2f"), url.path.replace("/media/", "/media\\"),
        url.path.replace("/media/", "/media/%2e%2e/media/"), "http://y" + url.path, "HTTPS://z:1" + url.path, "ftp://y" + url.path, url.path[1:], "*",
        *(re.sub(r"/media/\d+", f"/media/{other}", url.path) for other in (0, 1, 2, 3, 4, "01", "1%20", "-1", 1 << 53, 1 << 64)),
        *(re.sub(r"/[a-z]+$", f"/{other}", url.path) for other in ("download", "image", "video", "videos", "status", "renditions", "renditions/thumb", "renditions/large")),
        re.sub(r"/media/\d+.*", "/media/1", url.path), API + "/media", API + "/media/upload-request",
    ):  # fmt: skip
        yield url.of(url.pairs, path)


def mixed(url, others, numbers):
    """A few changes at once, some of which undo each other."""
    target = url.target
    for _ in range(numbers.choice((1, 2, 2, 3, 5))):
        at = numbers.randrange(len(target) + 1)
        kind = numbers.randrange(6)
        if kind == 0:
            target = target[:at] + numbers.choice(CHARACTERS) + target[at + 1 :]
        elif kind == 1:
            target = target[:at] + target[at + numbers.choice((1, 1, 2, 7)) :]
        elif kind == 2 and at < len(target):
            target = target[:at] + f"%{ord(target[at]) & 0xFF:02x}" + target[at + 1 :]
        elif kind == 3:
            other = numbers.choice(others).target
            target = target[:at] + other[min(at, len(other)) :]
        elif kind == 4 and "?" in target:
            path, _, query = target.partition("?")
            pairs = query.split("&")
            numbers.shuffle(pairs)
            target = path + "?" + "&".join(pairs)
        else:
            target = target[:at] + numbers.choice(("&", "%26", "&w=1", "%3D", "signature=", "/", "0")) + target[at:]
    return target


class Bench:
    def __init__(self, programs, folder):
        self.programs = programs
        self.store = os.path.join(folder, "store")
        settings = {"JWT_SECRET": SECRET, "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ENABLED": "false", "MEDIA_SERVICE_LOGGING_LEVEL": "debug"}
        self.server = Mediad(programs, folder, self.store, settings)
        self.client = Client(self.server.port)
        self.owner = {"Authorization": f"Bearer {bearer('ada')}"}
        self.counts = {"refused": 0, "the same URL": 0}
        self.statuses = {}
        for number in range(3):
            path = os.path.join(folder, f"{number}.png")
            with open(path, "wb") as file:
                file.write(png(40 + number, f"signed {number}"))
            programs.must(self.store, "--quiet", "ingest", "--owner", "ada", path)
        self.urls = [Url("GET", self.signed(*how)) for how in (("1",), ("2", "--preset", "thumb", "--format", "webp"), ("3", "--image", "w=31,q=70", "--format", "jpeg"))]
        self.bodies = [png(9, f"promised {number}") for number in range(2)]
        self.promises = [self.promise(content) for content in self.bodies]
        self.uploads = [Url("PUT", "/" + promise["upload_url"].split("/", 3)[3], content) for promise, content in zip(self.promises, self.bodies)]

    def signed(self, *how):
        return self.programs.must(self.store, "sign", *how).splitlines()[0]

    def promise(self, content):
        wanted = json.dumps({"filename": "promised.png", "content_type": "image/png", "file_size": len(content)})
        answer = self.server.ask("POST", "/media/upload-request", wanted, {"Content-Type": "application/json", **self.owner})
        if answer is None or answer[0] not in (200, 201):
            raise Violation(f"an upload request is answered {answer and answer[0]}")
        return json.loads(answer[2])

    def media(self):
        answer = self.server.ask("GET", "/media?limit=100", headers=self.owner)
        return {each["id"]: each["processing_status"] for each in json.loads(answer[2])["data"]}

    def expect_good(self):
        for url in self.urls:
            status, _ = self.client.ask(url.method, url.target)
            if status != 200:
                raise Violation(f"{url.target} was given out, and is answered {status}")

    def hides(self, target):
        """Does it have a signature in its path, and nothing before that would set off a query? That is no URL by mistake."""
        path = decoded(target.partition("?")[0], False) or ""
        return any(url.value("signature") in re.match(r"[^?&=]*", path).group() for url in self.urls + self.uploads)

    def try_one(self, url, method, target):
        status, content = self.client.ask(method, target, url.body)
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.judge(url, method, target, status, content)

    def judge(self, url, method, target, status, content):
        same = meaning(method, target) == url.means
        if status >= 500 and status != 501 and status != 505:
            raise Violation(f"{method} {target} is answered {status}: {content[:200]}")
        if same:
            self.counts["the same URL"] += 1
            if status != 200:
                raise Violation(f"{method} {target} says the same as {url.target}, and is answered {status}")
        elif status < 400:
            raise Violation(f"{method} {target} is answered {status}, and only {url.target} was given out")
        else:
            self.counts["refused"] += 1

    def go(self, wanted, numbers):
        everything = self.urls + self.uploads
        for url in everything:
            others = [other for other in everything if other is not url]
            # There are more than a hundred thousand changes of a character: in a short run a share of them.
            some = (target for target in by_character(url) if wanted >= 100_000 or numbers.random() < wanted / 200_000)
            for mutants in (some, by_parameter(url, others), by_path(url)):
                for target in mutants:
                    # A promise that is kept is used up: what says the same is left for the end.
                    if url.body and meaning(url.method, target) == url.means:
                        continue
                    self.try_one(url, url.method, target)
            for method in METHODS:
                if method != url.method:
                    self.try_one(url, method, url.target)
        while self.counts["refused"] < wanted:
            url = numbers.choice(everything)
            target = mixed(url, everything, numbers)
            if self.hides(target):
                continue
            if not (url.body and meaning(url.method, target) == url.means) and all(meaning(other.method, target) != other.means for other in everything if other is not url):
                self.try_one(url, url.method, target)

    def end(self, before):
        self.expect_good()
        if self.media() != before:
            raise Violation(f"there are {self.media()}, and before {before}")
        for promise, upload in zip(self.promises, self.uploads):
            status, content = self.client.ask("PUT", upload.target, upload.body)
            if status != 200 or json.loads(content)["content_hash"] != digest(upload.body):
                raise Violation(f"the promise of media {promise['media_id']} is not kept any more: {status} {content[:200]}")
        with open(self.server.log_path, encoding="utf-8", errors="replace") as file:
            log = file.read()
        if "/download" not in log:
            raise Violation("no request is logged: this rig cannot tell")
        with open(os.path.join(self.store, "url-signing.key"), encoding="latin-1") as file:
            key = file.read().strip()
        secrets = {"JWT secret": SECRET, "URL key": key, "token": self.owner["Authorization"].split(" ")[1]}
        secrets |= {f"signature of {url.path}": url.value("signature") for url in self.urls + self.uploads}
        for what, secret in secrets.items():
            if secret in log:
                raise Violation(f"the log has the {what}: {log[max(0, log.index(secret) - 200) : log.index(secret) + 20]}")
        if self.server.stop() != 0:
            raise Violation(f"mediad does not stop well: {self.server.log()}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    seed = random.randrange(1 << 32)
    began = time.monotonic()
    with work_folder() as folder:
        bench = Bench(Programs(sys.argv[1]), folder)
        try:
            bench.expect_good()
            before = bench.media()
            good = bench.urls[0]
            wrong = Url("GET", good.of(good.pairs, good.path.replace("/1/", "/2/")))
            print("control, as it must:", expect_violation("a URL that is right", lambda: bench.try_one(wrong, good.method, good.target))[:120])
            bench.go(wanted, random.Random(seed))
            if bench.counts["the same URL"] < 100:
                raise Violation(f"only {bench.counts['the same URL']} other spellings were taken: this rig cannot tell")
            bench.end(before)
        except Violation as broken:
            sys.exit(f"seed {seed}: {broken} ({bench.counts})")
        finally:
            bench.server.kill()
        print(f"{bench.counts['refused']} mutants of {len(bench.urls + bench.uploads)} signed URLs, none taken ({dict(sorted(bench.statuses.items()))});")
        print(f"{bench.counts['the same URL']} other spellings of them taken; nothing of them in the log; seed {seed}; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
