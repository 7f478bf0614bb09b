#!/usr/bin/env python3
"""Damages 100 of 1,000 blobs in every way that a disk, an operator or a fault knows, and expects exactly those to be named.

usage: bit_rot.py PROGRAMS [SEED]     PROGRAMS: the folder of mediactl, mediad and fault_injector

In files of their own and in segments: bits that flip, zeros, an end that is gone, two that took each other's place, files that are empty, gone, or
none of the store's; rows with a wrong size. `mediactl verify` names each by the right name and no other, its shares together do the same, and
mediad hands out none of the damaged ones as whole. The negative control: a damage more that nobody reported to the rig.
"""
import contextlib
import os
import random
import sqlite3
import sys
import time

from rig import Mediad, Programs, Violation, digest, expect_violation, json_lines, noise, verify, work_folder

BLOBS = 1_000


def find_packed(store, contents):
    """digest -> (segment, offset of its first byte), found by looking."""
    places = {}
    folder = os.path.join(store, "segments")
    for name in os.listdir(folder):
        if not name.endswith(".segment"):
            continue
        with open(os.path.join(folder, name), "rb") as file:
            bytes_of = file.read()
        # An entry: 64 bytes of header, the digest from the sixteenth on, then the content.
        for each in contents:
            at = bytes_of.find(bytes.fromhex(each))
            while at >= 0 and at % 64 != 16:
                at = bytes_of.find(bytes.fromhex(each), at + 1)
            if at >= 0:
                places[each] = (os.path.join(folder, name), at + 48)
    return places


def loose_path(store, name):
    return os.path.join(store, name[:2], name[2:4], name[4:6], name)


def overwrite(path, at, change):
    os.chmod(path, 0o600)
    with open(path, "r+b") as file:
        file.seek(at)
        old = file.read(4096)
        file.seek(at)
        file.write(change(old))


def flip(old):
    return bytes([old[0] ^ 4])


def damage(store, contents, numbers):
    """(problem, digest) of all 100."""
    packed = find_packed(store, contents)
    loose = [each for each in contents if os.path.exists(loose_path(store, each))]
    in_segments = [each for each in contents if each in packed]
    numbers.shuffle(loose)
    numbers.shuffle(in_segments)
    if len(loose) < 60 or len(in_segments) < 60:
        raise Violation(f"{len(loose)} loose and {len(in_segments)} packed blobs are too few to damage")
    expected = set()
    for _ in range(25):
        each = in_segments.pop()
        path, at = packed[each]
        overwrite(path, at + numbers.randrange(len(contents[each])), flip)
        expected.add(("damaged", each))
    for _ in range(10):
        each = in_segments.pop()
        path, at = packed[each]
        overwrite(path, at, lambda old, size=len(contents[each]): bytes(min(len(old), size)))
        expected.add(("damaged", each))
    for _ in range(10):
        each = in_segments.pop()
        path, at = packed[each]
        overwrite(path, at - 60, lambda _: b"\xff")  # marked as dead
        expected.add(("missing", each))
    for _ in range(10):
        each = loose.pop()
        overwrite(loose_path(store, each), numbers.randrange(len(contents[each])), flip)
        expected.add(("damaged", each))
    for _ in range(5):
        each = loose.pop()
        overwrite(loose_path(store, each), 4096, lambda old: bytes(len(old)))
        expected.add(("damaged", each))
    for keep in [numbers.randrange(1, 200_000) for _ in range(8)] + [0] * 2:
        each = loose.pop()
        os.chmod(loose_path(store, each), 0o600)
        os.truncate(loose_path(store, each), keep)
        expected.add(("damaged", each))
    for _ in range(5):
        one, two = loose.pop(), loose.pop()
        os.rename(loose_path(store, one), loose_path(store, one) + ".aside")
        os.rename(loose_path(store, two), loose_path(store, one))
        os.rename(loose_path(store, one) + ".aside", loose_path(store, two))
        expected |= {("damaged", one), ("damaged", two)}
    for _ in range(10):
        each = loose.pop()
        os.unlink(loose_path(store, each))
        expected.add(("missing", each))
    for number in range(5):
        content = noise(777, f"stray{number}")
        os.makedirs(os.path.dirname(loose_path(store, digest(content))), exist_ok=True)
        with open(loose_path(store, digest(content)), "wb") as file:
            file.write(content)
        expected.add(("stray", digest(content)))
    with contextlib.closing(sqlite3.connect(os.path.join(store, "catalog.db"))) as connection, connection:
        for each in [in_segments.pop() for _ in range(3)] + [loose.pop() for _ in range(2)]:
            connection.execute("UPDATE blob SET size_bytes = size_bytes + 1 WHERE digest = ?", (bytes.fromhex(each),))
            expected.add(("damaged", each))
    if len(expected) != 100:
        sys.exit(f"{len(expected)} were damaged, not 100")
    return expected


