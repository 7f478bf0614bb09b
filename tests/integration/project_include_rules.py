#!/usr/bin/env python3
"""Holds the include rules of docs/architecture.md: who may include whom.

    project_include_rules.py [FOLDER]      check a tree (default: the current folder); 1 where a rule is broken
    project_include_rules.py --self-test   plant one violation of each rule in a temp folder and see it found
"""
import os
import pathlib
import re
import sys
import tempfile

# Areas of libmedia/src, and which other areas each may include. Every area may include core and the public headers.
AREAS = {
    "core": set(),
    "sign": set(),
    "inspect": set(),
    "image": set(),
    "video": {"inspect", "image"},
    "store": set(),
    "repository": set(),
    "cage": {"inspect", "image", "video"},
    "library": {"sign", "inspect", "image", "video", "store", "repository", "cage"},
}
# What media-worker (libmedia/worker) may include: it is the cage's other half.
WORKER_AREAS = {"core", "inspect", "image", "video", "cage"}

# A header that matches is allowed below these folders only.
ONLY_IN = [
    ("httplib", re.compile(r"^httplib\b"), ["server/src/http/"]),
    ("libcurl", re.compile(r"^curl/"), ["server/src/web_client.cpp", "libmedia/src/store/s3_transport.cpp"]),
    ("prometheus-cpp", re.compile(r"^prometheus/"), ["server/src/telemetry/"]),
    ("SQL clients", re.compile(r"^(sqlite3|SQLiteCpp/|libpq-fe|libpq/|postgresql/|pqxx/)"), ["libmedia/src/repository/"]),
    ("FFmpeg", re.compile(r"^lib(av(codec|device|filter|format|util)|sw(scale|resample))/"), ["libmedia/src/video/"]),
]
# Fronts and examples see include/media, and their own files.
FRONTS = {"server/src/": "server/src", "cli/src/": "cli/src", "examples/": "examples", "tests/consumer/": "tests/consumer"}

# The public headers may include each other, the C++ standard library and tl/expected; C++ headers have no suffix.
PUBLIC = re.compile(r"^(media/[a-z0-9_]+\.hpp|tl/expected\.hpp|[a-z_0-9]+)$")
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^">]+)[">]')


def sources(root):
    for top in ("libmedia", "server", "cli", "examples", "tests"):
        for folder, folders, files in os.walk(root / top):
            folders.sort()
            for name in sorted(files):
                if name.endswith((".cpp", ".hpp", ".h", ".cc", ".ipp", ".inc")):
                    yield pathlib.Path(folder, name)


def includes(path):
    in_comment = False
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        if in_comment:
            in_comment = "*/" not in line
            continue
        if line.lstrip().startswith("/*") and "*/" not in line:
            in_comment = True
            continue
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(1) == '"', found.group(2)


def check_area(relative, target):
    """Why a file of libmedia may not include `target` ("area/file.hpp"), or None."""
    parts = relative.split("/")
    area = target.split("/")[0] if "/" in target else None
    if area not in AREAS:
        return None
    if relative.startswith("libmedia/worker/"):
        return None if area in WORKER_AREAS else f"media-worker may not include area {area}"
    if parts[:2] == ["libmedia", "src"] and parts[2] in AREAS:
        mine = parts[2]
        if area != mine and area != "core" and area not in AREAS[mine]:
            return f"area {mine} may not include area {area}"
    return None


def check_file(root, path):
    relative = path.relative_to(root).as_posix()
    for number, quoted, target in includes(path):
        where = f"{relative}:{number}"
        if not relative.startswith("tests/") or relative.startswith("tests/consumer/"):
            for what, pattern, folders in ONLY_IN:
                if pattern.match(target) and not relative.startswith(tuple(folders)):
                    yield f"{where}: {what} may be included in {', '.join(folders)} only ({target})"
        if relative.startswith("libmedia/include/") and not PUBLIC.match(target):
            yield f"{where}: a public header may include media/…, tl/expected.hpp and the C++ standard library only ({target})"
        # A path that climbs (../) is judged by where it ends.
        resolved = target
        if quoted:
            beside = pathlib.Path(os.path.normpath(path.parent / target))
            if beside.is_file():
                resolved = beside.relative_to(root).as_posix() if beside.is_relative_to(root) else str(beside)
        if relative.startswith("libmedia/"):
            if resolved.startswith(("server/", "cli/", "examples/")):
                yield f"{where}: the library may not include its fronts ({target})"
            inner = resolved.removeprefix("libmedia/src/")
            why = check_area(relative, inner)
            if why:
                yield f"{where}: {why} ({target})"
        for prefix, home in FRONTS.items():
            if not relative.startswith(prefix):
                continue
            outside = resolved.startswith(("libmedia/", "server/", "cli/", "examples/")) and not resolved.startswith(home + "/")
            area = target.split("/")[0] if "/" in target else None
            # "store/x.hpp" may be a folder of the front's own; it is an area only where the front has no such file.
            into_area = area in AREAS and not (root / home / target).is_file() and resolved == target
            if outside or into_area:
                yield f"{where}: {home} sees include/media only ({target})"


