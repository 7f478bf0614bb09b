#!/usr/bin/env python3
"""Lets every system call by which mediactl and mediad change the world fail, once and for ever.

usage: fault_sweep.py PROGRAMS [--short] [SCENARIO…]     PROGRAMS: the folder of mediactl, mediad and fault_injector

For each way into a store, each error (EIO, ENOSPC, EDQUOT, EROFS, EMFILE, EINTR, ENOMEM, writes that do half), each call that can have it: the
program says a clear error, never acknowledges what is not on stable storage, lives on, and completes once the fault is over: mediad in the same
process after a fault that happened once. A write cut short and a call that was interrupted are no errors at all: they are gone on with. A sync
that failed is never believed when it succeeds at the second try. --short: some calls of each.
"""
import sys
import time

from rig import Programs, Violation, expect_violation, sampled, work_folder
from sweep import Sweep, lied_to, scenarios_of

WRITES = "write,pwrite64,writev,pwritev,pwritev2"
NAMES = "openat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat"
SYNCS = "fsync,fdatasync"
DESCRIPTORS = "openat,socket,accept4,pipe2,dup,eventfd2,epoll_create1,memfd_create"
# Error, the calls that can have it, what more is looked at, whether it can last.
FAULTS = (
    ("EIO", f"{WRITES},{NAMES},{SYNCS},ftruncate,unlink,unlinkat,sync_file_range", (), True),
    ("ENOSPC", f"{WRITES},{NAMES},{SYNCS},fallocate", (), True),
    ("EDQUOT", f"{WRITES},{NAMES},fallocate", (), True),
    ("EROFS", f"{NAMES},unlink,unlinkat", (), True),
    ("EMFILE", DESCRIPTORS, ("--all-opens",), True),
    ("ENOMEM", NAMES, (), True),
    ("EINTR", f"{WRITES},{SYNCS},openat,flock", (), False),
    ("short", WRITES, (), True),
)
FULL = ("ENOSPC", "EDQUOT")
CLI_CODES = {1, 3, 4, 5, 6, 8, 9}


def judge_of(error, scenario):
    def judge(outcome):
        if outcome.crashed:
            raise Violation(f"it does not survive: {outcome.crashed}")
        if error == "short" and not outcome.complete:
            raise Violation(f"a short write is taken for a failure: {outcome.refusals}")
        if not outcome.complete and not outcome.refusals:
            raise Violation("it failed, and nothing was said")
        for code, words in outcome.refusals:
            if not words:
                raise Violation(f"{code}, and not a word")
            if code is None or scenario.name not in ("post", "presigned", "tus", "postgres-post"):
                if code is not None and code not in CLI_CODES:
                    raise Violation(f"exit code {code}: {words}")
            elif code not in ((507,) if error in FULL else (423, 500, 503, 507)):
                raise Violation(f"status {code}: {words}")

    return judge


def main():
    arguments = sys.argv[1:]
    short = "--short" in arguments
    arguments = [each for each in arguments if each != "--short"]
    if not arguments:
        sys.exit(__doc__)
    programs = Programs(arguments[0])
    wanted = arguments[1:] or (["loose", "packed", "post"] if short else [])
    began = time.monotonic()
    broken, total = [], 0
    with work_folder() as folder, scenarios_of(programs, wanted) as scenarios:
        for scenario in scenarios:
            sweep = Sweep(programs, scenario, folder)
            for error, calls, more, lasts in FAULTS:
                how = ("--short",) if error == "short" else ("--error", error)
                # What a socket or a pipe is told is the network's matter.
                looked_at = ("--calls", calls, "--no-output", *more)
                count, _ = sweep.baseline(*looked_at)
                runs = []
                for ever in ((), ("--ever",)) if lasts else ((),):
                    runs += [(*looked_at, *how, "--at", str(number), *ever) for number in sampled(count, 1 if short else None)]
                hits, faults = sweep.go(judge_of(error, scenario), runs, 2)
                total += hits + len(faults)
                broken += faults
                print(f"{scenario.name}, {error}: {count} calls, {hits + len(faults)} runs, {len(faults)} broken promises", flush=True)

        def lie():
            # Threads sync in another order each time, and a folder that is synced twice hides one lie about it.
            for number in (3, 4, 2, 5, 1, 6):
                lied_to(programs, "loose", f"{folder}/control-{number}", "--calls", "fsync,fdatasync", "--at", str(number))

        print("control, as it must:", expect_violation("any of six syncs that were not done", lie))
    print(f"{total} faults, {len(broken)} broken promises, {time.monotonic() - began:.0f} s")
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
