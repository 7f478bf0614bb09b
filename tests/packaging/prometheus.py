#!/usr/bin/env python3
"""Prometheus itself watches a mediad whose store becomes read-only, and says so: prometheus.py SOURCE_FOLDER MEDIAD

Scrape configuration and rules are those of packaging/prometheus, with seconds for their minutes. Alerts are read from Prometheus's own API:
none while all is well, those of a store that takes nothing, and none again. Exit code 77, a skipped test, where there is no prometheus; under
CI that is a failure.
"""
import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from monitoring import API, Mediad, cannot

PATIENCE_SECONDS = 30


def without_root_rights(program, folder):
    """A program that starts mediad such that the modes of files count for it, whoever runs this."""
    if os.geteuid() != 0:
        return program
    path = os.path.join(folder, "mediad-by-modes")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'#!/bin/sh\nexec setpriv --bounding-set -dac_override "{program}" "$@"\n')
    os.chmod(path, 0o755)
    return path


def set_writable(folder, writable):
    for place, _, _ in os.walk(folder):
        mode = stat.S_IMODE(os.stat(place).st_mode)
        os.chmod(place, mode | 0o200 if writable else mode & ~0o222)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def configure(source, folder, target):
    """The configuration that is shipped, quicker and for this target."""
    shipped = os.path.join(source, "packaging", "prometheus")
    with open(os.path.join(shipped, "mediad.rules.yml"), encoding="utf-8") as file:
        rules, waits = re.subn(r"\bfor: \d+m\b", "for: 1s", file.read())
    assert waits > 5, "the rules wait otherwise than this test thinks"
    with open(os.path.join(folder, "mediad.rules.yml"), "w", encoding="utf-8") as file:
        file.write(rules)
    with open(os.path.join(shipped, "scrape.yml"), encoding="utf-8") as file:
        text = file.read()
    quick = text.replace("scrape_interval: 30s", "scrape_interval: 1s").replace("127.0.0.1:3000", target)
    assert quick.count("scrape_interval: 1s") == 1 and quick.count(target) == 1
    path = os.path.join(folder, "prometheus.yml")
    with open(path, "w", encoding="utf-8") as file:
        file.write("global: {evaluation_interval: 1s}\n" + quick)
    return path


class Prometheus:
    def __init__(self, config, folder):
        port = free_port()
        self.base = f"http://127.0.0.1:{port}"
        self.log = os.path.join(folder, "prometheus.log")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["prometheus", "--config.file", config, "--storage.tsdb.path", os.path.join(folder, "series"),
                 "--web.listen-address", f"127.0.0.1:{port}"], cwd=folder, stdout=log, stderr=log)

    def ask(self, path):
        """`data` of an answer; None while there is none."""
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(self.base + path, timeout=10) as answer:
                return json.load(answer)["data"]
        except (urllib.error.URLError, ConnectionError):
            return None

    def firing(self):
        data = self.ask("/api/v1/alerts")
        assert data is not None, "Prometheus does not answer"
        return {(alert["labels"]["alertname"], alert["labels"].get("dependency")) for alert in data["alerts"] if alert["state"] == "firing"}

    def scrapes(self):
        data = self.ask('/api/v1/query?query=sum(sum_over_time(up%7Bjob%3D%22mediad%22%7D%5B1m%5D))')
        return float(data["result"][0]["value"][1]) if data and data["result"] else 0

    def wait(self, what, until):
        begun = time.monotonic()
        while not until():
            if self.process.poll() is not None or time.monotonic() - begun > PATIENCE_SECONDS:
                with open(self.log, encoding="utf-8") as log:
                    sys.exit(f"FAILED: {what}: not within {PATIENCE_SECONDS} s; alerts: {self.ask('/api/v1/alerts')}\n{log.read()[-2000:]}")
            time.sleep(0.2)
        return time.monotonic() - begun

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def main():
    source, program = sys.argv[1:]
    if shutil.which("prometheus") is None:
        cannot("there is no prometheus (packaging/deps/test.txt)")
    with open(os.path.join(source, "docs", "images", "photo.jpg"), "rb") as file:
        photo = file.read()
    with tempfile.TemporaryDirectory() as folder:
        mediad = Mediad(without_root_rights(os.path.realpath(program), folder), folder)
        store = os.path.join(folder, "store")
        prometheus = None
        try:
            prometheus = Prometheus(configure(source, folder, mediad.base.removeprefix("http://")), folder)
            prometheus.wait("five scrapes", lambda: prometheus.scrapes() >= 5)
            assert prometheus.firing() == set(), f"all is well, and yet: {prometheus.firing()}"
            headers = {"Content-Type": "image/jpeg", "X-Filename": "photo.jpg"}
            assert mediad.call(API + "/media", photo, headers)[0] == 200
            set_writable(store, False)
            # Another content, and too large for a segment: that would still be open for writing.
            status = mediad.call(API + "/media", photo + bytes(1 << 18), headers)[0]
            assert status >= 500, f"an upload into a store that takes nothing is answered {status}"
            broken = ("MediadDependencyFailing", "storage")
            took = prometheus.wait(str(broken), lambda: broken in prometheus.firing())
            others = prometheus.firing() - {broken, ("MediadErrors", None)}
            assert not others, f"alerts on what is well: {others}"
            set_writable(store, True)
            recovery = prometheus.wait("the end of the alert", lambda: broken not in prometheus.firing())
            assert mediad.call(API + "/media", photo + bytes(1 << 18), headers)[0] == 200
        finally:
            set_writable(store, True)
            if prometheus is not None:
                prometheus.stop()
            mediad.stop()
    print(f"fires after {took:.1f} s, ends after {recovery:.1f} s")
    print("passed")


if __name__ == "__main__":
    main()