def check(root):
    found = []
    count = 0
    for path in sources(root):
        count += 1
        found.extend(check_file(root, path))
    return count, found


# A file, its include, and a word of the complaint; None where it is allowed.
PLANTED = [
    ("libmedia/src/store/a.cpp", '#include "image/pixels.hpp"', "area store may not include area image"),
    ("libmedia/src/store/b.cpp", '#include "core/errno_error.hpp"', None),
    ("libmedia/src/store/c.cpp", '#include "../image/pixels.hpp"', "area store may not include area image"),
    ("libmedia/src/core/a.cpp", '#include "store/a.hpp"', "area core may not include area store"),
    ("libmedia/src/cage/a.cpp", '#include "image/pixels.hpp"', None),
    ("libmedia/src/cage/b.cpp", '#include "library/a.hpp"', "area cage may not include area library"),
    ("libmedia/src/video/a.cpp", "#include <libavformat/avformat.h>", None),
    ("libmedia/src/image/a.cpp", "#include <libavutil/frame.h>", "FFmpeg may be included"),
    ("libmedia/src/image/b.cpp", "# include <SQLiteCpp/SQLiteCpp.h>", "SQL clients may be included"),
    ("libmedia/src/repository/a.cpp", "#include <sqlite3.h>", None),
    ("libmedia/src/library/a.cpp", '#include "repository/a.hpp"', None),
    ("libmedia/src/library/b.cpp", '#include "../../../server/src/config.hpp"', "may not include its fronts"),
    ("libmedia/worker/main.cpp", '#include "repository/a.hpp"', "media-worker may not include area repository"),
    ("libmedia/worker/ok.cpp", '#include "cage/a.hpp"', None),
    ("libmedia/include/media/a.hpp", "#include <openssl/evp.h>", "a public header may include"),
    ("libmedia/include/media/b.hpp", "#include <nlohmann/json.hpp>", "a public header may include"),
    ("libmedia/include/media/c.hpp", '#include "core/errno_error.hpp"', "a public header may include"),
    ("libmedia/include/media/d.hpp", "#include <sqlite3.h>", "a public header may include"),
    ("libmedia/include/media/ok.hpp", "#include <tl/expected.hpp>\n#include <vector>\n#include \"media/result.hpp\"", None),
    ("server/src/routes/a.cpp", "#include <httplib.h>", "httplib may be included"),
    ("server/src/http/a.cpp", "#include <httplib.h>", None),
    ("server/src/auth/a.cpp", "#include <curl/curl.h>", "libcurl may be included"),
    ("server/src/web_client.cpp", "#include <curl/curl.h>", None),
    ("server/src/routes/b.cpp", '#include "store/filesystem.hpp"', "server/src sees include/media only"),
    ("server/src/routes/c.cpp", '#include "../../../libmedia/src/store/a.hpp"', "server/src sees include/media only"),
    ("server/src/routes/d.cpp", "#include <media/library.hpp>", None),
    ("server/src/sign/ok.cpp", '#include "sign/own.hpp"', None),
    ("cli/src/a.cpp", '#include "library/library_impl.hpp"', "cli/src sees include/media only"),
    ("cli/src/b.cpp", '#include "../../server/src/config.hpp"', "cli/src sees include/media only"),
    ("examples/embed/a.cpp", "#include <core/random.hpp>", "examples sees include/media only"),
    ("examples/embed/b.cpp", "#include <sqlite3.h>", "SQL clients may be included"),
    ("tests/unit/a.cpp", "#include <sqlite3.h>", None),
    ("libmedia/src/store/d.cpp", "/* old:\n#include \"image/pixels.hpp\"\n*/\n// #include <httplib.h>", None),
]
PRESENT = ["libmedia/src/image/pixels.hpp", "libmedia/src/store/a.hpp", "server/src/config.hpp", "server/src/sign/own.hpp"]


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder).resolve()
        for name in PRESENT:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("#pragma once\n")
        for name, text, _ in PLANTED:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text + "\n")
        _, found = check(root)
        for name, text, word in PLANTED:
            mine = [line for line in found if line.startswith(name + ":")]
            if word is None and mine:
                failures.append(f"{name} is allowed, but: {mine}")
            if word is not None and not any(word in line for line in mine):
                failures.append(f"{name} ({text}) should say '{word}', but: {mine}")
    for line in failures:
        print(line)
    print(f"{len(PLANTED) - len(failures)} of {len(PLANTED)} planted includes judged as they should be")
    return 1 if failures else 0


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    count, found = check(root)
    for line in found:
        print(line)
    print(f"{count} sources, {len(found)} includes against the rules")
    return 1 if found or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
