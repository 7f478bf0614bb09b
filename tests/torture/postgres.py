"""A PostgreSQL server of a sweep's own, and the ways into a store whose catalog is there."""
import contextlib
import glob
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from rig import noise
from scenarios import LAPSE, CliCollect, CliErase, CliIngest, CliRemove, HttpPost


class Postgres:
    """Reached by a socket in its folder, and where it listens. Runs as an unprivileged user, as it must; ends with this process."""

    def __init__(self, listen="", port=5432, fsync=False):
        programs = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[4]))
        if not programs:
            sys.exit("PostgreSQL is missing: install the package postgresql (packaging/deps/test.txt)")
        self.bin = programs[-1]
        self.folder = tempfile.mkdtemp(prefix="libmedia-postgres-")
        self.user = ["setpriv", "--pdeathsig=QUIT"]
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            self.user += ["--reuid=postgres", "--regid=postgres", "--clear-groups"]
        data = os.path.join(self.folder, "data")
        initdb = [f"{self.bin}/initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        subprocess.run([*self.user, *initdb], check=True, stdout=subprocess.DEVNULL, cwd=self.folder)
        # Where it is not the server that is killed, what it does for its own durability would only take time.
        settings = ["-c", f"listen_addresses={listen}", "-c", f"port={port}", "-c", f"fsync={'on' if fsync else 'off'}", "-c", "max_connections=60"]
        self.command = [*self.user, f"{self.bin}/postgres", "-D", data, "-k", self.folder, *settings]
        self.port = port
        self.start()

    def start(self):
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, cwd=self.folder)
        for _ in range(600):
            if subprocess.run([f"{self.bin}/pg_isready", "-q", "-h", self.folder, "-p", str(self.port)], check=False).returncode == 0:
                return
            time.sleep(0.05)
        sys.exit("PostgreSQL does not start")

    def crash(self):
        """As `pg_ctl stop -m immediate` does: no checkpoint, and clients are thrown out."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def ask(self, *statements, database="postgres"):
        commands = [part for statement in statements for part in ("-c", statement)]
        subprocess.run([f"{self.bin}/psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port), "-U", "postgres", "-d", database, *commands], check=True, stderr=subprocess.DEVNULL, cwd="/")

    def stop(self):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class OnPostgres:
    """Mixed into a scenario: a database for each place, copied from the template's as its folder is."""

    def __init__(self, programs, server, *scenario):
        super().__init__(programs, *scenario)
        self.server = server

    def database(self, folder):
        return f"{self.name}_{os.path.basename(folder)}".replace("-", "_")

    def catalog(self, folder):
        return ("--catalog", f"host={self.server.folder} user=postgres dbname={self.database(folder)}")

    def settings(self, folder):
        return {"POSTGRES_HOST": self.server.folder, "POSTGRES_USER": "postgres", "POSTGRES_DB": self.database(folder)}

    def make(self, folder):
        self.server.ask(f"CREATE DATABASE {self.database(folder)}")
        super().make(folder)

    def fresh(self, template, folder):
        super().fresh(template, folder)
        self.server.ask(
            f"DROP DATABASE IF EXISTS {self.database(folder)} WITH (FORCE)", f"CREATE DATABASE {self.database(folder)} TEMPLATE {self.database(template)}"
        )


class PostgresIngest(OnPostgres, CliIngest):
    def __init__(self, programs, server):
        contents = {f"{i}.bin": noise(2000 + 9 * i, f"postgres{i}") for i in range(2)} | {"large.bin": noise(400_000, "postgres")}
        super().__init__(programs, server, "postgres-ingest", 262144, contents, ("--any",))


class PostgresPost(OnPostgres, HttpPost):
    name = "postgres-post"


class PostgresRemove(OnPostgres, CliRemove):
    name = "postgres-remove"


class PostgresCollect(OnPostgres, CliCollect):
    name = "postgres-collect"


class PostgresErase(OnPostgres, CliErase):
    """Of the rows PostgreSQL keeps what it has not vacuumed yet: it is the store's files that are looked through."""

    name = "postgres-erase"

    def let_claims_lapse(self, folder):
        self.server.ask(LAPSE.format("recipe_manager.media_blob"), database=self.database(folder))


KINDS = (PostgresPost, PostgresRemove, PostgresCollect, PostgresErase)
NAMES = ("postgres-ingest", *(kind.name for kind in KINDS))


def postgres_scenarios(programs, server):
    return {each.name: each for each in (PostgresIngest(programs, server), *(kind(programs, server) for kind in KINDS))}
