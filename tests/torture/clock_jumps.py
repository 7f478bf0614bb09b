#!/usr/bin/env python3
"""Puts the clock of a running mediad a day ahead and a day back.

usage: clock_jumps.py PROGRAMS     PROGRAMS: the folder of mediactl, mediad and fault_injector; needs libfaketime

What waits is not hurried and does not hang: a body that is half sent, a connection between two requests, a client that waits for a status, a
mediad without work. What is being written is swept by nobody, neither by the collection, which runs all the while, nor by another mediad that
starts meanwhile. What was promised until a time is kept until that time of the wall clock, and not beyond it. In the end everything that was
acknowledged is there, and nothing else. The negative control is a clock for waiting that jumps as well.
"""
import glob
import json
import os
import socket
import sys
import threading
import time

from rig import API, Mediad, Programs, Violation, check_clean, check_store, digest, expect_violation, noise, png, work_folder

DAY = 86_400
WAIT = 3


def library():
    found = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
    if not found:
        sys.exit("libfaketime is missing: install the package (packaging/deps/test.txt)")
    return found[0]


class Clock:
    """Of every process that has its environment."""

    def __init__(self, folder, waiting_jumps=False):
        self.path = os.path.join(folder, "clock")
        self.jump(0)
        self.environment = {
            "LD_PRELOAD": library(),
            "FAKETIME_TIMESTAMP_FILE": self.path,
            "FAKETIME_NO_CACHE": "1",
            "NO_FAKE_STAT": "1",  # a file keeps the time at which it was written
            "MEDIA_SERVICE_STORAGE_COLLECT_INTERVAL_SECONDS": "1",
        }
        if not waiting_jumps:
            self.environment["FAKETIME_DONT_FAKE_MONOTONIC"] = "1"

    def jump(self, seconds):
        with open(f"{self.path}.new", "w", encoding="ascii") as file:
            file.write(f"{seconds:+d}\n")
        os.rename(f"{self.path}.new", self.path)  # never half of it


def expect(what, answer, *wanted):
    if answer is None or answer[0] not in wanted:
        raise Violation(f"{what} is answered {answer and answer[0]}, not {' or '.join(map(str, wanted))}: {answer and answer[2][:200]}")
    return answer


