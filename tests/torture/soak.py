#!/usr/bin/env python3
"""Several mediads and mediactls on one store, at full load, each killed again and again at random moments; collections and compactions too.

usage: soak.py PROGRAMS [SECONDS [KILL_EVERY]]     PROGRAMS: the folder of mediactl, mediad and fault_injector; 300 seconds, a kill every 10

Clients upload to both mediads (POST, in files of their own and in segments, and resumable), read back what they sent, and delete some of it;
mediactl takes in folders; a collection without grace rewrites segments all the while. Every so often one of the processes is killed (SIGKILL),
and started again. In the end everything that was acknowledged and not deleted is there and whole, what was deleted is not, nothing is torn, and
one collection leaves no stray. The negative control: one changed bit in a copy of
the store is found.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import time

from rig import Mediad, Programs, Violation, check_clean, check_store, digest, expect_violation, json_lines, noise, png, quiet_environment, verify, work_folder


class Soak:
    def __init__(self, programs, folder, seed):
        self.programs, self.folder, self.seed = programs, folder, seed
        self.store = os.path.join(folder, "store")
        self.lock = threading.Lock()
        self.promised = {}  # id -> digest
        self.gone = set()
        self.doubtful = set()  # a removal that was not answered
        self.broken = []
        self.over = threading.Event()
        self.servers = []
        self.commands = {}  # name -> process
        self.counts = {"uploads": 0, "resumed": 0, "reads": 0, "removals": 0, "ingested": 0, "collections": 0, "rewritten": 0, "kills": 0, "refused": 0}

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number

    def promise(self, media, content):
        with self.lock:
            self.promised[media] = content

    def start_server(self, number):
        place = os.path.join(self.folder, f"server{number}")
        os.makedirs(place, exist_ok=True)
        return Mediad(self.programs, place, self.store, {"MEDIA_SERVICE_STORAGE_COLLECT_GRACE_SECONDS": "0"})

    def guarded(self, action, *arguments):
        def run():
            numbers = random.Random(f"{self.seed}/{action.__name__}/{arguments}")
            step = 0
            while not self.over.is_set() and not self.broken:
                step += 1
                try:
                    action(*arguments, f"{self.seed}/{action.__name__}{arguments}/{step}", numbers)
                except (Violation, KeyError, ValueError, OSError) as found:
                    with self.lock:
                        self.broken.append(f"{action.__name__}: {type(found).__name__}: {found}")
        return threading.Thread(target=run)

    def server(self, numbers):
        return self.servers[numbers.randrange(len(self.servers))]

    def upload(self, _, seed, numbers):
        content = png(numbers.choice((24, 40, 60, 420)), seed)
        answer = self.server(numbers).ask("POST", "/media", content, {"Content-Type": "image/png", "X-Filename": "soak.png"}, timeout=60)
        if answer is None:
            return time.sleep(0.05)
        if answer[0] != 200:
            if answer[0] not in (503,):
                raise Violation(f"an upload is answered {answer[0]}: {answer[2][:200]}")
            self.count("refused")
            return time.sleep(0.05)
        media = json.loads(answer[2])["media_id"]
        self.promise(media, digest(content))
        self.count("uploads")
        if numbers.random() < 0.3:
            self.read(media, content, numbers)
        if numbers.random() < 0.4:
            self.remove(media, numbers)
        return None

    def read(self, media, content, numbers):
        answer = self.server(numbers).ask("GET", f"/media/{media}/download", timeout=60)
        if answer is None or answer[0] == 503:
            return
        if answer[0] != 200 or answer[2] != content:
            raise Violation(f"media {media} is read as {answer[0]}, {len(answer[2])} bytes of {len(content)}")
        self.count("reads")

    def remove(self, media, numbers):
        answer = self.server(numbers).ask("DELETE", f"/media/{media}", timeout=60)
        with self.lock:
            content = self.promised.pop(media)
            if answer is not None and answer[0] == 204:
                self.gone.add(media)
                self.counts["removals"] += 1
            elif answer is None:
                self.doubtful.add(media)
            else:
                self.promised[media] = content

    def resume(self, _, seed, numbers):
        """A resumable upload that is gone on with through kills, at whichever server is up."""
        content = png(180, seed)
        fields = {"Tus-Resumable": "1.0.0"}
        begun = self.server(numbers).ask("POST", "/uploads", b"", {**fields, "Upload-Length": str(len(content))}, timeout=60)
        if begun is None or begun[0] != 201:
            return time.sleep(0.05)
        path = "/" + begun[1]["Location"].split("/", 3)[3]
        told = 0
        while not self.over.is_set():
            asked = self.server(numbers).ask("HEAD", path, None, fields, timeout=60)
            if asked is None or asked[0] in (423, 503):
                time.sleep(0.05)
                continue
            if asked[0] != 200 or int(asked[1]["Upload-Offset"]) < told:
                raise Violation(f"an upload at offset {told} is answered {asked[0]}, offset {asked[1]['Upload-Offset']}")
            told = int(asked[1]["Upload-Offset"])
            if asked[1]["Media-Id"]:
                self.promise(int(asked[1]["Media-Id"]), digest(content))
                return self.count("resumed")
            headers = {**fields, "Upload-Offset": str(told), "Content-Type": "application/offset+octet-stream"}
            patched = self.server(numbers).ask("PATCH", path, content[told : told + 30_000], headers, timeout=60)
            if patched is not None and patched[0] == 204:
                told = int(patched[1]["Upload-Offset"])
        return None

    def command(self, name, *arguments):
        """mediactl, to its end or until it is killed: its code and its output."""
        with subprocess.Popen([self.programs.mediactl, "--store", self.store, *arguments], env=quiet_environment(), text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            self.commands[name] = process
            out, err = process.communicate()
            self.commands.pop(name, None)
        if process.returncode not in (0, 8, -9):
            raise Violation(f"mediactl {name} exits with {process.returncode}: {err.strip()[-300:]}")
        return out

    def ingest(self, number, seed, numbers):
        folder = os.path.join(self.folder, f"in{number}")
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        for i in range(60):
            with open(os.path.join(folder, f"{i}.bin"), "wb") as file:
                file.write(noise(numbers.randrange(500, 40_000), f"{seed}/{i}"))
        out = self.command(f"ingest{number}", "--json", "ingest", "--any", "--jobs", "2", folder)
        for line in json_lines(out):
            if line.get("status") == "stored":
                self.promise(line["id"], line["digest"])
                self.count("ingested")

    def collect(self, _, __, ___):
        said = json_lines(self.command("gc", "--json", "gc", "--grace", "0s"))
        if said:
            self.count("rewritten", said[-1]["summary"]["segments_rewritten"])
        self.count("collections")
        time.sleep(0.2)

    def kill_one(self, numbers):
        victims = ["server0", "server1", *self.commands]
        victim = numbers.choice(victims)
        if victim.startswith("server"):
            number = int(victim[6:])
            self.servers[number].kill()
            self.servers[number] = self.start_server(number)
        else:
            process = self.commands.get(victim)
            if process is not None:
                process.kill()
        self.count("kills")

    def run(self, seconds, every):
        self.programs.must(self.store, "init")
        self.servers = [self.start_server(0), self.start_server(1)]
        threads = [self.guarded(self.upload, i) for i in range(3)] + [self.guarded(self.resume, i) for i in range(2)]
        threads += [self.guarded(self.ingest, i) for i in range(2)] + [self.guarded(self.collect, 0)]
        for thread in threads:
            thread.start()
        numbers = random.Random(self.seed)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end and not self.broken:
                time.sleep(min(max(0.0, end - time.monotonic()), numbers.uniform(0.5, 1.5) * every))
                if time.monotonic() < end:
                    self.kill_one(numbers)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
            for server in self.servers:
                if not self.broken and server.lives() and server.stop() != 0:
                    self.broken.append(f"mediad does not stop well: {server.log()}")
                server.kill()
        if self.broken:
            raise Violation(self.broken[0])

    def check(self):
        check_store(self.programs, self.store, self.promised, self.gone)
        check_clean(self.programs, self.store)

    def control(self):
        """One bit of one blob, changed behind the library's back in a copy."""
        copy = os.path.join(self.folder, "copy")
        shutil.copytree(self.store, copy)
        for name in os.listdir(os.path.join(copy, "segments")):
            path = os.path.join(copy, "segments", name)
            with open(path, "rb") as file:
                bytes_of = file.read()
            # An entry is 64 bytes of header, with the digest from the sixteenth on, and the content.
            at = next((at for at in map(lambda each: bytes_of.find(bytes.fromhex(each)), self.promised.values()) if at % 64 == 16), -1)
            if at < 0 or not name.endswith(".segment"):
                continue
            os.chmod(path, 0o600)
            with open(path, "r+b") as file:
                file.seek(at + 48)
                file.write(bytes([bytes_of[at + 48] ^ 1]))
            break
        return expect_violation("a changed bit", lambda: check_store(self.programs, copy, self.promised, self.gone))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    programs = Programs(sys.argv[1])
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 300
    every = float(sys.argv[3]) if len(sys.argv) > 3 else 10
    seed = random.randrange(1 << 32)
    with work_folder() as folder:
        soak = Soak(programs, folder, seed)
        try:
            soak.run(seconds, every)
            soak.check()
            wanted = ["uploads", "ingested", "collections", "kills"] + (["rewritten"] if seconds >= 60 else [])
            if not all(soak.counts[what] for what in wanted):
                raise Violation(f"too little was done to tell anything: {soak.counts}")
        except Violation as broken:
            sys.exit(f"seed {seed}: {broken} ({soak.counts})")
        _, summary = verify(programs, soak.store)
        print(f"{seconds:.0f} s, {soak.counts}; {len(soak.promised)} media acknowledged and there, {summary['blobs']} blobs whole; seed {seed}")
        print(f"control, as it must: {soak.control()}")


if __name__ == "__main__":
    main()
