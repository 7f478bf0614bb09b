#!/usr/bin/env python3
"""Fills a small filesystem, with bytes and with files, by mediad and by mediactl, and makes room again.

usage: full_disk.py PROGRAMS [UPLOADS]     PROGRAMS: the folder of mediactl, mediad and fault_injector; UPLOADS: 200; needs root, to mount

An ext4 on a loop device, or a tmpfs where there are no loop devices. What does not fit is refused with 507 (mediactl: exit code 5) and leaves
nothing behind; what was acknowledged is read all the while; once there is room the same process goes on. The negative control is a disk that is
large enough: a rig that is content with it cannot tell.
"""
import contextlib
import json
import os
import subprocess
import sys
import tempfile

from rig import Mediad, Programs, Violation, check_clean, check_store, digest, expect_violation, json_lines, png


class SmallDisk:
    """Mounted as long as the block lasts, with something in it that can be taken away."""

    def __init__(self, folder, name, megabytes, files=0):
        self.folder = os.path.join(folder, name)
        self.image = self.folder + ".img"
        self.megabytes = megabytes
        self.files = files

    def __enter__(self):
        os.mkdir(self.folder)
        with open(self.image, "wb") as image:
            image.truncate(self.megabytes << 20)
        # Blocks of 4 KiB, as on any disk of today. With smaller ones SQLite, which sets aside whole pages of its shared memory by writing their
        # last byte, leaves holes in them, and on a full disk a process that writes into such a hole ends with SIGBUS.
        make = ["mkfs.ext4", "-q", "-F", "-b", "4096", "-m", "0", *(["-N", str(self.files)] if self.files else []), self.image]
        limits = f"size={self.megabytes}m" + (f",nr_inodes={self.files}" if self.files else "")
        self.kind = None
        if subprocess.run(make, stderr=subprocess.DEVNULL, check=False).returncode == 0:
            if subprocess.run(["mount", "-o", "loop", self.image, self.folder], stderr=subprocess.DEVNULL, check=False).returncode == 0:
                self.kind = "ext4"
        if self.kind is None and subprocess.run(["mount", "-t", "tmpfs", "-o", limits, "tmpfs", self.folder], check=False).returncode == 0:
            self.kind = "tmpfs"
        if self.kind is None:
            sys.exit("neither a loop device nor a tmpfs can be mounted here")
        self.ballast = os.path.join(self.folder, "ballast")
        os.mkdir(self.ballast)
        if self.files:
            for number in range(self.files // 3):
                with open(os.path.join(self.ballast, str(number)), "wb"):
                    pass
        else:
            with open(os.path.join(self.ballast, "bytes"), "wb") as file:
                file.write(os.urandom(self.megabytes << 18))
                os.fsync(file.fileno())
        return self

    def make_room(self):
        for name in os.listdir(self.ballast):
            os.unlink(os.path.join(self.ballast, name))
        os.sync()

    def __exit__(self, *_):
        subprocess.run(["umount", "-l", self.folder], check=False)
        os.unlink(self.image)


class Uploads:
    """What is sent, and what of it was acknowledged."""

    def __init__(self, server, store, seed):
        self.server, self.store, self.seed = server, store, seed
        self.kept = {}  # id -> content
        self.refused = 0

    def send(self, number):
        # Some lie in files of their own, some in segments.
        content = png(170 + 80 * (number % 3), f"{self.seed}/{number}")
        answer = self.server.ask("POST", "/media", content, {"Content-Type": "image/png", "X-Filename": f"{number}.png"})
        if answer is None:
            raise Violation(f"upload {number}: the connection broke")
        if answer[0] == 200:
            self.kept[json.loads(answer[2])["media_id"]] = content
        elif answer[0] == 507:
            self.refused += 1
        else:
            raise Violation(f"upload {number}: status {answer[0]}: {answer[2][:300].decode()}")
        return answer[0]

    def read_all(self):
        for media, content in self.kept.items():
            answer = self.server.ask("GET", f"/media/{media}/download")
            if not answer or answer[0] != 200 or answer[2] != content:
                raise Violation(f"media {media} cannot be read while the disk is full: {answer and answer[0]}")

    def promised(self):
        return {media: digest(content) for media, content in self.kept.items()}


def temps(store):
    return [name for at, _, names in os.walk(os.path.join(store, "temp")) for name in names if "lock" not in name]


def expect(status, answer, what):
    if not answer or answer[0] not in status:
        raise Violation(f"{what}: {answer and (answer[0], answer[2][:300])}, not {status}")


def other_ways(uploads):
    """The other two ways in, while nothing fits: told so, and gone on with later."""
    server = uploads.server
    content = png(420, f"{uploads.seed}/other")
    wanted = json.dumps({"filename": "other.png", "content_type": "image/png", "file_size": len(content)})
    asked = server.ask("POST", "/media/upload-request", wanted, {"Content-Type": "application/json"})
    expect((200, 201, 507), asked, "an upload request on a full disk")
    if asked[0] != 507:
        path = "/" + json.loads(asked[2])["upload_url"].split("/", 3)[3]
        expect((507,), server.ask("PUT", path, content), "a signed upload on a full disk")
    fields = {"Tus-Resumable": "1.0.0"}
    begun = server.ask("POST", "/uploads", b"", {**fields, "Upload-Length": str(len(content))})
    expect((201, 507), begun, "a resumable upload on a full disk")
    if begun[0] == 507:
        return None
    path = "/" + begun[1]["Location"].split("/", 3)[3]
    patch = {**fields, "Content-Type": "application/offset+octet-stream"}
    answer = server.ask("PATCH", path, content, {**patch, "Upload-Offset": "0"})
    expect((204, 507), answer, "the bytes of a resumable upload on a full disk")

    def go_on():
        offset = int(server.ask("HEAD", path, None, fields)[1]["Upload-Offset"])
        last = server.ask("PATCH", path, content[offset:], {**patch, "Upload-Offset": str(offset)})
        expect((204,), last, "the rest of a resumable upload")
        uploads.kept[int(last[1]["Media-Id"])] = content

    return go_on if answer[0] == 507 else None


def by_server(programs, disk, count, environment):
    store = os.path.join(disk.folder, "store")
    server = Mediad(programs, os.path.dirname(disk.folder), store, environment)
    uploads = Uploads(server, store, os.path.basename(disk.folder))
    try:
        for number in range(count):
            uploads.send(number)
        if uploads.refused == 0:
            raise Violation(f"{count} uploads, and none was refused: the disk was not full")
        if not uploads.kept:
            raise Violation("nothing was taken at all")
        go_on = other_ways(uploads)
        uploads.read_all()
        if temps(store):
            raise Violation(f"refused uploads left temp files: {temps(store)}")
        full_kept = len(uploads.kept)
        disk.make_room()
        if uploads.send(count) != 200:
            raise Violation("there is room again, and the same mediad does not take anything")
        if go_on:
            go_on()
        uploads.read_all()
        code = server.stop()
        if code != 0:
            raise Violation(f"mediad stops with {code}: {server.log()}")
    finally:
        server.kill()
    check_store(programs, store, uploads.promised())
    check_clean(programs, store)
    return full_kept, uploads.refused


def by_command(programs, disk, count, options):
    source = os.path.join(os.path.dirname(disk.folder), "source")
    os.makedirs(source, exist_ok=True)
    for number in range(count):
        path = os.path.join(source, f"{number}.bin")
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(os.urandom(90_000 + 100_000 * (number % 3)))
    store = os.path.join(disk.folder, "store")
    command = ("--json", *options, "ingest", "--any", "--jobs", "2", source)
    code, out, err = programs.mediactl_run(store, *command)
    promised = {line["id"]: line["digest"] for line in json_lines(out)[:-1] if line["status"] == "stored"}
    if code != 5 or len(err.strip().splitlines()) != 1:
        raise Violation(f"mediactl on a full disk: exit code {code}, and says: {err.strip()}")
    # A catalog that is opened takes 32 KiB for its shared memory, which there may not be: docs/reliability.md.
    if programs.mediactl_run(store, "--json", "ls")[0] != 5:
        check_store(programs, store, promised)
    disk.make_room()
    # The rest need not fit; but something more does, and nothing is lost.
    code, out, err = programs.mediactl_run(store, *command)
    lines = json_lines(out)[:-1]
    more = {line["id"]: line["digest"] for line in lines if line["status"] == "stored"}
    again = {line["id"] for line in lines if line["status"] == "duplicate"}
    if code not in (0, 5) or not more:
        raise Violation(f"there is room again, and mediactl takes nothing: exit code {code}: {err.strip()}")
    if code == 0 and not set(promised) <= again:
        raise Violation("what was stored is not known any more")
    promised.update(more)
    check_store(programs, store, promised)
    return len(promised)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.geteuid() != 0 and "CI" not in os.environ:
        print("skipped: only root may mount")
        sys.exit(77)
    programs = Programs(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
    # By size: more than fits into three quarters of it. By number: loose blobs, with their folders.
    megabytes = max(10, count * 3 // 25)
    files = max(90, 2 * count)
    broken = []
    with tempfile.TemporaryDirectory(prefix="libmedia-torture-") as folder:
        for what, limit, environment, options in (
            ("bytes", 0, {}, ()),
            ("files", files, {"MEDIA_SERVICE_STORAGE_PACK_BELOW": "0"}, ("--pack-below", "0")),
        ):
            with contextlib.suppress(FileNotFoundError):
                for name in os.listdir(os.path.join(folder, "source")):
                    os.unlink(os.path.join(folder, "source", name))
            for who, run, how in (("mediad", by_server, environment), ("mediactl", by_command, options)):
                with SmallDisk(folder, f"{what}-{who}", 512 if limit else megabytes, limit) as disk:
                    try:
                        print(f"{who}, no more {what} ({disk.kind}): {run(programs, disk, count, how)} kept (and refused)", flush=True)
                    except Violation as found:
                        broken.append(f"{who}, no more {what} ({disk.kind}): {found}")
        with SmallDisk(folder, "control", 256) as disk:
            print("control, as it must:", expect_violation("a disk that is large enough", lambda: by_server(programs, disk, 5, {})))
    for fault in broken:
        print(fault, file=sys.stderr)
    sys.exit(1 if broken else 0)


if __name__ == "__main__":
    main()
