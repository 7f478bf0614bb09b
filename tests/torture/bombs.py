#!/usr/bin/env python3
"""Sends small files that state, or hold, far more than they may, and measures what it costs to refuse each.

usage: bombs.py PROGRAMS     PROGRAMS: the folder of mediactl, mediad and the rest

Those whose headers state too many pixels or frames are refused by mediactl and by mediad within 100 ms, with at most 32 MiB beyond what a file
that is no picture takes, by the mediad that was there and its workers together: no pixel is made room for. So are the bombs of the corpus, where
there is one (../shared/corpus). Those that lie deeper (compressed profiles and pixels that are too many, frames beyond their picture, thousands of
scans) may come in: then a picture of them is made or refused within the time and memory of a worker. The negative controls: a limit of no memory
and of no time, and a sound picture, which is not refused.
"""
import json
import os
import struct
import subprocess
import sys
import time
import zlib

from mutants import BUDGET_KIB, DEADLINE, Watch
from rig import Mediad, Programs, Violation, expect_violation, json_lines, png, quiet_environment, work_folder

MILLISECONDS = 100
EXTRA_KIB = 32 << 10
TRIES = 3  # the quickest counts: others may be at work on this machine
REFUSED = 422
# A program of a small size of its own between this one and the one under test: a child's peak begins with its parent's size.
LAUNCHER = "import os,sys;p=os.posix_spawn(sys.argv[1],sys.argv[1:],os.environ);_,s,u=os.wait4(p,0);print(os.waitstatus_to_exitcode(s),u.ru_maxrss,file=sys.stderr)"


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def inflating(size):
    """A zlib stream of that many zeros, never whole in memory."""
    packer = zlib.compressobj(9)
    zeros = bytes(1 << 20)
    return b"".join([packer.compress(zeros) for _ in range(size >> 20)] + [packer.flush()])


def png_of(width, height, *between, pixels=b"\0" * 64, bits=8):
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    data = pixels if pixels.startswith(b"\x78") else zlib.compress(pixels)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(between) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def apng(frames, side):
    control = b"".join(
        chunk(b"fcTL", struct.pack(">IIIIIHHBB", 2 * i, side, side, 0, 0, 1, 25, 0, 0)) + chunk(b"fdAT", struct.pack(">I", 2 * i + 1) + zlib.compress(bytes(9)))
        for i in range(frames)
    )
    return png_of(side, side, chunk(b"acTL", struct.pack(">II", frames, 0)), control)


def gif(frames, screen, frame=None):
    one = b"\x2c" + struct.pack("<HHHHB", 0, 0, *(frame or screen), 0) + b"\x02\x02\x4c\x01\0"
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80, 0, 0) + bytes(6) + one * frames + b"\x3b"


def webp_chunk(kind, data):
    return kind + struct.pack("<I", len(data)) + data + bytes(len(data) & 1)


def webp(frames, side):
    def three(number):
        return struct.pack("<I", number)[:3]

    lossless = webp_chunk(b"VP8L", b"\x2f" + struct.pack("<I", min(side, 1 << 14) - 1 | min(side, 1 << 14) - 1 << 14) + bytes(8))
    if frames == 1:
        body = webp_chunk(b"VP8X", bytes(4) + 2 * three(side - 1)) + lossless
    else:
        frame = webp_chunk(b"ANMF", bytes(6) + 2 * three(side - 1) + three(40) + b"\0" + lossless)
        body = webp_chunk(b"VP8X", b"\x02" + bytes(3) + 2 * three(side - 1)) + webp_chunk(b"ANIM", bytes(6)) + frame * frames
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


def segment(marker, data):
    return bytes([0xFF, marker]) + struct.pack(">H", 2 + len(data)) + data


# Of progressive grey pictures: a table of one symbol for each kind of coefficient.
TABLES = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC4, b"\x00" + b"\1" + bytes(15) + b"\0") + segment(0xC4, b"\x10" + b"\1" + bytes(15) + b"\xe0")


