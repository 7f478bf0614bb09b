"""Holds docs/configuration.md and .env.example against the settings of mediad: settings_docs.py MEDIAD SOURCE_FOLDER [--write]

With --write (./dev docs) the table in docs/configuration.md is made anew. .env.example is written by hand: it names every variable, and
what it says without a comment mark is the default in local mode.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

BEGIN = "<!-- made by ./dev docs from server/src/config.cpp -->\n"
END = "<!-- end -->\n"


def run(mediad, argument, folder="/"):
    environment = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    environment["RUN_MODE"] = "local"
    return subprocess.run([mediad, argument], cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout


def with_table(text, table):
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        sys.exit(f"docs/configuration.md: the lines {BEGIN.strip()} and {END.strip()} are not there")
    return before + begin + table + end + after


def faults_of_example(mediad, example, table):
    known = set(re.findall(r"`([A-Z0-9_]+)`", "".join(line.split("|")[1] for line in table.splitlines()[2:])))
    lines = [re.fullmatch(r"(#?)([A-Z][A-Z0-9_]*)=(.*)", line) for line in example.splitlines()]
    named = [line[2] for line in lines if line]
    for name in sorted(known - set(named)):
        if not name.endswith("_FILE") or name.removesuffix("_FILE") not in known:
            yield f".env.example does not name {name}"
    for name in sorted(set(named) - known):
        yield f".env.example names {name}, which is no setting"
    for name in sorted(name for name in set(named) if named.count(name) > 1):
        yield f".env.example names {name} twice"
    with tempfile.TemporaryDirectory() as folder:
        usual = run(mediad, "--print-config", folder)
        pathlib.Path(folder, ".env.local").write_text(example, encoding="utf-8")
        said = run(mediad, "--print-config", folder)
    for before, after in zip(usual.splitlines(), said.splitlines(), strict=True):
        if before != after:
            yield f".env.example says {after}, but the default is {before}"


def main():
    mediad, source = os.path.abspath(sys.argv[1]), pathlib.Path(sys.argv[2])
    page = source / "docs" / "configuration.md"
    text = page.read_text(encoding="utf-8")
    table = run(mediad, "--list-settings")
    made = with_table(text, table)
    if "--write" in sys.argv[3:]:
        page.write_text(made, encoding="utf-8")
        text = made
    faults = list(faults_of_example(mediad, (source / ".env.example").read_text(encoding="utf-8"), table))
    if made != text:
        faults.append("docs/configuration.md is not what `mediad --list-settings` says; run ./dev docs")
    if faults:
        sys.exit("\n".join(faults))


main()
