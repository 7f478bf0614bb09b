#!/usr/bin/env python3
"""Metrics, alerts and dashboard against each other and a mediad that runs: monitoring.py SOURCE_FOLDER MEDIAD

Prometheus's own promtool judges a real answer of /metrics, the rules, and the rules' tests; every name that a rule or a panel asks for has to
be in that answer, and every alert has to be explained. Exit code 77, a skipped test, where there is no promtool; under CI that is a failure.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import yaml

API = "/api/v1/media-management"
# Functions, operators and label names aside, a word of an expression is a metric.
NOT_METRICS = set("""sum by rate increase min max count topk absent changes histogram_quantile offset without on and or unless
    status job instance method route le kind state problem outcome tier reason dependency version for""".split())


def cannot(reason):
    if os.environ.get("CI"):
        sys.exit(f"FAILED: {reason}, and CI is set")
    print(f"SKIPPED: {reason}", file=sys.stderr)
    sys.exit(77)


def promtool(*arguments, text=None):
    done = subprocess.run(["promtool", *arguments], input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"promtool {' '.join(arguments)}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


class Mediad:
    def __init__(self, program, folder):
        self.folder = folder
        port_file = os.path.join(folder, "port")
        environment = {"PATH": os.environ["PATH"], "RUN_MODE": "local", "MEDIA_SERVICE_SERVER_PORT": "0",
                       "MEDIA_SERVICE_STORAGE_BASE_PATH": os.path.join(folder, "store")}
        with open(os.path.join(folder, "log"), "wb") as log:
            self.process = subprocess.Popen([program, "--port-file", port_file], env=environment, cwd=folder, stdout=log, stderr=log)
        for _ in range(300):
            if os.path.exists(port_file):
                break
            assert self.process.poll() is None, "mediad does not start"
            time.sleep(0.1)
        with open(port_file, encoding="ascii") as file:
            self.base = f"http://127.0.0.1:{int(file.read())}"

    def call(self, path, body=None, headers=None):
        """The status and the body."""
        request = urllib.request.Request(self.base + path, data=body, headers=headers or {})
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            return answer.code, answer.read()

    def metrics(self):
        status, body = self.call("/metrics")
        assert status == 200
        return body.decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=30) == 0


def kill_workers(mediad):
    found = subprocess.run(["pgrep", "-P", str(mediad.process.pid), "-x", "media-worker"], capture_output=True, text=True, check=True)
    for pid in found.stdout.split():
        os.kill(int(pid), signal.SIGKILL)
    time.sleep(0.2)


def drive(mediad, photo):
    """So that every family has a series: an upload, a picture, a fault of the client's."""
    with open(photo, "rb") as file:
        content = file.read()
    status, body = mediad.call(API + "/media", content, {"Content-Type": "image/jpeg", "X-Filename": "photo.jpg"})
    assert status == 200, body
    media = json.loads(body)["id"]
    assert mediad.call(f"{API}/media/{media}/status?wait=20")[0] == 200
    assert mediad.call(f"{API}/media/{media}/image?w=320")[0] == 200
    kill_workers(mediad)
    assert mediad.call(f"{API}/media/{media}/image?w=320&format=webp")[0] == 200, "a worker that is killed between jobs is replaced unnoticed"
    assert mediad.call(f"{API}/media/{media}/download")[0] == 200
    assert mediad.call(f"{API}/media/999")[0] == 404


def names_of(text):
    """Of all series, with the endings of histograms."""
    return {re.match(r"[a-z_]+", line).group() for line in text.splitlines() if line and not line.startswith("#")}


def words_of(expression):
    expression = re.sub(r'"[^"]*"', "", expression)
    return {word for word in re.findall(r"[a-z_]+(?![a-z_(]*\()", re.sub(r"\[[^]]*\]", "", expression)) if word not in NOT_METRICS and "_" in word}


def value_of(text, series):
    found = [line.rsplit(" ", 1)[1] for line in text.splitlines() if line.rsplit(" ", 1)[0] == series]
    assert len(found) == 1, f"{series}: {found}"
    return float(found[0])


def metrics_when_kept(mediad, count):
    """A picture is handed out as soon as it is made, and kept in the moments after that."""
    deadline = time.monotonic() + 10
    while True:
        text = mediad.metrics()
        if value_of(text, 'media_derive_duration_seconds_count{format="jpeg",stage="keep"}') >= count or time.monotonic() > deadline:
            return text
        time.sleep(0.05)


def check_values(text, started):
    assert value_of(text, 'mediad_dependency_healthy{dependency="database"}') == 1
    assert value_of(text, 'mediad_dependency_healthy{dependency="storage"}') == 1
    assert value_of(text, 'media_jobs{kind="derive",state="dead"}') == 0
    assert value_of(text, 'media_jobs_waiting_seconds{kind="derive"}') >= 0
    assert 0 < value_of(text, "media_disk_available_bytes") < value_of(text, "media_disk_size_bytes")
    assert abs(value_of(text, "process_start_time_seconds") - started) < 15, (value_of(text, "process_start_time_seconds"), started)
    assert value_of(text, "process_resident_memory_bytes") > 1 << 20
    assert 5 < value_of(text, "process_open_fds") < value_of(text, "process_max_fds")
    assert 0 < value_of(text, "process_cpu_seconds_total") < 60
    assert value_of(text, 'media_worker_deaths_total{reason="killed",worker="picture"}') >= 1
    assert value_of(text, 'media_worker_deaths_total{reason="crashed",worker="picture"}') == 0
    assert value_of(text, 'media_ingest_duration_seconds_count{format="jpeg",stage="keep"}') == 1
    assert value_of(text, 'media_ingest_duration_seconds_count{format="jpeg",stage="admit"}') == 1
    # The presets at once, and two pictures on the fly.
    for stage in ("wait", "make", "keep"):
        assert value_of(text, f'media_derive_duration_seconds_count{{format="jpeg",stage="{stage}"}}') == 3, stage
    made = value_of(text, 'media_derive_duration_seconds_sum{format="jpeg",stage="make"}')
    assert 0.001 < made < 60, made


