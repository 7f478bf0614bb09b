#!/usr/bin/env python3
"""How long a page of 50 media takes in a small and in a large catalog: over HTTP, and in the engine that keeps it.

usage: listing.py PROGRAMS [ROWS,ROWS,…]     PROGRAMS: the folder of mediad; 10000,100000,10000000 rows

Catalogs in SQLite and PostgreSQL are filled with copies of one media that was uploaded, one in a thousand of them failed. Pages begin at
random places, all of them and those of failed ones. The engine's own time is that of the same rows by sqlite3 of Python and by pgbench. The
disk that counts is the one of TMPDIR: ten million rows take about 9 GB of it, and some minutes to make.
"""
import base64
import os
import random
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "torture"))
from postgres import Postgres
from rig import Mediad, Programs, png

PAGE = 50
PAGES = 3000
FAILED = 3  # of MediaStatus, as rows have it
BASE = "/api/v1/media-management/media"
# Columns whose values differ from row to row; every other one is the template's.
SQLITE_VALUES = {"id": "n", "digest": "randomblob(32)", "filename": "CAST('IMG_' || n || '.png' AS BLOB)", "uploaded_at": "uploaded_at + n", "perceptual_hash": "random()",
                 "status": f"CASE n % 1000 WHEN 0 THEN {FAILED} ELSE status END"}
POSTGRES_VALUES = {"id": "n", "digest": "sha256(int8send(n))", "filename": "convert_to('IMG_' || n || '.png', 'UTF8')", "uploaded_at": "uploaded_at + n",
                   "perceptual_hash": "('x' || encode(substring(sha256(int8send(n)) FROM 1 FOR 8), 'hex'))::bit(64)::bigint", "status": f"CASE n % 1000 WHEN 0 THEN {FAILED} ELSE status END"}


def quantiles(times):
    times = sorted(times)
    return 1e6 * statistics.median(times), 1e6 * times[int(0.99 * len(times))]


def last_place(rows, failed):
    """Behind which there is a page left, or all of the few that there are."""
    return max(1, rows - (1000 if failed else 1) * (PAGE + 2))


