#!/usr/bin/env python3
"""Cuts the power of a filesystem while mediactl takes in files: blobs and SQLite catalog together, again and again.

usage: power_cut_catalog.py PROGRAMS [ROUNDS]     PROGRAMS: the folder of mediactl, mediad and fault_injector; ROUNDS: 200; needs root

As power_cut.py does for blobs alone: what was not synced is gone. Every media that was reported as stored must be in the catalog, and its bytes
whole; the next round goes on with the same store. The negative control is a mediactl whose syncs do nothing: a rig that finds nothing lost there
is broken.
"""
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from power_cut import Disk
from rig import Programs, Violation, check_store, noise, quiet_environment


def write_source(folder, seed):
    for name in os.listdir(folder):
        os.unlink(os.path.join(folder, name))
    numbers = random.Random(seed)
    # One in sixty is too large for a segment.
    for i in range(600):
        with open(os.path.join(folder, f"{i:05}"), "wb") as file:
            file.write(noise(numbers.randrange(300, 12_000) if i % 60 else 300_000, f"{seed}/{i}"))


def stored_in(path):
    with open(path, encoding="utf-8", errors="replace") as output:
        lines = output.read().split("\n")[:-1]
    return {line["id"]: line["digest"] for line in map(json.loads, lines) if line.get("status") == "stored"}


def cut_during(disk, command, output, seconds):
    """What was acknowledged by the time when the power went."""
    with open(output, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.DEVNULL, env=quiet_environment(), start_new_session=True)
    patience = time.monotonic() + 30
    while time.monotonic() < patience and process.poll() is None and not stored_in(output):
        time.sleep(0.005)
    time.sleep(seconds)
    stored = stored_in(output)
    ended = process.poll()
    disk.cut()
    if ended is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    disk.unmount()
    disk.mount()
    return stored


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0 and "CI" not in os.environ:
        print("skipped: only root may mount")
        sys.exit(77)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))  # so that nothing stays mounted
    programs = Programs(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    seed = random.randrange(1 << 32)
    random.seed(seed)
    with tempfile.TemporaryDirectory(prefix="libmedia-torture-") as folder:
        source, output = os.path.join(folder, "source"), os.path.join(folder, "output")
        os.mkdir(source)
        disk = Disk(folder)
        try:
            store = os.path.join(disk.mount_point, "store")

            def ingest(into):
                return [programs.mediactl, "--store", into, "--json", "ingest", "--any", "--jobs", "2", source]

            promised, total = {}, 0
            for number in range(rounds):
                write_source(source, f"{seed}/{number}")
                stored = cut_during(disk, ingest(store), output, random.uniform(0.0, 0.25))
                total += len(stored)
                promised |= stored
                check_store(programs, store, promised)
                if number % 20 == 19:
                    print(f"{number + 1} power cuts so far, {total} media acknowledged", flush=True)
                if number % 8 == 7:  # a disk is only so large
                    programs.must(store, "--quiet", "rm", *map(str, promised))
                    programs.must(store, "--quiet", "gc", "--grace", "0s")
                    programs.must(store, "--quiet", "gc", "--grace", "0s")
                    promised = {}
            control = os.path.join(disk.mount_point, "control")
            lying = [programs.injector, "--calls", "fsync,fdatasync", "--at", "1", "--ever", "--lie"]
            found = None
            for number in range(5):
                stored = cut_during(disk, [*lying, *ingest(f"{control}{number}")], output, random.uniform(0.3, 0.6))
                try:
                    check_store(programs, f"{control}{number}", stored)
                except (Violation, json.JSONDecodeError) as lost:
                    found = str(lost)
                    break
            if found is None:
                sys.exit("the negative control lost nothing: this rig cannot tell")
            print(f"{rounds} power cuts, {total} media acknowledged, none lost, none torn; control, as it must: {found}; seed {seed}")
        except Violation as broken:
            sys.exit(f"seed {seed}: {broken}")
        finally:
            disk.unmount()


if __name__ == "__main__":
    main()
