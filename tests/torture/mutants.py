#!/usr/bin/env python3
"""Sends damaged pictures and videos to a running mediad and asks for pictures of them.

usage: mutants.py PROGRAMS [COUNT [SEED]]     PROGRAMS: the folder of mediactl, mediad and the rest; COUNT: 10000; SEED: 1

Each is a file of the corpus (../shared/corpus, or else the pictures and seeds of this tree) with some of its bytes changed, cut, doubled or put
elsewhere; the same seed makes the same ones. mediad must answer each, say no fault of its own, live, and not grow; no worker may take more memory
or time than its budget. The negative controls: a budget that is too small, and a server that is dead, must be noticed.
"""
import glob
import json
import os
import random
import sys
import threading
import time

from rig import Mediad, Programs, Violation, check_clean, check_store, digest, expect_violation, png, work_folder

HERE = os.path.dirname(os.path.realpath(__file__))
BUDGET_KIB = 512 << 10
DEADLINE = 10
LARGEST = 400_000


def corpus():
    tree = os.path.join(HERE, "..", "..")
    shared = os.path.join(tree, "..", "shared", "corpus")
    if os.path.exists(os.path.join(shared, "MANIFEST.tsv")):
        files = glob.glob(os.path.join(shared, "**", "*.*"), recursive=True)
    else:
        files = glob.glob(os.path.join(tree, "docs", "images", "*")) + glob.glob(os.path.join(tree, "tests", "fuzz", "corpus", "fuzz_*_derive", "*"))
    sound = [path for path in sorted(files) if os.path.isfile(path) and 30 < os.path.getsize(path) < LARGEST and not path.endswith((".md", ".tsv"))]
    if not sound:
        sys.exit("there is nothing to make mutants of")
    return sound


def mutate(content, numbers, other):
    """One to eight changes: what transmission, disks and attackers do."""
    bytes_of = bytearray(content)
    for _ in range(numbers.choice((1, 1, 2, 4, 8))):
        if len(bytes_of) < 16:
            break
        at = numbers.randrange(len(bytes_of))
        if numbers.random() < 0.5:  # headers are at the beginning
            at = numbers.randrange(min(len(bytes_of), 1024))
        length = min(numbers.choice((1, 2, 4, 16, 300)), len(bytes_of) - at)
        kind = numbers.randrange(8)
        if kind == 0:
            bytes_of[at] ^= 1 << numbers.randrange(8)
        elif kind == 1:
            bytes_of[at : at + length] = numbers.randbytes(length)
        elif kind == 2:
            value = numbers.choice((0, 1, 0x7F, 0x80, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, len(bytes_of)))
            size = min(numbers.choice((1, 2, 4)), len(bytes_of) - at)
            bytes_of[at : at + size] = (value & (1 << 8 * size) - 1).to_bytes(size, numbers.choice(("big", "little")))
        elif kind == 3:
            del bytes_of[at : at + length]
        elif kind == 4:
            bytes_of[at:at] = bytes_of[at : at + length]
        elif kind == 5:
            del bytes_of[max(at, 16) :]
        elif kind == 6:
            to = numbers.randrange(len(bytes_of) - length + 1)
            bytes_of[to : to + length] = bytes_of[at : at + length]
        else:
            bytes_of[at : at + length] = other[at % len(other) :][:length]
    return bytes(bytes_of)