class Client:
    """One connection that stays, and little of Python between the request and its answer."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def receive(self):
        piece = self.socket.recv(1 << 18)
        if not piece:
            sys.exit("mediad ended the connection")
        return piece

    def page(self, after, query=""):
        cursor = base64.b64encode(b'{"id":%d}' % after).decode().replace("=", "%3D").replace("+", "%2B").replace("/", "%2F")
        request = f"GET {BASE}?limit={PAGE}&cursor={cursor}{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
        begun = time.perf_counter()
        self.socket.sendall(request)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self.receive()
        head, _, body = answer.partition(b"\r\n\r\n")
        length = int(next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")).split(b":")[1])
        while len(body) < length:
            body += self.receive()
        took = time.perf_counter() - begun
        if not head.startswith(b"HTTP/1.1 200"):
            sys.exit(f"a page was answered by {head.splitlines()[0]}: {body[:300]}")
        return took, body.count(b'"content_hash"')


def over_http(port, rows, query):
    client = Client(port)
    draw = random.Random(1)
    ids = [draw.randrange(last_place(rows, bool(query))) for _ in range(PAGES + 200)]
    times = []
    for place in ids:
        took, count = client.page(place, query)
        if count != min(PAGE, rows // 1000 if query else rows):
            sys.exit(f"a page had {count} media")
        times.append(took)
    return quantiles(times[200:])


def in_sqlite(path, rows, failed):
    catalog = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    owner = catalog.execute("SELECT owner FROM media WHERE id = 1").fetchone()[0]
    status = f"AND status = {FAILED}" if failed else ""
    draw = random.Random(1)
    times = []
    for _ in range(PAGES + 200):
        after = draw.randrange(last_place(rows, failed))
        begun = time.perf_counter()
        catalog.execute(f"SELECT * FROM media WHERE owner = ? {status} AND id > ? ORDER BY id LIMIT {PAGE + 1}", (owner, after)).fetchall()
        times.append(time.perf_counter() - begun)
    return quantiles(times[200:])


def in_postgres(server, database, rows, failed, folder):
    status = f"AND status = {FAILED}" if failed else ""
    script = os.path.join(folder, "page.sql")
    with open(script, "w", encoding="ascii") as file:
        file.write(f"\\set after random(0, {last_place(rows, failed) - 1})\nSELECT * FROM media_item WHERE owner = (SELECT owner FROM media_item WHERE id = 1) {status} AND id > :after ORDER BY owner, id LIMIT {PAGE + 1};\n")
    os.chmod(folder, 0o755)
    log = os.path.join(folder, "page")
    subprocess.run(["pgbench", "-n", "-M", "prepared", "-f", script, "-t", str(PAGES + 200), "-l", f"--log-prefix={log}", "-h", server.folder, "-U", "postgres", database],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, "PATH": f"{server.bin}:{os.environ['PATH']}"})
    logs = [name for name in os.listdir(folder) if name.startswith("page.") and name != "page.sql"]
    with open(os.path.join(folder, logs[0]), encoding="ascii") as file:
        times = [int(line.split()[2]) / 1e6 for line in file]
    for name in logs:
        os.unlink(os.path.join(folder, name))
    return quantiles(times[200:])


def fill_sqlite(path, rows):
    catalog = sqlite3.connect(path)
    catalog.execute("PRAGMA synchronous = OFF")
    catalog.execute("PRAGMA cache_size = -2000000")
    columns = [row[1] for row in catalog.execute("PRAGMA table_info(media)")]
    values = ", ".join(SQLITE_VALUES.get(column, column) for column in columns)
    # The template is the row of id 1.
    for begin in range(2, rows + 1, 500_000):
        end = min(begin + 499_999, rows)
        catalog.execute(f"WITH RECURSIVE numbers(n) AS (SELECT {begin} UNION ALL SELECT n + 1 FROM numbers WHERE n < {end}) "
                        f"INSERT INTO media ({', '.join(columns)}) SELECT {values} FROM numbers, media WHERE media.id = 1")
        catalog.commit()
    catalog.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    catalog.close()


def fill_postgres(server, database, rows):
    listed = subprocess.run([f"{server.bin}/psql", "-At", "-h", server.folder, "-U", "postgres", "-d", database, "-c",
                             "SELECT column_name FROM information_schema.columns WHERE table_name = 'media_item' ORDER BY ordinal_position"], check=True, capture_output=True, text=True, cwd="/")
    columns = listed.stdout.split()
    values = ", ".join(POSTGRES_VALUES.get(column, column) for column in columns)
    server.ask("SET synchronous_commit = off", "ALTER TABLE media_item DISABLE TRIGGER USER",
               f"INSERT INTO media_item ({', '.join(columns)}) SELECT {values} FROM generate_series(2::bigint, {rows}) AS n, media_item WHERE media_item.id = 1",
               "ALTER TABLE media_item ENABLE TRIGGER USER", "VACUUM ANALYZE media_item", "CHECKPOINT", database=database)


def begin_store(programs, folder, settings):
    """A store with the one media that all others are copies of."""
    store = os.path.join(folder, "store")
    mediad = Mediad(programs, folder, store, settings)
    try:
        status, _, body = mediad.ask("POST", "/media", png(64, 1), {"Content-Type": "image/png", "X-Filename": "IMG_1.png"})
        if status != 200:
            sys.exit(f"the upload was answered by {status}: {body}")
    finally:
        mediad.stop()
    return store


def measure(name, programs, folder, store, settings, rows, engine):
    mediad = Mediad(programs, folder, store, settings)
    try:
        for what, query, failed in (("all", "", False), ("one in 1,000", "&status=Failed", True)):
            p50, p99 = over_http(mediad.port, rows, query)
            engine50, engine99 = engine(failed)
            print(f"{name:10} {rows:>10,} rows  {what:12}  HTTP p50 {p50:6.0f} us  p99 {p99:6.0f} us   engine p50 {engine50:6.0f} us  p99 {engine99:6.0f} us   HTTP/engine p99 {p99 / engine99:.2f}", flush=True)
            yield what, p99
    finally:
        mediad.stop()


def main():
    programs = Programs(os.path.abspath(sys.argv[1]))
    counts = [int(count) for count in (sys.argv[2] if len(sys.argv) > 2 else "10000,100000,10000000").split(",")]
    folder = tempfile.mkdtemp(prefix="libmedia-listing-")
    server = Postgres()
    server.ask("ALTER SYSTEM SET shared_buffers = '1GB'", "ALTER SYSTEM SET maintenance_work_mem = '512MB'", "ALTER SYSTEM SET max_wal_size = '8GB'")
    server.process.terminate()
    server.process.wait(60)
    server.start()
    p99s = {}
    try:
        for rows in counts:
            place = os.path.join(folder, f"sqlite-{rows}")
            os.mkdir(place)
            store = begin_store(programs, place, {})
            catalog = os.path.join(store, "catalog.db")
            fill_sqlite(catalog, rows)
            for what, p99 in measure("SQLite", programs, place, store, {}, rows, lambda failed: in_sqlite(catalog, rows, failed)):
                p99s.setdefault(("SQLite", what), []).append((rows, p99))
            shutil.rmtree(place)
        for rows in counts:
            place = os.path.join(folder, f"postgres-{rows}")
            os.mkdir(place)
            database = f"rows_{rows}"
            server.ask(f"CREATE DATABASE {database}")
            settings = {"POSTGRES_HOST": server.folder, "POSTGRES_USER": "postgres", "POSTGRES_DB": database, "POSTGRES_SCHEMA": "public"}
            store = begin_store(programs, place, settings)
            fill_postgres(server, database, rows)
            for what, p99 in measure("PostgreSQL", programs, place, store, settings, rows, lambda failed: in_postgres(server, database, rows, failed, place)):
                p99s.setdefault(("PostgreSQL", what), []).append((rows, p99))
            server.ask(f"DROP DATABASE {database}")
        for (engine, what), found in p99s.items():
            # Of catalogs that have a whole page of it.
            whole = [each for each in found if what == "all" or each[0] // 1000 >= PAGE]
            if len(whole) > 1:
                print(f"{engine}, {what}: p99 of {whole[-1][0]:,} rows {whole[-1][1] / whole[0][1]:.2f} times that of {whole[0][0]:,}")
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