def jpeg(width, height, scans=0, more=b"", marker=0xC0):
    """Without scans, one whose pixels are not there. Each scan says that none of the blocks has anything beyond its mean."""
    frame = segment(marker, struct.pack(">BHHB", 8, height, width, 1) + b"\1\x11\0")
    first = segment(0xDA, b"\1\1\0\0\0\0" if marker == 0xC2 else b"\1\1\0\0\x3f\0") + bytes((width + 7) // 8 * ((height + 7) // 8) // 8 if scans else 16)
    # Runs of 16,384 blocks: one bit of code, fourteen of length.
    runs = bytes(2 * ((width + 7) // 8 * ((height + 7) // 8) // 16384 + 1))
    rest = (segment(0xDA, b"\1\1\0\1\x3f\0") + runs) * scans
    return b"\xff\xd8" + more + TABLES + frame + first + rest + b"\xff\xd9"


def box(kind, *parts):
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind + body


def full(kind, *parts, flags=0):
    return box(kind, struct.pack(">I", flags), *parts)


def avif(width, height):
    data = bytes(64)
    located = full(b"iloc", b"\x44\0\0\1", struct.pack(">HHHII", 1, 0, 1, 0, len(data)))
    info = full(b"iinf", b"\0\1", full(b"infe", struct.pack(">HH", 1, 0), b"av01\0", flags=2 << 24))
    shape = full(b"ispe", struct.pack(">II", width, height))
    properties = box(b"iprp", box(b"ipco", shape, box(b"av1C", b"\x81\0\x0c\0")), full(b"ipma", struct.pack(">IHB", 1, 1, 2), b"\1\x82"))
    meta = full(b"meta", full(b"hdlr", bytes(4), b"pict", bytes(13)), full(b"pitm", b"\0\1"), info, located, properties)
    before = box(b"ftyp", b"avif", bytes(4), b"avifmif1")
    meta = meta.replace(struct.pack(">HHHII", 1, 0, 1, 0, len(data)), struct.pack(">HHHII", 1, 0, 1, len(before) + len(meta) + 8, len(data)))
    return before + meta + box(b"mdat", data)


def stated():
    """By what their headers say."""
    return {
        "60000x60000.png": png_of(60_000, 60_000, bits=1),
        "2147483647x1.png": png_of(2_147_483_647, 1),
        "51-frames-of-1-megapixel.png": apng(51, 1000),
        "1001-frames.png": apng(1001, 8),
        "65535x65535.gif": gif(1, (65_535, 65_535)),
        "51-frames-of-1-megapixel.gif": gif(51, (1000, 1000)),
        "90000-frames.gif": gif(90_000, (3, 3)),
        "16384x16384.webp": webp(1, 16_384),
        "51-frames-of-1-megapixel.webp": webp(51, 1000),
        "9000-frames.webp": webp(9_000, 8),
        "65500x65500.jpg": jpeg(65_500, 65_500),
        "65500x65500-progressive.jpg": jpeg(65_500, 65_500, marker=0xC2),
        "30000x30000.avif": avif(30_000, 30_000),
        "4294967295x4294967295.avif": avif(0xFFFFFFFF, 0xFFFFFFFF),
    }


def hidden():
    """By what is in them: (content, whether it may be a picture after all)."""
    gibibyte = inflating(1 << 30)
    return {
        "1-GiB-of-pixels-for-1-megapixel.png": png_of(1000, 1000, pixels=gibibyte),
        "a-profile-of-1-GiB.png": png_of(64, 64, chunk(b"iCCP", b"x\0\0" + gibibyte), pixels=bytes(65 * 64)),
        "a-text-of-1-GiB.png": png_of(64, 64, chunk(b"zTXt", b"Comment\0\0" + gibibyte), pixels=bytes(65 * 64)),
        "a-frame-beyond-its-screen.gif": gif(3, (8, 8), (65_535, 65_535)),
        "3000-scans-of-36-megapixels.jpg": jpeg(6000, 6000, 3000, marker=0xC2),
        "500-comments-of-64-KiB.jpg": jpeg(64, 64, 1, segment(0xFE, bytes(65_533)) * 500, 0xC2),
        "1000-frames-of-49-kilopixels.gif": gif(1000, (223, 223)),
        "16384x3000-of-1-bit.png": png_of(16_384, 3_000, bits=1, pixels=bytes((1 + 16_384 // 8) * 3_000)),
    }


def bombs_of_corpus():
    """name -> (content, whether the manifest wants it refused)."""
    folder = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "..", "shared", "corpus")
    found = {}
    manifest = os.path.join(folder, "MANIFEST.tsv")
    if os.path.exists(manifest):
        with open(manifest, encoding="utf-8") as file:
            cells = [line.split("\t") for line in file]
        for line in cells:
            if len(line) > 9 and "bomb" in line[9].split(","):
                with open(os.path.join(folder, line[0]), "rb") as file:
                    found[line[0]] = (file.read(), line[7] == "reject")
    return found


class Costs:
    """The most of each, over all files."""

    def __init__(self):
        self.milliseconds, self.extra_kib, self.slowest, self.largest = 0.0, 0, "", ""

    def add(self, name, milliseconds, extra_kib):
        if milliseconds > self.milliseconds:
            self.milliseconds, self.slowest = milliseconds, name
        if extra_kib > self.extra_kib:
            self.extra_kib, self.largest = extra_kib, name

    def expect_within(self, milliseconds, extra_kib):
        if self.milliseconds > milliseconds:
            raise Violation(f"{self.slowest} took {self.milliseconds:.1f} ms")
        if self.extra_kib > extra_kib:
            raise Violation(f"{self.largest} took {self.extra_kib} KiB more than a file that is no picture")

    def __str__(self):
        return f"at most {self.milliseconds:.1f} ms ({self.slowest}) and {self.extra_kib / 1024:.1f} MiB more ({self.largest or 'none'})"


def by_command(programs, folder, files):
    """mediactl, one process for each, with its start."""
    store = os.path.join(folder, "command")
    programs.must(store, "init")

    def once(name, content):
        path = os.path.join(folder, os.path.basename(name))
        with open(path, "wb") as file:
            file.write(content)
        launched = [sys.executable, "-S", "-E", "-c", LAUNCHER, programs.mediactl, "--store", store, "--json", "ingest", "--jobs", "1", "--no-renditions", path]
        began = time.monotonic()
        ended = subprocess.run(launched, env=quiet_environment(), capture_output=True, text=True, timeout=60, check=False)
        took = 1e3 * (time.monotonic() - began)
        os.unlink(path)
        code, peak = ended.stderr.split()[-2:]
        return json_lines(ended.stdout)[0], int(code), int(peak), took

    def least(name, content):
        tries = [once(name, content) for _ in range(TRIES)]
        return tries[0][0], tries[0][1], min(peak for _, _, peak, _ in tries), min(took for _, _, _, took in tries)

    _, _, plain_peak, plain_took = least("plain.bin", b"no picture " * 9)
    said, _, _, _ = once("sound.png", png(40, "sound"))
    expect_violation("a sound picture that is taken for refused", lambda: expect_refused("sound.png", said["status"], "refused"))
    costs = Costs()
    for name, (content, refuse) in files.items():
        said, code, peak, took = least(name, content)
        if code not in (0, 1):
            raise Violation(f"{name}: mediactl ends with {code}")
        if refuse:
            expect_refused(name, said["status"], "refused")
            if not said["reason"]:
                raise Violation(f"{name}: refused without a reason")
        costs.add(name, took - plain_took, peak - plain_peak)
    return costs


def expect_refused(name, said, *wanted):
    if said not in wanted:
        raise Violation(f"{name} is answered {said}, not {wanted}")


class Server:
    """mediad, whose peak is looked at from one request to the next."""

    def __init__(self, programs, folder):
        settings = {"MEDIA_SERVICE_PROCESSING_DEADLINE_SECONDS": str(DEADLINE), "MEDIA_SERVICE_LOGGING_LEVEL": "error"}
        self.mediad = Mediad(programs, folder, os.path.join(folder, "store"), settings)
        self.watch = Watch(self.mediad.pid)
        self.watch.start()

    def peak_kib(self):
        with open(f"/proc/{self.mediad.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))

    def forget_peak(self):
        with open(f"/proc/{self.mediad.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")

    def workers(self):
        return len(list(self.watch.workers()))

    def send(self, name, content):
        headers = {"Content-Type": "application/octet-stream", "X-Filename": os.path.basename(name)}
        began = time.monotonic()
        answer = self.mediad.ask("POST", "/media", content, headers, timeout=60)
        if answer is None or not self.mediad.lives():
            raise Violation(f"{name}: mediad is dead, or broke the connection")
        return answer, 1e3 * (time.monotonic() - began)

    def stop(self):
        self.watch.over.set()
        if self.mediad.stop() != 0:
            raise Violation("mediad does not stop well")


def by_server(server, files):
    for number in range(9):  # so that threads, pools and the catalog are there
        server.send("sound.png", png(40, f"sound {number}"))
    costs = Costs()
    for name, (content, refuse) in files.items():
        server.forget_peak()
        before, workers = server.peak_kib(), server.workers()
        answers = [server.send(name, content) for _ in range(TRIES)]
        if refuse:
            for answer, _ in answers:
                expect_refused(name, answer[0], REFUSED)
            if server.workers() > workers:
                raise Violation(f"{name}: a worker was started for what is refused by its header")
        elif answers[0][0][0] not in (200, 415, REFUSED):
            raise Violation(f"{name} is answered {answers[0][0][0]}")
        costs.add(name, min(took for _, took in answers), server.peak_kib() - before)
    return costs


def pictures(server, files):
    """What may come in: a picture of each is made or refused in time."""
    longest, counts = 0.0, {}
    for name, content in files.items():
        answer, _ = server.send(name, content)
        said = f"refused {answer[0]}"
        if answer[0] == 200:
            media = json.loads(answer[2])["media_id"]
            began = time.monotonic()
            answer = server.mediad.ask("GET", f"/media/{media}/image?w=320&format=jpeg", timeout=4 * DEADLINE)
            took = time.monotonic() - began
            longest = max(longest, took)
            if answer is None or not server.mediad.lives():
                raise Violation(f"{name}: mediad is dead, or broke the connection")
            if answer[0] not in (200, 415, 422, 504) or took > DEADLINE + 5:
                raise Violation(f"a picture of {name} is answered {answer[0]} after {took:.1f} s: {answer[2][:200]}")
            said = f"picture {answer[0]} after {took:.1f} s"
        elif answer[0] not in (415, REFUSED):
            raise Violation(f"{name} is answered {answer[0]}: {answer[2][:200]}")
        counts[name] = said
    return longest, counts


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    programs = Programs(sys.argv[1])
    began = time.monotonic()
    files = {name: (content, True) for name, content in stated().items()} | bombs_of_corpus()
    with work_folder() as folder:
        try:
            by_mediactl = by_command(programs, folder, files)
            print(f"{len(files)} bombs, mediactl: {by_mediactl}, beyond a file that is no picture", flush=True)
            server = Server(programs, folder)
            try:
                by_mediad = by_server(server, files)
                print(f"{len(files)} bombs, mediad: {by_mediad}", flush=True)
                longest, counts = pictures(server, hidden())
                for name, said in counts.items():
                    print(f"  {name}: {said}")
                print(f"what lies deeper: answered within {longest:.1f} s, a worker had at most {server.watch.peak_kib >> 10} MiB", flush=True)
                server.watch.expect_within(BUDGET_KIB)
                answer = server.mediad.ask("GET", "/media/1/image?w=320&format=jpeg")
                if not answer or answer[0] != 200:
                    raise Violation(f"mediad makes no pictures any more: {answer and answer[0]}")
                server.stop()
            finally:
                server.watch.over.set()
                server.mediad.kill()
            for costs in (by_mediactl, by_mediad):
                costs.expect_within(MILLISECONDS, EXTRA_KIB)
            print("control, as it must:", expect_violation("no time at all", lambda: by_mediad.expect_within(0, EXTRA_KIB)))
            print("control, as it must:", expect_violation("a worker of 1 MiB", lambda: server.watch.expect_within(1024)))
        except Violation as broken:
            sys.exit(str(broken))
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
