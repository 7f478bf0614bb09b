#!/usr/bin/env python3
"""Two api and two worker mediads on one PostgreSQL and one place for blobs, whose database dies, falls silent and comes back, and whose workers are killed.

usage: fleet.py PROGRAMS [--seconds 300] [--clients 32] [--stops 10] [--holes 20] [--per-second N] [--bucket]

PROGRAMS: the folder of the built programs. Blobs are in a folder, or with --bucket in a bucket of Ceph's gateway. In a network of its own, in
which the packets between the servers and the database can be dropped: that takes root, unshare, ip and iptables.

Clients upload, read and remove at both api servers, N times a second together (as fast as they can, where N is not given: the workers then go on
for several times as long). PostgreSQL is stopped at once (SIGQUIT) at random moments and started again, and at others
its packets vanish for some seconds; a worker is killed every 20 s. Whatever happens, every request is answered within its limit and
none is broken off; while packets vanish health says `timeout`; within five seconds of the database's return (eight, where packets
vanished) both servers take uploads. In the
end all that was acknowledged is there and whole, every picture was processed, what is made again of a sample is the same bytes, and what was
removed is not there. The negative control is a server that is stopped (SIGSTOP): a rig that calls it fast cannot tell.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from ceph_gateway import ObjectStore, free_port  # noqa: E402  (of tests/support)
from postgres import Postgres
from rig import Mediad, Programs, Violation, check_clean, check_store, digest, expect_violation, json_lines, png, work_folder

# A wait for a connection, one statement and one attempt to connect, as they are configured here, and what a busy machine adds.
ACQUIRE, STATEMENT, CONNECT = 3, 3, 5
LIMIT = ACQUIRE + STATEMENT + CONNECT + 4
RETURN = 5
# After a hole the database has to find out as well that a client which had begun something is gone, which takes it up to STATEMENT; what it
# had locked is locked so long.
REACH = STATEMENT + RETURN
SKIPPED = 77


def enter_network():
    """Into a network namespace of this program's own; it starts itself anew in it."""
    if os.environ.get("LIBMEDIA_FLEET_NETWORK"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    missing = [tool for tool in ("unshare", "ip", "iptables") if shutil.which(tool) is None]
    if missing or subprocess.run(["unshare", "-n", "iptables", "-L"], check=False, capture_output=True).returncode != 0:
        print(f"SKIPPED: {missing or 'a network namespace with iptables'} is not to be had here", file=sys.stderr)
        sys.exit(SKIPPED)
    os.environ["LIBMEDIA_FLEET_NETWORK"] = "1"
    os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv])


