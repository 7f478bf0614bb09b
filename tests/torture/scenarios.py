"""The ways in and out of a store that the sweeps go through. Each is done while faults are injected, checked, and then done to its end."""
import contextlib
import json
import os
import shutil
import sqlite3

from rig import Mediad, Violation, digest, json_lines, noise, png


# Claims of blobs that are being removed (their state is 2) lapse after a minute; their times are in milliseconds.
LAPSE = "UPDATE {} SET condemned_at = condemned_at - 61000 WHERE state = 2"


class Outcome:
    def __init__(self):
        self.promised = {}  # id -> digest, of everything that was acknowledged, also before
        self.gone = set()  # ids whose removal was acknowledged
        self.complete = False  # everything that was wanted was acknowledged
        self.refusals = []  # what was said instead: (code or status, words)
        self.crashed = None
        self.notes = {}


class Scenario:
    """`make` once; then for each fault `run` in a copy of what it made, and `finish` without faults."""

    def __init__(self, programs):
        self.programs = programs
        self.before = {}

    def store(self, folder):
        return os.path.join(folder, "store")

    def catalog(self, folder):
        """Options that say where the catalog is, if not in the store."""
        return ()

    def settings(self, folder):
        """The same for mediad."""
        return {}

    def fresh(self, template, folder):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(template, folder)

    def ingest(self, folder, name, *options):
        """Takes in a folder of the template's; id -> digest."""
        out = self.programs.must(self.store(folder), "--json", *self.catalog(folder), *options, "ingest", "--any", "--jobs", "1", os.path.join(folder, name))
        return {line["id"]: line["digest"] for line in json_lines(out)[:-1]}


def write_files(folder, contents):
    os.makedirs(folder, exist_ok=True)
    for name, content in contents.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(content)


class CliIngest(Scenario):
    """mediactl ingest, into a store that has something."""

    def __init__(self, programs, name, pack_below, contents, options):
        super().__init__(programs)
        self.name = name
        self.options = options
        self.contents = contents
        self.pack = ("--pack-below", str(pack_below))

    def make(self, folder):
        write_files(os.path.join(folder, "before"), {f"{i}.bin": noise(5000 + i, f"before{i}") for i in range(4)})
        write_files(os.path.join(folder, "in"), self.contents)
        self.before = self.ingest(folder, "before", *self.pack)

    def arguments(self, folder):
        return ("--json", *self.pack, *self.catalog(folder), "ingest", "--jobs", "1", *self.options, os.path.join(folder, "in"))

    def run(self, folder, inject):
        prefix = [*inject, "--under", self.store(folder), "--under", os.path.join(folder, "in")] if inject else []
        code, out, err = self.programs.mediactl_run(self.store(folder), *self.arguments(folder), prefix=prefix)
        outcome = Outcome()
        outcome.promised = dict(self.before)
        stored = 0
        for line in json_lines(out):
            if line.get("status") in ("stored", "duplicate"):
                stored += 1
                outcome.promised[line["id"]] = line["digest"]
            elif "status" in line:
                outcome.refusals.append((None, line["reason"]))
        outcome.complete = stored == len(self.contents) and code == 0
        if code != 0:
            outcome.refusals.append((code, err.strip()))
        if code == 0 and stored != len(self.contents):
            raise Violation(f"exit code 0, and {stored} of {len(self.contents)} files were stored: {out[-300:]}")
        if code >= 128 or code == 70:
            outcome.crashed = f"exit code {code}: {err.strip()[-300:]}"
        return outcome

    def finish(self, folder, outcome):
        again = self.run(folder, ())
        if not again.complete:
            raise Violation(f"the second run does not complete: {again.refusals}")
        for media, content in outcome.promised.items():
            if again.promised.get(media, content) != content:
                raise Violation(f"media {media} was acknowledged with other bytes")
        again.promised.update(outcome.promised)
        return again