def check_broken_storage(mediad):
    shutil.rmtree(os.path.join(mediad.folder, "store", "temp"))
    time.sleep(1.1)  # answers a second old are given again
    text = mediad.metrics()
    assert value_of(text, 'mediad_dependency_healthy{dependency="storage"}') == 0
    assert value_of(text, 'mediad_dependency_healthy{dependency="database"}') == 1


def check_rules(source, known):
    folder = os.path.join(source, "packaging", "prometheus")
    rules = os.path.join(folder, "mediad.rules.yml")
    promtool("check", "rules", rules)
    with tempfile.TemporaryDirectory() as work:
        for name in ("mediad.rules.yml", "scrape.yml"):
            shutil.copy(os.path.join(folder, name), work)
        shutil.copy(os.path.join(source, "tests", "packaging", "alerts_test.yml"), work)
        promtool("check", "config", os.path.join(work, "scrape.yml"))
        promtool("test", "rules", os.path.join(work, "alerts_test.yml"))
    with open(rules, encoding="utf-8") as file:
        alerts = [rule for group in yaml.safe_load(file)["groups"] for rule in group["rules"]]
    with open(os.path.join(source, "tests", "packaging", "alerts_test.yml"), encoding="utf-8") as file:
        fired = {case["alertname"] for test in yaml.safe_load(file)["tests"] for case in test["alert_rule_test"] if case["exp_alerts"]}
    with open(os.path.join(source, "docs", "troubleshooting.md"), encoding="utf-8") as file:
        anchors = {line.lstrip("# ").strip().lower() for line in file if line.startswith("#")}
    for alert in alerts:
        name = alert["alert"]
        unknown = words_of(alert["expr"]) - known - {"up"}
        assert not unknown, f"alert {name}: no such metrics: {unknown}"
        assert name in fired, f"alert {name}: no test in which it fires"
        assert alert["annotations"]["runbook"] == f"docs/troubleshooting.md#{name.lower()}", name
        assert name.lower() in anchors, f"alert {name}: docs/troubleshooting.md has no such heading"
        assert alert["labels"]["severity"] in ("critical", "warning")
    return len(alerts)


def check_dashboard(source, known):
    with open(os.path.join(source, "packaging", "grafana", "mediad.json"), encoding="utf-8") as file:
        dashboard = json.load(file)
    asked = set()
    places = set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            assert (x, place["y"]) not in places and x < 24, f"panel {panel['title']} lies on another"
            places.add((x, place["y"]))
        for target in panel.get("targets", []):
            words = words_of(target["expr"])
            assert words, f"panel {panel['title']}: {target['expr']} asks for nothing"
            unknown = words - known
            assert not unknown, f"panel {panel['title']}: no such metrics: {unknown}"
            asked |= words
    # As the rules' expressions, by the same parser: a dashboard has none of its own that could be asked offline.
    expressions = [target["expr"].replace("$__rate_interval", "5m") for panel in dashboard["panels"] for target in panel.get("targets", [])]
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        yaml.safe_dump({"groups": [{"name": "panels", "rules": [{"record": f"panel:{n}", "expr": e} for n, e in enumerate(expressions)]}]}, file)
        file.flush()
        promtool("check", "rules", file.name)
    return len(expressions), asked


def check_documented(source, families):
    with open(os.path.join(source, "docs", "operations.md"), encoding="utf-8") as file:
        text = file.read()
    # The page joins relatives: `http_requests_active`, `…_queued`.
    missing = [name for name in families if f"`{name}`" not in text and not any(
        f"`…{name[at:]}`" in text for at in range(len(name)) if name[at] == "_")]
    assert not missing, f"docs/operations.md does not name: {missing}"


def main():
    source, program = sys.argv[1:]
    if shutil.which("promtool") is None:
        cannot("there is no promtool (packaging/deps/test.txt)")
    assert words_of('sum by (le) (rate(a_bucket{x_y="z_w"}[5m])) > 0') == {"a_bucket", "x_y"}
    with tempfile.TemporaryDirectory() as folder:
        started = time.time()
        mediad = Mediad(program, folder)
        try:
            drive(mediad, os.path.join(source, "docs", "images", "photo.jpg"))
            text = metrics_when_kept(mediad, 3)
            promtool("check", "metrics", text=text)
            check_values(text, started)
            check_broken_storage(mediad)
        finally:
            mediad.stop()
    known = names_of(text)
    check_documented(source, re.findall(r"^# TYPE (\S+)", text, re.M))
    alerts = check_rules(source, known)
    panels, asked = check_dashboard(source, known)
    print(f"{len(known)} names, {alerts} alerts, {panels} expressions of panels over {len(asked)} metrics")
    print("passed")


if __name__ == "__main__":
    main()