class HalfSent:
    """An upload whose second half comes later."""

    def __init__(self, port, content):
        self.content = content
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        fields = f"Host: x\r\nContent-Type: image/png\r\nX-Filename: half.png\r\nContent-Length: {len(content)}\r\n"
        self.socket.sendall(f"POST {API}/media HTTP/1.1\r\n{fields}\r\n".encode() + content[: len(content) // 2])

    def end(self):
        self.socket.sendall(self.content[len(self.content) // 2 :])
        answer = b""
        while b"\r\n\r\n" not in answer or b"}" not in answer:
            piece = self.socket.recv(65536)
            if not piece:
                break
            answer += piece
        self.socket.close()
        if not answer.startswith(b"HTTP/1.1 200 "):
            raise Violation(f"an upload during which the clock jumped is answered {answer[:300]}")
        return json.loads(answer[answer.index(b"{") :])["media_id"]


class Kept:
    """A connection between two requests."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)

    def ask(self):
        self.socket.sendall(f"GET {API}/live HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        if not self.socket.recv(65536).startswith(b"HTTP/1.1 200 "):
            raise Violation("a connection was closed because the clock jumped")


class Bench:
    def __init__(self, programs, folder, clock):
        self.programs, self.folder, self.clock = programs, folder, clock
        self.store = os.path.join(folder, "store")
        self.server = Mediad(programs, folder, self.store, clock.environment)
        self.promised = {}

    def upload(self, name):
        content = png(40, name)
        answer = expect("an upload", self.server.ask("POST", "/media", content, {"Content-Type": "image/png", "X-Filename": f"{name}.png"}), 200)
        media = json.loads(answer[2])["media_id"]
        self.promised[media] = digest(content)
        return media

    def promise(self, name):
        content = png(30, name)
        wanted = json.dumps({"filename": f"{name}.png", "content_type": "image/png", "file_size": len(content)})
        answer = self.server.ask("POST", "/media/upload-request", wanted, {"Content-Type": "application/json"})
        if answer is None or answer[0] not in (200, 201):
            raise Violation(f"an upload request is answered {answer and answer[0]}")
        return json.loads(answer[2]), content

    def keep_promise(self, promise, *wanted):
        made, content = promise
        answer = expect("an upload by a signed URL", self.server.ask("PUT", "/" + made["upload_url"].split("/", 3)[3], content), *wanted)
        if answer[0] == 200:
            self.promised[made["media_id"]] = digest(content)

    def waited(self, media, jump):
        """How long a wait at a status takes during which the clock jumps."""
        jumper = threading.Timer(WAIT / 3, lambda: self.clock.jump(jump))
        jumper.start()
        began = time.monotonic()
        answer = self.server.ask("GET", f"/media/{media}/status?wait={WAIT}")
        took = time.monotonic() - began
        jumper.join()
        expect("a status", answer, 200)
        if not WAIT - 0.3 < took < WAIT + 10:
            raise Violation(f"a client that waits {WAIT} s is answered after {took:.1f} s, because the clock jumped")

    def busy_seconds(self):
        with open(f"/proc/{self.server.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rest(self):
        """Nothing to do: a wait that has become none is seen as work."""
        before = self.busy_seconds()
        time.sleep(2)
        if self.busy_seconds() - before > 1:
            raise Violation(f"mediad works for {self.busy_seconds() - before:.1f} s out of 2 after the clock has jumped")

    def resume(self, name, *jumps):
        content = noise(200_000, name)
        fields = {"Tus-Resumable": "1.0.0"}
        # A picture's head, and what no decoder will look at: nobody processes it here.
        content = png(40, name) + content[: 200_000 - len(png(40, name))]
        answer = expect("a resumable upload", self.server.ask("POST", "/uploads", b"", {**fields, "Upload-Length": str(len(content))}), 201)
        path = "/" + answer[1]["Location"].split("/", 3)[3]
        step = len(content) // (len(jumps) + 1) + 1
        for at in range(0, len(content), step):
            piece = {**fields, "Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
            answer = expect("a piece of a resumable upload", self.server.ask("PATCH", path, content[at : at + step], piece), 204)
            if jumps and answer[1]["Media-Id"] is None:
                self.clock.jump(jumps[0])
                jumps = jumps[1:]
        self.promised[int(answer[1]["Media-Id"])] = digest(content)

    def expect_temp(self):
        patience = time.monotonic() + 10
        while not any("lock" not in name for _, _, names in os.walk(os.path.join(self.store, "temp")) for name in names):
            if time.monotonic() > patience:
                raise Violation("what is half sent is not in a temp file: this rig cannot tell")
            time.sleep(0.02)

    def collections(self):
        answer = expect("metrics", self.server.ask("GET", "/metrics"), 200)
        line = next(line for line in answer[2].decode().splitlines() if line.startswith('media_collections_total{outcome="done"}'))
        return float(line.split()[1])

    def go(self):
        stays = self.upload("stays")
        idle = Kept(self.server.port)
        idle.ask()
        for jump in (DAY, 0, -DAY, 0):
            # Larger than what is held in memory, so that it lies in a temp file by now.
            content = png(440, f"half {jump} {len(self.promised)}")
            half = HalfSent(self.server.port, content)
            self.expect_temp()
            self.clock.jump(jump)
            place = os.path.join(self.folder, f"other{len(self.promised)}")
            os.makedirs(place)
            other = Mediad(self.programs, place, self.store, self.clock.environment)
            time.sleep(1.5)  # both have collected
            if other.stop() != 0:
                raise Violation(f"another mediad does not stop well: {other.log()}")
            self.promised[half.end()] = digest(content)
            idle.ask()
            self.upload(f"at {jump} {len(self.promised)}")
        for jump in (DAY, 0, -DAY, 0):
            self.waited(stays, jump)
            self.rest()
        idle.socket.close()

        self.keep_promise(self.promise("at once"), 200)
        later = self.promise("too late")
        self.clock.jump(DAY)
        self.keep_promise(later, 401, 404, 410)
        self.clock.jump(-DAY)
        early = self.promise("a day before")
        self.keep_promise(self.promise("at once, a day before"), 200)
        self.clock.jump(0)
        self.keep_promise(early, 401, 404, 410)
        self.resume("back", -DAY, 0)
        self.resume("ahead", DAY // 2, 0)

        leaves = self.upload("leaves")
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + DAY / 2))
        expect("a change", self.server.ask("PATCH", f"/media/{leaves}", json.dumps({"expires_at": until}), {"Content-Type": "application/json"}), 200)
        self.clock.jump(-DAY)
        expect("a media before its end", self.server.ask("GET", f"/media/{leaves}"), 200)
        self.clock.jump(DAY)
        expect("a media after its end", self.server.ask("GET", f"/media/{leaves}"), 404, 410)
        del self.promised[leaves]
        self.clock.jump(0)
        if self.collections() < 8:
            raise Violation(f"there were {self.collections()} collections only: this rig cannot tell")

    def kill(self):
        """With what libfaketime shares between processes, which would stay."""
        self.server.kill()
        for path in glob.glob(f"/dev/shm/*faketime_*_{self.server.process.pid}"):
            os.unlink(path)

    def end(self):
        if self.server.stop() != 0:
            raise Violation(f"mediad does not stop well: {self.server.log()}")
        check_store(self.programs, self.store, self.promised)
        check_clean(self.programs, self.store)


def control(programs, folder):
    clock = Clock(folder, waiting_jumps=True)
    bench = Bench(programs, folder, clock)
    try:
        media = bench.upload("control")
        return expect_violation("a clock for waiting that jumps", lambda: bench.waited(media, DAY))
    finally:
        bench.kill()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    programs = Programs(sys.argv[1])
    began = time.monotonic()
    with work_folder() as folder:
        for name in ("bench", "control"):
            os.makedirs(os.path.join(folder, name))
        bench = Bench(programs, os.path.join(folder, "bench"), Clock(os.path.join(folder, "bench")))
        try:
            bench.go()
            bench.end()
        except Violation as broken:
            sys.exit(f"{broken}; {bench.server.log()}")
        finally:
            bench.kill()
        print(f"{len(bench.promised)} media acknowledged under a clock that jumped by a day ahead and back, all there")
        print("control, as it must:", control(programs, os.path.join(folder, "control")))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