class CliCollect(Scenario):
    """rm, and gc that removes what was condemned and rewrites the segments."""

    name = "collect"
    injected = 1  # into which of the two

    def make(self, folder):
        write_files(os.path.join(folder, "before"), {f"{i}.bin": noise(3000 + 7 * i, f"collect{i}") for i in range(24)})
        self.before = self.ingest(folder, "before")
        removed = sorted(self.before)[::2] + sorted(self.before)[1::4]
        store, catalog = self.store(folder), self.catalog(folder)
        self.programs.must(store, *catalog, "rm", *map(str, removed[:-1]))
        self.programs.must(store, *catalog, "gc", "--grace", "0s")
        self.last = removed[-1]
        self.before = {media: content for media, content in self.before.items() if media not in removed}
        self.removed = set(removed[:-1])

    def run(self, folder, inject):
        outcome = Outcome()
        outcome.promised = dict(self.before)
        outcome.gone = set(self.removed)
        prefix = [*inject, "--under", self.store(folder)] if inject else []
        outcome.complete = True
        for number, arguments in enumerate((("--json", "rm", str(self.last)), ("--json", "gc", "--grace", "0s"))):
            hit = prefix if number == self.injected else ()
            code, out, err = self.programs.mediactl_run(self.store(folder), *self.catalog(folder), *arguments, prefix=hit)
            if number == 0 and any(line.get("status") == "removed" for line in json_lines(out)):
                outcome.gone.add(self.last)
            if code != 0:
                outcome.complete = False
                outcome.refusals.append((code, err.strip()))
            if code >= 128 or code == 70:
                outcome.crashed = f"exit code {code}: {err.strip()[-300:]}"
                break
        return outcome

    def finish(self, folder, outcome):
        again = Outcome()
        again.promised = dict(outcome.promised)
        again.gone = outcome.gone | {self.last}
        if self.last not in outcome.gone:
            self.programs.mediactl_run(self.store(folder), *self.catalog(folder), "rm", str(self.last))
        self.programs.must(self.store(folder), *self.catalog(folder), "gc", "--grace", "0s")
        again.complete = True
        return again


class CliRemove(CliCollect):
    name = "remove"
    injected = 0