class Fleet:
    def __init__(self, programs, folder, options, seed):
        self.programs, self.folder, self.options, self.seed = programs, folder, options, seed
        self.store = os.path.join(folder, "store")
        self.port = free_port()
        self.database = Postgres(listen="127.0.0.1", port=self.port, fsync=True)
        self.objects = ObjectStore(os.path.join(folder, "objects")) if options.bucket else None
        self.lock = threading.Lock()
        self.promised, self.gone, self.doubtful = {}, set(), set()
        self.broken = []
        self.over = threading.Event()
        self.counts = dict.fromkeys(("uploads", "reads", "removals", "put_off", "stops", "holes", "kills"), 0)
        self.slowest, self.slowest_return = 0.0, 0.0
        self.servers = {}

    def settings(self, role):
        return {
            "MEDIA_SERVICE_SERVER_ROLE": role,
            "POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(self.port), "POSTGRES_USER": "postgres", "POSTGRES_DB": "postgres",
            "POSTGRES_ACQUIRE_TIMEOUT_SECONDS": str(ACQUIRE), "POSTGRES_STATEMENT_TIMEOUT_SECONDS": str(STATEMENT), "POSTGRES_MAX_CONNECTIONS": "10",
            "MEDIA_SERVICE_PROCESSING_JOB_THREADS": "1", "MEDIA_SERVICE_PROCESSING_WORKERS": "1",
            "MEDIA_SERVICE_MIDDLEWARE_RATE_LIMITING_ENABLED": "false", "MEDIA_SERVICE_SERVER_MAX_CONNECTIONS_PER_ADDRESS": "0",
            **(self.objects.settings() if self.objects else {}),
        }  # fmt: skip

    def start(self, name):
        place = os.path.join(self.folder, name)
        os.makedirs(place, exist_ok=True)
        # A worker may start while the database is away; one that has just been started again keeps trying, as a supervisor would.
        patience = time.monotonic() + 60
        while True:
            try:
                self.servers[name] = Mediad(self.programs, place, self.store, self.settings(name.rstrip("01")))
                return
            except Violation:
                if self.over.is_set() or time.monotonic() > patience:
                    raise
                time.sleep(0.2)

    def count(self, what):
        with self.lock:
            self.counts[what] += 1

    def ask(self, name, method, path, body=None, headers=None):
        began = time.monotonic()
        answer = self.servers[name].ask(method, path, body, headers, timeout=LIMIT)
        took = time.monotonic() - began
        with self.lock:
            self.slowest = max(self.slowest, took)
        if answer is None:
            raise Violation(f"{name} breaks off {method} {path} after {took:.1f} s")
        if answer[0] >= 500 and answer[0] != 503:
            raise Violation(f"{name} answers {answer[0]} to {method} {path}: {answer[2][:300]}")
        if answer[0] == 503:
            self.count("put_off")
        return answer

    def upload(self, name, seed, numbers):
        content = png(numbers.choice((24, 40, 60, 420)), seed)
        answer = self.ask(name, "POST", "/media", content, {"Content-Type": "image/png", "X-Filename": "fleet.png"})
        if answer[0] == 503:
            return False
        if answer[0] != 200:
            raise Violation(f"an upload is answered {answer[0]}: {answer[2][:200]}")
        with self.lock:
            self.promised[json.loads(answer[2])["media_id"]] = digest(content)
            self.counts["uploads"] += 1
        return True

    def read(self, name, numbers):
        with self.lock:
            if not self.promised:
                return
            media, content = numbers.choice(list(self.promised.items()))
        answer = self.ask(name, "GET", f"/media/{media}/download")
        if answer[0] == 200 and digest(answer[2]) == content:
            return self.count("reads")
        with self.lock:
            still = media in self.promised
        if still and answer[0] != 503:
            raise Violation(f"media {media} is read as {answer[0]}, {len(answer[2])} bytes")
        return None

    def remove(self, name, numbers):
        with self.lock:
            if len(self.promised) < 20:
                return
            media = numbers.choice(list(self.promised))
            content = self.promised.pop(media)
        answer = self.ask(name, "DELETE", f"/media/{media}")
        with self.lock:
            if answer[0] == 204:
                self.gone.add(media)
                self.counts["removals"] += 1
            elif answer[0] == 503:
                self.doubtful.add(media)  # it may have been committed all the same
            else:
                self.promised[media] = content
                raise Violation(f"a removal is answered {answer[0]}")

    def client(self, number):
        numbers = random.Random(f"{self.seed}/{number}")
        step = 0
        pause = self.options.clients / self.options.per_second if self.options.per_second else 0
        while not self.over.is_set() and not self.broken:
            step += 1
            due = time.monotonic() + pause
            name = f"api{numbers.randrange(2)}"
            try:
                draw = numbers.random()
                if draw < 0.5:
                    if not self.upload(name, f"{self.seed}/{number}/{step}", numbers):
                        time.sleep(0.1)
                elif draw < 0.9:
                    self.read(name, numbers)
                else:
                    self.remove(name, numbers)
            except (Violation, KeyError, ValueError, OSError) as found:
                with self.lock:
                    self.broken.append(f"{type(found).__name__}: {found}")
            self.over.wait(max(0, due - time.monotonic()))

    def expect_return(self, since, why, limit=RETURN):
        """Both servers take an upload again."""
        for name in ("api0", "api1"):
            tries = 0
            while not self.upload(name, f"{self.seed}/{why}/{since}/{name}/{tries}", random.Random(tries)):
                tries += 1
                if time.monotonic() - since > limit:
                    raise Violation(f"{name} takes no upload {limit} s after {why}")
                time.sleep(0.05)
        took = time.monotonic() - since
        if took > limit:
            raise Violation(f"the service is back {took:.1f} s after {why}")
        self.slowest_return = max(self.slowest_return, took)

    def stop_database(self):
        self.database.crash()
        time.sleep(random.uniform(0.0, 2.0))
        self.database.start()
        self.expect_return(time.monotonic(), "the database's return")
        self.count("stops")

    def filter(self, change):
        for side in ("--dport", "--sport"):
            subprocess.run(["iptables", change, "INPUT", "-p", "tcp", side, str(self.port), "-j", "DROP"], check=True)

    def health(self, name):
        began = time.monotonic()
        answer = self.servers[name].ask("GET", "/health", timeout=LIMIT)
        took = time.monotonic() - began
        if answer is None or took > 3:
            raise Violation(f"{name} says how it is after {took:.1f} s")
        return json.loads(answer[2])["checks"]["database"]["status"]

    def dig_hole(self):
        self.filter("-A")
        try:
            time.sleep(random.uniform(1.1, 4.0))  # an answer a second old is given again
            for name in ("api0", "api1"):
                said = self.health(name)
                if said != "timeout":
                    raise Violation(f"{name} says of a database whose packets vanish that it is {said}")
        finally:
            self.filter("-D")
        self.expect_return(time.monotonic(), "the last packet that vanished", REACH)
        self.count("holes")

    def kill_worker(self):
        name = f"worker{random.randrange(2)}"
        self.servers[name].kill()
        self.start(name)
        self.count("kills")

    def plan(self):
        """Which calamity when: each in its own stretch of the time, so that one has passed when the next one comes."""
        calamities = [self.stop_database] * self.options.stops + [self.dig_hole] * self.options.holes
        random.shuffle(calamities)
        every = self.options.seconds / max(1, len(calamities))
        return [(every * (i + random.uniform(0.0, 0.3)), action) for i, action in enumerate(calamities)]

    def run(self):
        for name in ("api0", "api1", "worker0", "worker1"):
            self.start(name)
        threads = [threading.Thread(target=self.client, args=(number,)) for number in range(self.options.clients)]
        began = time.monotonic()
        killed = began
        plan = self.plan()
        kill_every = min(20.0, self.options.seconds / 3)
        try:
            for thread in threads:
                thread.start()
            while not self.broken and (plan or time.monotonic() - began < self.options.seconds):
                if time.monotonic() - killed >= kill_every:
                    self.kill_worker()
                    killed = time.monotonic()
                elif plan and time.monotonic() - began >= plan[0][0]:
                    plan.pop(0)[1]()
                else:
                    time.sleep(0.05)
        finally:
            self.over.set()
            for thread in threads:
                thread.join()
        if self.broken:
            raise Violation(self.broken[0])

    def expect_processed(self, patience=120):
        """No job was lost: every picture that was acknowledged is complete. How many wait is the machine's matter; that none ends is not."""
        end = time.monotonic() + patience
        waiting = set(self.promised)
        while waiting:
            before = len(waiting)
            for media in list(waiting)[:200]:
                answer = self.ask("api0", "GET", f"/media/{media}/status")
                told = json.loads(answer[2]) if answer[0] == 200 else {}
                if told.get("status") == "Complete":
                    waiting.discard(media)
                elif answer[0] != 503 and told.get("status") not in ("Pending", "Processing"):
                    raise Violation(f"media {media} is {told.get('status')}: {answer[0]} {answer[2][:200]}")
            if len(waiting) < before:
                end = time.monotonic() + patience
            if waiting and time.monotonic() > end:
                raise Violation(f"{len(waiting)} media wait, and none has been processed for {patience} s, {next(iter(waiting))} among them")
            time.sleep(0.1)

    def catalog(self):
        return ("--catalog", f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres")

    def check(self):
        self.expect_processed()
        control = self.control()
        for name, server in self.servers.items():
            if server.stop() != 0:
                raise Violation(f"{name} does not stop well: {server.log()}")
        check_store(self.programs, self.store, self.promised, self.gone, self.catalog())
        jobs = json_lines(self.programs.must(self.store, *self.catalog(), "jobs", "list", "--json"))[-1]["summary"]["count"]
        if jobs:
            raise Violation(f"{jobs} jobs are left")
        # Done twice it may be, but not to another result.
        self.programs.must(self.store, *self.catalog(), "renditions", "verify", "--sample", "50")
        check_clean(self.programs, self.store, self.catalog())
        return control

    def control(self):
        server = self.servers["api1"]
        os.kill(server.pid, signal.SIGSTOP)
        try:
            return expect_violation("a server that does not answer", lambda: server.ask("GET", "/media", timeout=1))
        finally:
            os.kill(server.pid, signal.SIGCONT)

    def end(self):
        for server in self.servers.values():
            server.kill()
        self.database.stop()
        if self.objects:
            self.objects.stop()


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("programs")
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--holes", type=int, default=20)
    parser.add_argument("--per-second", type=float, default=0)
    parser.add_argument("--bucket", action="store_true")
    options = parser.parse_args()
    enter_network()
    programs = Programs(options.programs)
    seed = random.randrange(1 << 32)
    if options.bucket:
        os.environ.update(AWS_ACCESS_KEY_ID=ObjectStore.ACCESS_KEY, AWS_SECRET_ACCESS_KEY=ObjectStore.SECRET_KEY)
    with work_folder() as folder:
        fleet = Fleet(programs, folder, options, seed)
        try:
            fleet.run()
            control = fleet.check()
            if not all(fleet.counts[what] for what in ("uploads", "reads", "kills")):
                raise Violation("too little was done to tell anything")
        except Violation as broken:
            sys.exit(f"seed {seed}: {broken} ({fleet.counts}, slowest answer {fleet.slowest:.1f} s)")
        finally:
            fleet.over.set()
            fleet.end()
        print(
            f"{options.seconds:.0f} s, {options.clients} clients, {fleet.counts}; {len(fleet.promised)} media acknowledged, there and processed; "
            f"slowest answer {fleet.slowest:.1f} s, slowest return {fleet.slowest_return:.1f} s; seed {seed}"
        )
        print(f"control, as it must: {control}")


if __name__ == "__main__":
    main()
