"""What the programs of this folder share: the programs under test, a mediad to talk to, and what must hold of a store whatever happened."""
import contextlib
import hashlib
import http.client
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

API = "/api/v1/media-management"


class Violation(Exception):
    """A promise that was broken, or a rig that cannot tell."""


def quiet_environment(more=None):
    """Without a developer's own settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MEDIA_", "RUN_MODE", "POSTGRES_"))}
    # A sanitizer's leak checker cannot run under a tracer.
    environment["ASAN_OPTIONS"] = "detect_leaks=0"
    environment.update(more or {})
    return environment


def noise(size, seed):
    return random.Random(seed).randbytes(size)


def png(side, seed):
    """A picture that cannot be compressed; another one for each seed."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = 3 * side
    pixels = noise(row * side, seed)
    raw = b"".join(b"\0" + pixels[row * y : row * (y + 1)] for y in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw, 1)) + chunk(b"IEND", b"")


def digest(content):
    return hashlib.sha256(content).hexdigest()


@contextlib.contextmanager
def work_folder():
    """In memory where that is large enough: a sweep makes thousands of stores, and a killed process leaves the page cache as it is anyway."""
    place = None
    with contextlib.suppress(OSError):
        room = os.statvfs("/dev/shm")
        if room.f_bavail * room.f_frsize > 1 << 30 and os.access("/dev/shm", os.W_OK):
            place = "/dev/shm"
    folder = tempfile.mkdtemp(prefix="libmedia-torture-", dir=os.environ.get("TMPDIR") or place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Programs:
    def __init__(self, folder):
        folder = os.path.abspath(folder)  # they are started elsewhere
        self.mediactl, self.mediad, self.injector = (os.path.join(folder, name) for name in ("mediactl", "mediad", "fault_injector"))
        for program in (self.mediactl, self.mediad, self.injector):
            if not os.access(program, os.X_OK):
                sys.exit(f"{program} is missing: it is the folder of the built programs that is wanted")

    def mediactl_run(self, store, *arguments, environment=None, timeout=120, prefix=()):
        """Exit code, standard output, standard error."""
        command = [*prefix, self.mediactl, "--store", store, *arguments]
        try:
            ended = subprocess.run(command, env=quiet_environment(environment), capture_output=True, timeout=timeout, stdin=subprocess.DEVNULL, check=False)
        except subprocess.TimeoutExpired as late:
            raise Violation(f"{' '.join(arguments)} takes more than {timeout} s") from late
        code = ended.returncode if ended.returncode >= 0 else 128 - ended.returncode
        return code, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace")

    def must(self, store, *arguments, environment=None):
        code, out, err = self.mediactl_run(store, *arguments, environment=environment)
        if code != 0:
            raise Violation(f"mediactl {' '.join(arguments)}: exit code {code}: {err.strip()[-400:]}")
        return out


def json_lines(text):
    """Whole lines only: the last one may have been torn by a kill."""
    lines = []
    for line in text[: text.rfind("\n") + 1].splitlines():
        lines.append(json.loads(line))
    return lines


class Mediad:
    """A server on a port of its own. What it is asked answers (status, fields, body), or None where the connection broke."""

    def __init__(self, programs, folder, store, environment=None, prefix=()):
        self.folder = folder
        port_file = os.path.join(folder, "port")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(port_file)
        settings = {
            "RUN_MODE": "local",
            "MEDIA_SERVICE_SERVER_PORT": "0",
            "MEDIA_SERVICE_STORAGE_BASE_PATH": store,
            "MEDIA_SERVICE_PROCESSING_JOB_THREADS": "0",
            "MEDIA_SERVICE_LOGGING_LEVEL": "warn",
            "MEDIA_SERVICE_STORAGE_SCRUB_BYTES_PER_SECOND": "0",
        }
        settings.update(environment or {})
        self.log_path = os.path.join(folder, "mediad.log")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*prefix, programs.mediad, "--port-file", port_file],
                env=quiet_environment(settings), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder,
            )
        self.port = 0
        patience = time.monotonic() + 60
        while self.port == 0:
            with contextlib.suppress(FileNotFoundError, ValueError):
                with open(port_file, encoding="ascii") as file:
                    self.port = int(file.read())
            if self.process.poll() is not None or time.monotonic() > patience:
                self.kill()
                raise Violation(f"mediad does not start: {self.log()}")
            time.sleep(0.005)

    @property
    def pid(self):
        """Of mediad itself, also behind a tracer."""
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        with open(f"/proc/{self.process.pid}/comm", encoding="ascii") as file:
            return self.process.pid if file.read().strip() == "mediad" else int(children[0])

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()[-600:].strip()

    def ask(self, method, path, body=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path if path.startswith("/api") else API + path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except TimeoutError as late:
            raise Violation(f"{method} {path}: no answer in {timeout} s") from late
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def lives(self):
        return self.process.poll() is None

    def stop(self):
        """As an operator does; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Violation("mediad does not stop within 30 s") from None

    def kill(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


LOOSE = re.compile(r"^[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})$")


def torn_files(store):
    """Blobs in files of their own that are not what their names say, found without the library."""
    torn = []
    for folder, _, files in os.walk(store):
        for name in files:
            named = LOOSE.match(os.path.relpath(os.path.join(folder, name), store))
            if not named:
                continue
            with open(os.path.join(folder, name), "rb") as file:
                if digest(file.read()) != named.group(1):
                    torn.append(named.group(1))
    return torn


def verify(programs, store, catalog=()):
    code, out, err = programs.mediactl_run(store, *catalog, "verify", "--json")
    lines = json_lines(out)
    if code not in (0, 1) or not lines:
        raise Violation(f"the store cannot be verified: exit code {code}: {err.strip()[-300:]}")
    return lines[:-1], lines[-1]["summary"]


def check_store(programs, store, promised, gone=(), catalog=(), read=True):
    """promised: id -> digest of everything that was acknowledged; gone: ids whose removal was. Raises the first promise that is broken."""
    if not os.path.exists(store):
        if promised:
            raise Violation("lost: the whole store")
        return
    faults, summary = verify(programs, store, catalog)
    for fault in faults:
        if fault["problem"] != "stray":
            raise Violation(f"verify: {fault['problem']} {fault['digest']}: {fault['reason']}")
        if fault["digest"] in promised.values():
            raise Violation(f"lost: {fault['digest']} was acknowledged and is a stray")
        if fault["digest"] is None:
            raise Violation(f"a file that is no blob: {fault['location']}")
    if summary["damaged"] or summary["missing"]:
        raise Violation(f"verify counts faults that it does not name: {summary}")
    listed = {media["id"]: media["content_hash"] for media in json_lines(programs.must(store, *catalog, "ls", "--json"))[:-1]}
    for media, content in promised.items():
        if media not in listed:
            raise Violation(f"lost: media {media} was acknowledged")
        if content is not None and listed[media] != content:
            raise Violation(f"lost: media {media} was acknowledged with other bytes")
    for media in gone:
        if media in listed:
            raise Violation(f"media {media} is back, whose removal was acknowledged")
    torn = torn_files(store)
    if torn:
        raise Violation(f"torn: {torn[0]}")
    if read:
        for media, content in list(promised.items())[-3:]:
            if content is None:
                continue
            # Elsewhere than the store: that may be full.
            target = os.path.join(tempfile.gettempdir(), f"libmedia-torture-read-{os.getpid()}-{threading.get_ident()}")
            programs.must(store, *catalog, "--quiet", "cat", str(media), "-o", target)
            with open(target, "rb") as file:
                if digest(file.read()) != content:
                    raise Violation(f"media {media} is read with other bytes")
            os.unlink(target)
    database = os.path.join(store, "catalog.db")
    if os.path.exists(database):
        with contextlib.closing(sqlite3.connect(database)) as connection:
            said = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if said != "ok" or connection.execute("PRAGMA foreign_key_check").fetchone() is not None:
                raise Violation(f"the catalog is damaged: {said}")


def check_clean(programs, store, catalog=()):
    """Whatever a crash left is swept by what comes next: no temp files, no strays."""
    for _ in range(2):  # condemned, then removed
        programs.must(store, *catalog, "gc", "--grace", "0s")
    faults, _ = verify(programs, store, catalog)
    if faults:
        raise Violation(f"after a collection there still is a {faults[0]['problem']}: {faults[0]['location']}")
    temps = [os.path.join(at, name) for at, _, names in os.walk(os.path.join(store, "temp")) for name in names if "lock" not in name]
    if temps:
        raise Violation(f"a temp file is left: {temps[0]}")


def expect_violation(what, action):
    """A negative control: a rig that finds nothing here cannot tell."""
    try:
        action()
    except Violation as found:
        return str(found)
    sys.exit(f"the negative control found nothing wrong with {what}: this rig cannot tell")


def sampled(count, wanted):
    """Of 1 to count: all, or so many at equal distances, the first and the last among them."""
    if wanted is None or count <= wanted:
        return list(range(1, count + 1))
    if wanted == 1:
        return [(count + 1) // 2]
    return sorted({1 + round(i * (count - 1) / (wanted - 1)) for i in range(wanted)})