class CliErase(Scenario):
    """What an owner has, of which somebody else has some too. Where it says that it is complete, nothing of it is left in the store."""

    name = "erase"

    def make(self, folder):
        shared = {f"shared{i}.bin": noise(2500 + i, f"shared{i}") for i in range(3)}
        own = {f"own{i}.bin": noise(3000 + 7 * i, f"own{i}") for i in range(6)} | {"large.bin": noise(300_000, "own large")}
        write_files(os.path.join(folder, "others"), shared | {f"other{i}.bin": noise(2800 + i, f"other{i}") for i in range(3)})
        write_files(os.path.join(folder, "in"), shared | own)
        self.before = self.ingest(folder, "others")
        self.erased = self.ingest_for(folder, "in", "ada.lovelace")
        # Short enough to be on one block, and nothing else has it.
        self.traces = [content[at : at + 48] for content in own.values() for at in (0, len(content) // 2, len(content) - 48)]
        self.traces.append(b"ada.lovelace")
        if not self.traces_in(folder):
            raise Violation("what is to be erased is not found before: this rig cannot tell")

    def ingest_for(self, folder, name, owner):
        out = self.programs.must(
            self.store(folder), "--json", *self.catalog(folder), "ingest", "--any", "--jobs", "1", "--owner", owner, os.path.join(folder, name)
        )
        return {line["id"]: line["digest"] for line in json_lines(out)[:-1]}

    def traces_in(self, folder):
        """The files of the store that have a piece of what was to be erased."""
        found = []
        for at, _, names in os.walk(self.store(folder)):
            for name in names:
                with open(os.path.join(at, name), "rb") as file:
                    content = file.read()
                if any(trace in content for trace in self.traces):
                    found.append(os.path.relpath(os.path.join(at, name), self.store(folder)))
        return found

    def erase(self, folder, number, prefix):
        """Exit code, what was said, and whether it said that nothing is left."""
        receipt = os.path.join(folder, f"receipt{number}.json")
        arguments = ("--json", *self.catalog(folder), "erase", "--owner", "ada.lovelace", "--receipt", receipt)
        code, out, err = self.programs.mediactl_run(self.store(folder), *arguments, prefix=prefix)
        said = [line["summary"] for line in json_lines(out) if "summary" in line]
        complete = bool(said) and said[-1]["complete"] and said[-1]["left"] == 0
        if code == 0 and not complete and not (said and said[-1]["left"]):
            raise Violation(f"exit code 0, and it is not complete: {out[-300:]}")
        if complete:
            left = self.traces_in(folder)
            if left:
                raise Violation(f"said to be erased, and there is some of it in {left}")
            if code == 0:
                self.programs.must(self.store(folder), *self.catalog(folder), "receipt", "verify", receipt)
        return code, err.strip(), complete

    def run(self, folder, inject):
        outcome = Outcome()
        outcome.promised = dict(self.before)
        prefix = [*inject, "--under", self.store(folder)] if inject else []
        code, said, outcome.complete = self.erase(folder, 1, prefix)
        if outcome.complete:
            outcome.gone = set(self.erased)
        if code != 0:
            outcome.refusals.append((code, said))
        if code >= 128 or code == 70:
            outcome.crashed = f"exit code {code}: {said[-300:]}"
        return outcome

    def let_claims_lapse(self, folder):
        """As if a minute had passed: whoever claimed something is taken for dead."""
        with contextlib.closing(sqlite3.connect(os.path.join(self.store(folder), "catalog.db"))) as catalog, catalog:
            catalog.execute(LAPSE.format("blob"))

    def finish(self, folder, outcome):
        again = Outcome()
        again.promised = dict(outcome.promised)
        again.gone = set(self.erased)
        self.let_claims_lapse(folder)
        code, said, complete = self.erase(folder, 2, ())
        if not complete:
            raise Violation(f"the second erasure does not complete: exit code {code}: {said}")
        again.complete = True
        return again


class Http(Scenario):
    """What a client asks of mediad, step by step; counting begins when it is up."""

    def make(self, folder):
        write_files(os.path.join(folder, "before"), {f"{i}.bin": noise(5000 + i, f"before{i}") for i in range(4)})
        self.before = self.ingest(folder, "before")
        server = Mediad(self.programs, folder, self.store(folder), self.settings(folder))  # so that it has made what it makes once
        server.stop()
        self.small, self.large = png(60, self.name), png(420, self.name)

    def run(self, folder, inject):
        gate = os.path.join(folder, "gate")
        prefix = [*inject, "--under", self.store(folder), "--gate", gate] if inject else []
        outcome = Outcome()
        outcome.promised = dict(self.before)
        server = Mediad(self.programs, folder, self.store(folder), self.settings(folder), prefix)
        try:
            with open(gate, "wb"):
                pass
            outcome.complete = self.steps(server, outcome)
            if server.lives() and "--kill" not in inject:
                if not server.ask("GET", "/live"):
                    raise Violation("mediad runs, and does not answer")
                if "--ever" not in inject:
                    # The fault is over: the same process goes on.
                    again = self.steps(server, outcome)
                    if not again:
                        raise Violation(f"the same mediad does not take it after the fault: {outcome.refusals}")
                    outcome.complete = True
            elif not server.lives() and "--kill" not in inject:
                outcome.crashed = f"mediad ended with {server.process.returncode}: {server.log()}"
            if server.lives():
                code = server.stop()
                if code != 0 and not inject:
                    raise Violation(f"mediad stops with {code}")
        finally:
            server.kill()
        return outcome

    def finish(self, folder, outcome):
        server = Mediad(self.programs, folder, self.store(folder), self.settings(folder))
        try:
            outcome.refusals.clear()
            if not self.steps(server, outcome):
                raise Violation(f"it does not complete afterwards: {outcome.refusals}")
            for content in (self.small, self.large):
                media = [media for media, held in outcome.promised.items() if held == digest(content)]
                answer = server.ask("GET", f"/media/{media[0]}/download") if media else None
                if not answer or answer[0] != 200 or answer[2] != content:
                    raise Violation(f"the download is {answer and answer[0]}, or other bytes")
            if server.stop() != 0:
                raise Violation("mediad does not stop well")
        finally:
            server.kill()
        outcome.complete = True
        return outcome

    def refused(self, outcome, answer):
        if answer is not None:
            outcome.refusals.append((answer[0], answer[2][:300].decode(errors="replace")))


def path_of(url):
    return "/" + url.split("/", 3)[3]


class HttpPost(Http):
    name = "post"

    def steps(self, server, outcome):
        complete = True
        for name, content in (("small.png", self.small), ("large.png", self.large)):
            answer = server.ask("POST", "/media", content, {"Content-Type": "image/png", "X-Filename": name})
            if answer and answer[0] == 200:
                outcome.promised[json.loads(answer[2])["media_id"]] = digest(content)
            else:
                self.refused(outcome, answer)
                complete = False
        return complete


class HttpPresigned(Http):
    name = "presigned"

    def steps(self, server, outcome):
        complete = True
        for name, content in (("small.png", self.small), ("large.png", self.large)):
            promise = outcome.notes.get(name)
            if not promise:
                wanted = json.dumps({"filename": name, "content_type": "image/png", "file_size": len(content)})
                answer = server.ask("POST", "/media/upload-request", wanted, {"Content-Type": "application/json"})
                if not answer or answer[0] not in (200, 201):
                    self.refused(outcome, answer)
                    complete = False
                    continue
                promise = json.loads(answer[2])
                outcome.notes[name] = promise
                outcome.promised.setdefault(promise["media_id"], None)
            # The host may be another after a restart; it is not signed.
            answer = server.ask("PUT", path_of(promise["upload_url"]), content)
            if answer and answer[0] == 200:
                outcome.promised[promise["media_id"]] = digest(content)
            else:
                self.refused(outcome, answer)
                complete = False
        return complete


class HttpTus(Http):
    name = "tus"

    def steps(self, server, outcome):
        results = [self.upload(server, outcome, name, content) for name, content in (("small", self.small), ("large", self.large))]
        return all(results)

    def upload(self, server, outcome, name, content):
        fields = {"Tus-Resumable": "1.0.0"}
        state = outcome.notes.setdefault(name, {"offset": 0})
        if "path" not in state:
            answer = server.ask("POST", "/uploads", b"", {**fields, "Upload-Length": str(len(content))})
            if not answer or answer[0] != 201:
                self.refused(outcome, answer)
                return False
            state["path"] = path_of(answer[1]["Location"])
        while True:
            answer = server.ask("HEAD", state["path"], None, fields)
            if not answer or answer[0] != 200:
                self.refused(outcome, answer)
                if answer and answer[0] in (404, 410):
                    raise Violation(f"lost: the upload {name} at offset {state['offset']} is answered {answer[0]}")
                return False
            offset = int(answer[1]["Upload-Offset"])
            if offset < state["offset"]:
                raise Violation(f"lost: offset {state['offset']} was acknowledged, and now it is {offset}")
            state["offset"] = offset
            if answer[1]["Media-Id"]:
                outcome.promised[int(answer[1]["Media-Id"])] = digest(content)
                return True
            end = len(content) // 2 if offset < len(content) // 2 else len(content)
            if offset == len(content):
                raise Violation("all bytes are there, and there is no media")
            headers = {**fields, "Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            answer = server.ask("PATCH", state["path"], content[offset:end], headers)
            if not answer or answer[0] != 204:
                self.refused(outcome, answer)
                return False
            state["offset"] = int(answer[1]["Upload-Offset"])
            if answer[1]["Media-Id"]:
                outcome.promised[int(answer[1]["Media-Id"])] = digest(content)
                return True


def all_scenarios(programs):
    small = {f"{i}.bin": noise(2000 + 9 * i, f"small{i}") for i in range(3)}
    large = {"large.bin": noise(700_000, "large"), "little.bin": noise(900, "little")}
    pictures = {"one.png": png(48, "one"), "two.png": png(40, "two")}
    return {
        each.name: each
        for each in (
            CliIngest(programs, "loose", 0, large, ("--any",)),
            CliIngest(programs, "packed", 262144, small, ("--any",)),
            CliIngest(programs, "derivatives", 262144, pictures, ()),
            HttpPost(programs),
            HttpPresigned(programs),
            HttpTus(programs),
            CliRemove(programs),
            CliCollect(programs),
            CliErase(programs),
        )
    }
