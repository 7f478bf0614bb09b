#!/usr/bin/env python3
"""Takes in, again and again, what a collection is removing at that very moment.

usage: collect_races.py PROGRAMS [RACES]     PROGRAMS: the folder of mediactl, mediad and fault_injector; RACES: 1000

Each time the same few contents, in files of their own and in segments, are removed, and then taken in by one process while one or two others
collect without a grace period, a few milliseconds sooner or later. Whatever was reported as stored is in the catalog, and whole. The negative
control: one of these files removed behind the library's back is found.
"""
import os
import random
import subprocess
import sys
import threading
import time

from rig import Programs, Violation, check_clean, check_store, digest, expect_violation, json_lines, noise, quiet_environment, verify, work_folder

BUSY = 8  # of mediactl: try again


class Races:
    def __init__(self, programs, folder, seed):
        self.programs, self.folder = programs, folder
        self.store = os.path.join(folder, "store")
        self.source = os.path.join(folder, "in")
        self.numbers = random.Random(seed)
        self.contents = [noise(2000 + 100 * i, f"{seed}/{i}") for i in range(5)] + [noise(300_000 + i, f"{seed}/large{i}") for i in range(2)]
        self.promised = {}
        self.counts = {"stored": 0, "refused": 0, "collected": 0}
        os.makedirs(self.source)
        programs.must(self.store, "init")
        # Something that stays, so that segments are rewritten and not only removed.
        stays = os.path.join(folder, "stays")
        os.makedirs(stays)
        for i in range(4):
            with open(os.path.join(stays, f"{i}.bin"), "wb") as file:
                file.write(noise(4000, f"{seed}/stays{i}"))
        self.stays = self.stored_in(programs.must(self.store, "--json", "ingest", "--any", stays))

    @staticmethod
    def stored_in(out):
        return {line["id"]: line["digest"] for line in json_lines(out) if line.get("status") in ("stored", "duplicate")}

    def start(self, *arguments):
        return subprocess.Popen([self.programs.mediactl, "--store", self.store, "--json", *arguments], env=quiet_environment(), text=True,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def end(self, process):
        out, err = process.communicate(timeout=120)
        if process.returncode not in (0, 1, BUSY):
            raise Violation(f"{' '.join(process.args[4:])}: exit code {process.returncode}: {err.strip()[-300:]}")
        return out

    def race(self, number):
        for name in os.listdir(self.source):
            os.unlink(os.path.join(self.source, name))
        for i in self.numbers.sample(range(len(self.contents)), 3):
            # A name of its own each time: the same one within a minute would be answered as the first.
            with open(os.path.join(self.source, f"{number}-{i}.bin"), "wb") as file:
                file.write(self.contents[i])
        if self.promised:
            self.programs.must(self.store, "--quiet", "rm", *map(str, self.promised))
        if self.numbers.random() < 0.3:
            self.programs.must(self.store, "--quiet", "gc", "--grace", "24h")  # condemned by now, and still there
        commands = [("ingest", "--any", "--jobs", "2", self.source)] + [("gc", "--grace", "0s")] * self.numbers.choice((1, 1, 2))
        self.numbers.shuffle(commands)
        processes = []
        for command in commands:
            processes.append((command, self.start(*command)))
            time.sleep(self.numbers.uniform(0, 0.02))
        said, broken = {}, []

        def wait(command, process):
            try:
                said[process.pid] = (command[0], self.end(process))
            except (Violation, subprocess.TimeoutExpired) as found:
                process.kill()
                broken.append(str(found))

        threads = [threading.Thread(target=wait, args=each) for each in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if broken:
            raise Violation(broken[0])
        self.promised = {}
        for command, out in said.values():
            if command == "ingest":
                self.promised = self.stored_in(out)
                self.counts["stored"] += len(self.promised)
                self.counts["refused"] += 3 - len(self.promised)
            else:
                self.counts["collected"] += sum(line["summary"]["removed"] for line in json_lines(out) if "summary" in line)
        check_store(self.programs, self.store, self.promised | self.stays, read=False)

    def control(self):
        large = next((content for content in self.contents if len(content) > 300_000 - 1 and digest(content) in self.promised.values()), None)
        while large is None:
            self.race(f"control{self.counts['stored']}")
            large = next((content for content in self.contents if len(content) > 300_000 - 1 and digest(content) in self.promised.values()), None)
        name = digest(large)
        os.unlink(os.path.join(self.store, name[:2], name[2:4], name[4:6], name))
        return expect_violation("a file that is gone", lambda: check_store(self.programs, self.store, self.promised, read=False))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    seed = random.randrange(1 << 32)
    began = time.monotonic()
    with work_folder() as folder:
        races = Races(Programs(sys.argv[1]), folder, seed)
        try:
            for number in range(count):
                try:
                    races.race(number)
                except Violation as broken:
                    raise Violation(f"race {number}: {broken}") from broken
            check_clean(races.programs, races.store)
            if races.counts["stored"] < count or races.counts["collected"] < count / 2:
                raise Violation(f"too little was done to tell anything: {races.counts}")
            _, summary = verify(races.programs, races.store)
            print(f"{count} races of an ingest with collections: {races.counts}, none lost; {summary['blobs']} blobs whole; seed {seed}")
            print("control, as it must:", races.control())
        except Violation as broken:
            sys.exit(f"seed {seed}: {broken} ({races.counts})")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