def expect_exactly(expected, faults):
    named = {(fault["problem"], fault["digest"]) for fault in faults}
    if named != expected:
        raise Violation(f"not named: {sorted(expected - named)[:3]}; named without reason: {sorted(named - expected, key=str)[:3]}")


def expect_not_served(programs, folder, store, ids, contents, expected):
    """Of each damaged blob: never all of its length with status 200, unless they are the right bytes. Of the others: the right bytes."""
    server = Mediad(programs, folder, store, {"MEDIA_SERVICE_LOGGING_LEVEL": "off"})
    refused = 0
    try:
        broken = {each for problem, each in expected if problem != "stray"}
        for media, each in ids.items():
            answer = server.ask("GET", f"/media/{media}/download")
            whole = answer is not None and answer[0] == 200 and answer[2] == contents[each]
            if not whole and answer is not None and answer[0] == 200:
                raise Violation(f"media {media} was served with other bytes")
            if each not in broken and not whole:
                raise Violation(f"media {media} is sound and was not served: {answer and answer[0]}")
            refused += 0 if whole else 1
        server.stop()
    finally:
        server.kill()
    return refused


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    programs = Programs(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    numbers = random.Random(seed)
    began = time.monotonic()
    with work_folder() as folder:
        store, source = os.path.join(folder, "store"), os.path.join(folder, "in")
        os.mkdir(source)
        contents = {}
        for i in range(BLOBS):
            content = noise(270_000 + i if i % 8 == 0 else 300 + 13 * i, f"{seed}/{i}")
            contents[digest(content)] = content
            with open(os.path.join(source, f"{i}.bin"), "wb") as file:
                file.write(content)
        out = programs.must(store, "--json", "ingest", "--any", source)
        ids = {line["id"]: line["digest"] for line in json_lines(out)[:-1]}
        try:
            expected = damage(store, contents, numbers)
            faults, summary = verify(programs, store)
            expect_exactly(expected, faults)
            if summary["intact"]:
                raise Violation("the summary says intact")
            shares = []
            for share in range(1, 8):
                _, out, _ = programs.mediactl_run(store, "verify", "--json", "--subset", f"{share}/7")
                shares += json_lines(out)[:-1]
            expect_exactly(expected, shares)
            # One more, which the rig does not expect, and back again.
            sound = next(each for each in contents if ("damaged", each) not in expected and os.path.exists(loose_path(store, each)))
            overwrite(loose_path(store, sound), 9, flip)
            print("control, as it must:", expect_violation("a damage more", lambda: expect_exactly(expected, verify(programs, store)[0])))
            overwrite(loose_path(store, sound), 9, flip)
            refused = expect_not_served(programs, folder, store, ids, contents, expected)
        except Violation as broken:
            sys.exit(f"seed {seed}: {broken}")
        print(f"100 of {BLOBS} damaged: verify names exactly those, so do its 7 shares; {refused} of them refused as downloads; {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
