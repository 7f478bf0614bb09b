#!/usr/bin/env python3
"""Would systemd's sandbox have let a run through? systemd_trace.py UNIT TRACE STORE PORT_FILE

The trace is strace's, with -f and -y, of mediad with its workers. Each option of the unit that could break them is held against it.
"""
import os
import re
import subprocess
import sys

CALL = re.compile(r"^\d+ +([a-z0-9_]+)\((.*)$")


def settings_of(unit):
    """Each setting with all its values, in order."""
    settings = {}
    with open(unit, encoding="utf-8") as file:
        for line in file:
            name, separator, value = line.strip().partition("=")
            if separator and not name.startswith("#"):
                settings.setdefault(name, []).append(value)
    return settings


def system_calls(name):
    """What a word of SystemCallFilter stands for."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True, check=True).stdout
    words = [line.strip() for line in text.splitlines()[1:] if line.strip() and not line.strip().startswith("#")]
    return set().union(*(system_calls(word) for word in words))


def allowed_calls(settings):
    allowed = set()
    for value in settings["SystemCallFilter"]:
        words = set().union(*(system_calls(word) for word in value.lstrip("~").split()))
        allowed = allowed - words if value.startswith("~") else allowed | words
    return allowed


def main():
    unit, trace, store, port_file = sys.argv[1:]
    settings = settings_of(unit)
    allowed = allowed_calls(settings)
    families = set(settings["RestrictAddressFamilies"][0].split())
    used, faults = set(), set()
    with open(trace, encoding="utf-8", errors="replace") as file:
        for line in file:
            match = CALL.match(line)
            if not match:
                continue
            name, arguments = match.groups()
            arguments = re.sub(r"AT_FDCWD<[^>]*>", "AT_FDCWD", arguments)
            used.add(name)
            if name == "fchown" and os.geteuid() == 0:
                continue  # SQLite gives its files to the catalog's owner, where it runs as root and only there
            if name not in allowed:
                faults.add(f"SystemCallFilter: {name}")
            if name in ("mmap", "mprotect", "pkey_mprotect", "shmat") and "PROT_EXEC" in arguments and (name != "mmap" or "PROT_WRITE" in arguments):
                faults.add(f"MemoryDenyWriteExecute: {line.strip()}")
            if name == "socket" and arguments.split(",")[0] not in families:
                faults.add(f"RestrictAddressFamilies: {line.strip()}")
            if name in ("clone", "unshare") and "CLONE_NEW" in arguments:
                faults.add(f"RestrictNamespaces: {line.strip()}")
            if name == "sched_setscheduler" and re.search(r"SCHED_(FIFO|RR)", arguments):
                faults.add(f"RestrictRealtime: {line.strip()}")
            if name in ("open", "openat", "creat", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat"):
                if name.startswith("open") and not re.search(r"O_(WRONLY|RDWR|CREAT|TMPFILE)", arguments):
                    continue
                paths = re.findall(r'<(/[^>]*)>|"(/[^"]*)"', arguments)
                # With -s 0 strace keeps paths in full; what is relative is named by its folder's descriptor.
                for path in ("".join(pair) for pair in paths):
                    if not path.startswith((store, port_file, "/dev/null")):
                        faults.add(f"ProtectSystem: {line.strip()}")
            if name in ("chmod", "fchmod", "fchmodat") and re.search(r"0[2467]\d{3}|S_IS[UG]ID", arguments):
                faults.add(f"RestrictSUIDSGID: {line.strip()}")
    # The run was a whole one: bytes were synced, a worker was started, and it closed its locks.
    assert {"fsync", "execve", "seccomp", "landlock_create_ruleset", "accept4"} <= used or {"fdatasync", "execve", "seccomp"} <= used, used
    assert "landlock_restrict_self" in allowed and "chown" not in allowed and "mount" not in allowed
    for fault in sorted(faults):
        print(fault, file=sys.stderr)
    print(f"{len(used)} system calls, {len(faults)} that the unit forbids")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
