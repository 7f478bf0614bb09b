#!/usr/bin/env python3
"""Kills mediactl and mediad at every system call by which they change the world, and looks at what is left.

usage: kill_sweep.py PROGRAMS [--short] [SCENARIO…]     PROGRAMS: the folder of mediactl, mediad and fault_injector

For each way into a store (and out of it), for each call: killed there, nothing that was acknowledged is lost, nothing that is visible is torn,
the same command or client then completes, and what the kill left is swept. Without a fault, everything is on stable storage before it is
acknowledged. --short: some calls of each, at equal distances. The negative control is a kernel that says of syncs
that they are done and does none, and blobs that are cut and removed behind the library's back.
"""
import os
import sys
import time

from rig import Programs, digest, expect_violation, sampled, work_folder
from scenarios import all_scenarios
from sweep import Sweep, lied_to, scenarios_of


def controls(programs, folder):
    """What a kill must never leave, and the checks must see: half a blob, a row without its blob, an acknowledgement before its sync."""
    lie = ("--calls", "fsync,fdatasync", "--at", "1", "--ever")
    print("control, as it must:", expect_violation("syncs that are not done", lambda: lied_to(programs, "packed", f"{folder}/control", *lie)))
    sweep = Sweep(programs, all_scenarios(programs)["loose"], f"{folder}/control")
    place = sweep.place()
    for what, harm in (("half a blob", lambda path: os.truncate(path, 300_000)), ("a blob that is gone", os.unlink)):
        sweep.scenario.fresh(sweep.template, place)
        outcome = sweep.scenario.run(place, ())
        name = digest(sweep.scenario.contents["large.bin"])
        path = os.path.join(sweep.scenario.store(place), name[:2], name[2:4], name[4:6], name)
        os.chmod(path, 0o600)
        harm(path)
        print("control, as it must:", expect_violation(what, lambda found=outcome: sweep.check(place, found)))


def main():
    arguments = sys.argv[1:]
    short = "--short" in arguments
    arguments = [each for each in arguments if each != "--short"]
    if not arguments:
        sys.exit(__doc__)
    programs = Programs(arguments[0])
    began = time.monotonic()
    broken = []
    with work_folder() as folder, scenarios_of(programs, arguments[1:]) as scenarios:
        for scenario in scenarios:
            sweep = Sweep(programs, scenario, folder)
            calls, acknowledged = sweep.baseline()
            # Threads do not always make as many calls: beyond the last one of this run there may be some.
            numbers = sampled(calls, 4) if short else range(1, calls + 6)
            hits, faults = sweep.go(lambda _: None, [("--kill", "--at", str(number)) for number in numbers], 2)
            broken += faults
            tried = hits + len(faults)
            print(f"{scenario.name}: {calls} calls, {acknowledged} acknowledgements, each durable; killed at {tried}, {len(faults)} broken promises", flush=True)
            if tried < min(len(numbers), calls) / 2:
                sys.exit(f"only {tried} of {len(numbers)} kills hit: this rig cannot tell")
        controls(programs, folder)
    print(f"{time.monotonic() - began:.0f} s")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