class Watch(threading.Thread):
    """The most memory that any worker of mediad had."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.peak_kib, self.over = pid, 0, threading.Event()

    def workers(self):
        for task in glob.glob(f"/proc/{self.pid}/task/*/children"):
            try:
                with open(task, encoding="ascii") as file:
                    yield from file.read().split()
            except OSError:
                continue

    def run(self):
        while not self.over.wait(0.02):
            for worker in self.workers():
                try:
                    with open(f"/proc/{worker}/status", encoding="ascii") as file:
                        peak = next((int(line.split()[1]) for line in file if line.startswith("VmHWM")), 0)
                except OSError:
                    continue
                self.peak_kib = max(self.peak_kib, peak)

    def expect_within(self, budget_kib):
        if self.peak_kib > budget_kib:
            raise Violation(f"a worker had {self.peak_kib} KiB, its budget is {budget_kib}")


class Sender:
    def __init__(self, server):
        self.server = server
        self.counts, self.longest = {}, 0.0
        self.promised = {}

    def ask(self, what, *arguments, **more):
        start = time.monotonic()
        answer = self.server.ask(*arguments, **more)
        self.longest = max(self.longest, time.monotonic() - start)
        if answer is None or not self.server.lives():
            raise Violation("the server is dead, or broke the connection")
        self.counts[f"{what} {answer[0]}"] = self.counts.get(f"{what} {answer[0]}", 0) + 1
        # 504 and 503: a picture that was not made within the deadline is no fault of mediad's.
        if answer[0] >= 500 and answer[0] not in (503, 504):
            raise Violation(f"status {answer[0]}: {answer[2][:300]}")
        return answer

    def send(self, content):
        headers = {"Content-Type": "application/octet-stream", "X-Filename": "mutant"}
        answer = self.ask("upload", "POST", "/media", content, headers, timeout=3 * DEADLINE)
        if answer[0] != 200:
            return
        media = json.loads(answer[2])["media_id"]
        self.promised[media] = digest(content)
        self.ask("picture", "GET", f"/media/{media}/image?w=320&format=jpeg", timeout=3 * DEADLINE)


def resident_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def go(programs, folder, count, seed):
    store = os.path.join(folder, "store")
    server = Mediad(programs, folder, store, {"MEDIA_SERVICE_PROCESSING_DEADLINE_SECONDS": str(DEADLINE), "MEDIA_SERVICE_LOGGING_LEVEL": "error"})
    watch = Watch(server.pid)
    watch.start()
    try:
        files = corpus()
        numbers = random.Random(seed)
        senders = [Sender(server), Sender(server)]
        senders[0].send(png(60, "before"))
        resident = resident_kib(server.pid)
        work = []
        for _ in range(count):
            work.append((numbers.choice(files), numbers.choice(files), numbers.getrandbits(64)))
        broken, lock = [], threading.Lock()

        def run(sender):
            while not broken:
                with lock:
                    if not work:
                        return
                    path, other, own = work.pop()
                with open(path, "rb") as file, open(other, "rb") as second:
                    mutant = mutate(file.read(), random.Random(own), second.read(LARGEST))
                try:
                    sender.send(mutant)
                except Violation as found:
                    kept = os.path.join(os.environ.get("TORTURE_KEEP", "/tmp"), f"mutant-{own:016x}")
                    with open(kept, "wb") as file:
                        file.write(mutant)
                    broken.append(f"{path} mutated by {own}, kept as {kept}: {found}")

        threads = [threading.Thread(target=run, args=(sender,)) for sender in senders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if broken:
            raise Violation(broken[0])
        counts = {}
        for sender in senders:
            for what, number in sender.counts.items():
                counts[what] = counts.get(what, 0) + number
        longest = max(sender.longest for sender in senders)
        print(f"{count} mutants of {len(files)} files, seed {seed}: {dict(sorted(counts.items()))}", flush=True)
        print(f"the slowest answer took {longest:.2f} s; a worker had at most {watch.peak_kib >> 10} MiB", flush=True)
        watch.expect_within(BUDGET_KIB)
        if longest > DEADLINE + 5:
            raise Violation(f"an answer took {longest:.1f} s, the deadline is {DEADLINE} s")
        grown = resident_kib(server.pid) - resident
        print(f"mediad grew by {grown >> 10} MiB", flush=True)
        if grown > 64 << 10:
            raise Violation(f"mediad grew by {grown} KiB")
        senders[0].send(png(50, "after"))
        if senders[0].counts.get("picture 200", 0) < 2:
            raise Violation("no picture was made of sound files: this tells nothing")
        print("control, as it must:", expect_violation("a budget of 1 MiB", lambda: watch.expect_within(1024)))
        if server.stop() != 0:
            raise Violation("mediad does not stop well")
        print("control, as it must:", expect_violation("a dead server", lambda: senders[0].send(b"x")))
        check_store(programs, store, {media: content for sender in senders for media, content in sender.promised.items()})
        check_clean(programs, store)
    finally:
        watch.over.set()
        server.kill()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    began = time.monotonic()
    with work_folder() as folder:
        try:
            go(Programs(sys.argv[1]), folder, count, seed)
        except Violation as broken:
            sys.exit(str(broken))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
