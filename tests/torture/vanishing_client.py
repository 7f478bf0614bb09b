#!/usr/bin/env python3
"""Clients that vanish at each sixteenth of a body: by POST (with a length, chunked, as a form), by signed URL, and by resumable upload.

usage: vanishing_client.py PROGRAMS [CYCLES]     PROGRAMS: the folder of mediactl, mediad and fault_injector; CYCLES: 10000

Each goes away by closing (FIN) or by resetting (RST) its connection. Within five seconds nothing of it is left: no temp file, no media, no
descriptor; a resumable upload has what it said it had, and goes on to its end. The negative control is a client that stays: a rig that does
not see its temp file cannot tell.
"""
import json
import os
import socket
import struct
import sys
import time

from rig import API, Mediad, Programs, Violation, check_clean, check_store, digest, expect_violation, json_lines, png, work_folder

PARTS = 16


class Client:
    """Sends a request's head, and so much of its body."""

    def __init__(self, port, head, body):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.sendall(head.encode() + body)

    def vanish(self, reset):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def head(method, path, fields):
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"


class Bench:
    def __init__(self, programs, folder):
        self.programs = programs
        self.store = os.path.join(folder, "store")
        self.server = Mediad(programs, folder, self.store)
        self.content = png(440, "vanishing")  # beyond what is held in memory
        self.promised = {}
        answer = self.server.ask("POST", "/media", png(30, "stays"), {"Content-Type": "image/png", "X-Filename": "stays.png"})
        self.promised[json.loads(answer[2])["media_id"]] = digest(png(30, "stays"))
        for _ in range(20):  # so that threads and pools are there
            self.server.ask("GET", "/media")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.server.pid}/fd"))

    def resident_kib(self):
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

    def temps(self):
        return [name for at, _, names in os.walk(os.path.join(self.store, "temp")) for name in names if "lock" not in name]

    def expect_nothing_left(self, descriptors, patience=5):
        end = time.monotonic() + patience
        while self.temps() or self.descriptors() > descriptors:
            if time.monotonic() > end:
                raise Violation(f"after {patience} s: temp files {self.temps()}, {self.descriptors()} descriptors, before {descriptors}")
            time.sleep(0.01)


def post(bench, part):
    fields = {"Content-Type": "image/png", "X-Filename": "gone.png", "Content-Length": len(bench.content)}
    return head("POST", API + "/media", fields), bench.content[:part]


def chunked(bench, part):
    fields = {"Content-Type": "image/png", "X-Filename": "gone.png", "Transfer-Encoding": "chunked"}
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (bench.content[at : min(at + 9000, part)] for at in range(0, part, 9000)))
    return head("POST", API + "/media", fields), pieces


def form(bench, part):
    start = b'--edge\r\nContent-Disposition: form-data; name="file"; filename="gone.png"\r\nContent-Type: image/png\r\n\r\n'
    fields = {"Content-Type": "multipart/form-data; boundary=edge", "Content-Length": len(start) + len(bench.content) + len(b"\r\n--edge--\r\n")}
    return head("POST", API + "/media", fields), start + bench.content[:part]


def signed(bench, part):
    if not hasattr(bench, "signed_path"):
        wanted = json.dumps({"filename": "signed.png", "content_type": "image/png", "file_size": len(bench.content)})
        answer = json.loads(bench.server.ask("POST", "/media/upload-request", wanted, {"Content-Type": "application/json"})[2])
        bench.signed_path = "/" + answer["upload_url"].split("/", 3)[3]
        bench.signed_media = answer["media_id"]
        bench.promised[answer["media_id"]] = None
    return head("PUT", bench.signed_path, {"Content-Length": len(bench.content)}), bench.content[:part]


def resumable(bench, part, reset):
    """The whole life of one: it breaks off at `part`, goes on from where it says it is, and becomes a media whose bytes are right."""
    content = png(440, f"{part}{reset}{time.monotonic()}")
    fields = {"Tus-Resumable": "1.0.0"}
    begun = bench.server.ask("POST", "/uploads", b"", {**fields, "Upload-Length": str(len(content))})
    path = "/" + begun[1]["Location"].split("/", 3)[3]
    patch = {**fields, "Content-Type": "application/offset+octet-stream"}
    Client(bench.server.port, head("PATCH", path, {**patch, "Upload-Offset": 0, "Content-Length": len(content)}), content[:part]).vanish(reset)
    patience = time.monotonic() + 5
    sent = part
    while time.monotonic() < patience:
        told = bench.server.ask("HEAD", path, None, fields)
        if told and told[0] == 200:
            offset = int(told[1]["Upload-Offset"])
            if offset > sent and not told[1]["Media-Id"]:
                raise Violation(f"{sent} bytes were sent, and the offset is {offset}")
            # The request that vanished may be served only now, and take the turn from this one: some of these bytes are there then.
            sent = len(content)
            last = bench.server.ask("PATCH", path, content[offset:], {**patch, "Upload-Offset": str(offset)})
            if last and last[0] == 204:
                bench.promised[int(last[1]["Media-Id"])] = digest(content)
                return offset
        time.sleep(0.02)
    raise Violation(f"the upload does not go on: {told and told[0]}")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    programs = Programs(sys.argv[1])
    cycles = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    began = time.monotonic()
    with work_folder() as folder:
        bench = Bench(programs, folder)
        try:
            size = len(bench.content)
            # The first round opens what stays open: pooled connections to the catalog, threads.
            for way in (post, chunked, form, signed):
                Client(bench.server.port, *way(bench, size // 2)).vanish(False)
            time.sleep(0.5)
            descriptors = bench.descriptors()
            resident = bench.resident_kib()
            longest, kept = 0.0, 0
            for cycle in range(cycles):
                part = size * (cycle // 5 % PARTS) // PARTS
                reset = cycle // (5 * PARTS) % 2 == 0
                way = (post, chunked, form, signed, resumable)[cycle % 5]
                start = time.monotonic()
                if way is resumable:
                    kept += resumable(bench, part, reset)
                else:
                    Client(bench.server.port, *way(bench, part)).vanish(reset)
                # One of its own asks: its connection may be open for a moment longer.
                # Connections to the catalog that are kept for the next reader; every client would leave one at least.
                bench.expect_nothing_left(descriptors + 4)
                longest = max(longest, time.monotonic() - start)
            grown = bench.resident_kib() - resident
            if grown > 64 * 1024:
                raise Violation(f"mediad has grown by {grown} KiB")
            stays = Client(bench.server.port, *post(bench, size // 2))
            time.sleep(0.3)
            control = expect_violation("a client that is still there", lambda: bench.expect_nothing_left(descriptors, 0.5))
            stays.vanish(True)
            answer = bench.server.ask("PUT", bench.signed_path, bench.content)
            if not answer or answer[0] != 200:
                raise Violation(f"the signed URL is used up by clients that vanished: {answer and answer[0]}")
            bench.promised[bench.signed_media] = digest(bench.content)
            if bench.server.stop() != 0:
                raise Violation("mediad does not stop well")
            check_store(programs, bench.store, bench.promised)
            made = {media["id"] for media in json_lines(programs.must(bench.store, "ls", "--json"))[:-1]} - set(bench.promised)
            if made:
                raise Violation(f"half a body became media {made.pop()}")
            check_clean(programs, bench.store)
        except Violation as broken:
            sys.exit(str(broken))
        finally:
            bench.server.kill()
        print(f"{cycles} clients vanished, nothing left of any within {longest:.2f} s; {kept} bytes of resumable uploads kept; mediad grew by {grown} KiB")
        print(f"control, as it must: {control}")
        print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
