"""Reads what fault_injector logged, and says what was not yet on stable storage when somebody was told that it was.

A file is durable once it was synced after its last write; a name, once its folder was synced after it was given; a removal, which only an erasure
promises, likewise. A sync that failed proves
nothing, and neither does the next one of the same file, unless that was written anew: the kernel may have forgotten what it could not write. A
folder is another matter: the library gives the name anew and syncs the folder by another descriptor, and that is believed.
"""
import os
import re

WRITES = {"write", "pwrite64", "writev", "pwritev", "pwritev2", "copy_file_range", "splice", "sendfile", "truncate"}
SYNCS = {"fsync", "fdatasync", "syncfs"}
FAN_OUT = re.compile(r"^[0-9a-f]{2}(/[0-9a-f]{2}){0,2}(/[0-9a-f]{64})?$")
NOT_PROMISED = re.compile(r"(-shm|\.index(\.[0-9a-f]+)?|\.dead|/catalog\.db|lock)$")


class Ledger:
    def __init__(self, store):
        self.store = store
        self.files = {}  # path -> "written" or "failed to sync"
        self.folders = {}  # the same of entries
        self.removed = {}  # folder -> what was removed from it and may come back
        self.acknowledged = 0
        self.faults = []

    def counts(self, path):
        """Not: what may be lost (temp files, shortcuts beside segments, SQLite's shared memory), and what SQLite makes durable by its log."""
        if not path.startswith(self.store + "/") or path.startswith(self.store + "/temp"):
            return False
        return not NOT_PROMISED.search(path)

    def counts_folder(self, path):
        return path.startswith(self.store) and not path.startswith(self.store + "/temp")

    def name_given(self, path):
        if self.counts(path):
            self.folders[os.path.dirname(path)] = "named"

    def feed(self, line):
        fields = line.rstrip("\n").split("\t")
        if len(fields) < 7:
            return
        call, first, second, outcome, said = fields[2], fields[3], fields[4], fields[5], fields[6]
        makes = call.endswith("+")
        call = call.rstrip("+")
        lied = outcome.endswith("injected") and not outcome.startswith("-")
        done = outcome.split(" ")[0]
        ok = done != "killed" and int(done) >= 0 and not (lied and call in SYNCS)
        if call in SYNCS and not ok and not lied:
            for known in (self.files, self.folders):
                if first in known:
                    known[first] = "failed to sync"
        elif call in SYNCS and ok:
            self.folders.pop(first, None)
            self.removed.pop(first, None)
            if self.files.get(first) != "failed to sync":
                self.files.pop(first, None)
        elif not ok:
            return
        elif call in WRITES and self.counts(first):
            self.files[first] = "written"
        elif call in ("open", "openat") and makes:
            self.name_given(first)
        elif call in ("mkdir", "mkdirat") and self.counts_folder(first):
            self.folders[os.path.dirname(first)] = "named"
        elif call in ("rename", "renameat", "renameat2", "link", "linkat"):
            state = self.files.pop(first, None) if call.startswith("rename") else self.files.get(first)
            if state and self.counts(second):
                self.files[second] = state
            self.name_given(second)
        elif call in ("unlink", "unlinkat"):
            self.files.pop(first, None)
            if self.counts(first):
                self.removed[os.path.dirname(first)] = first
        if ok and self.is_acknowledgement(first, said):
            self.acknowledged += 1
            for path, state in [*self.files.items(), *self.folders.items()]:
                if self.concerns(os.path.relpath(path, self.store), said):
                    self.faults.append(f"acknowledged, and {os.path.relpath(path, self.store)} was {state} only")
            if self.is_erasure(first, said):
                self.faults += [f"said to be erased, and {os.path.relpath(path, self.store)} may come back" for path in self.removed.values()]

    @staticmethod
    def concerns(path, said):
        """Of files and folders that belong to blobs by their names, those of the blobs that it names; everything else, always."""
        if not FAN_OUT.match(path):
            return True
        told = [line for line in said.split("\\n") if '"status":"failed"' not in line]
        named = re.findall(r'"([0-9a-f]{64})"', " ".join(told))
        return not named or any(f"{each[:2]}/{each[2:4]}/{each[4:6]}/{each}".startswith(path) for each in named)

    @staticmethod
    def is_erasure(target, said):
        return target == "stdout" and '"complete":true' in said

    @classmethod
    def is_acknowledgement(cls, target, said):
        if target == "stdout":
            return '"status":"stored"' in said or '"status":"removed"' in said or cls.is_erasure(target, said)
        return target.startswith("socket:") and said.startswith("HTTP/1.1 2")

    @classmethod
    def of(cls, store, log_path):
        ledger = cls(os.path.realpath(store))
        with open(log_path, encoding="utf-8", errors="replace") as log:
            for line in log:
                ledger.feed(line)
        return ledger


def counted(log_path):
    """How many calls were counted, and whether one was hit."""
    number, hit = 0, False
    with open(log_path, encoding="utf-8", errors="replace") as log:
        for line in log:
            fields = line.split("\t")
            if len(fields) < 7:
                continue
            number = max(number, int(fields[0]))
            hit = hit or fields[5].endswith("injected")
    return number, hit


def hit_in(log_path):
    """The call that was hit first, for people."""
    with open(log_path, encoding="utf-8", errors="replace") as log:
        for line in log:
            fields = line.split("\t")
            if len(fields) >= 7 and fields[5].endswith("injected"):
                return f"call {fields[0]}, {fields[2]} of {fields[3]}"
    return "no call"
