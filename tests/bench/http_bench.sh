#!/bin/bash
# Measures the HTTP engine with wrk on this machine: requests a second, and the server's own CPU per request (which is what the
# generator's share of the cores does not disturb). Usage: http_bench.sh PATH_TO_http_bench [SECONDS]
set -euo pipefail
server=$1
seconds=${2:-5}
command -v wrk >/dev/null || { echo "wrk is not installed" >&2; exit 1; }
coproc SERVER { exec "$server"; }
pid=$SERVER_PID
trap 'kill "$pid"' EXIT
read -r port <&"${SERVER[0]}"
ticks() { awk '{ print $14 + $15 }' "/proc/$pid/stat"; }
measure() {
  local name=$1; shift
  local before after out
  before=$(ticks)
  out=$(wrk -d "$seconds" --latency "$@")
  after=$(ticks)
  awk -v name="$name" -v ticks=$((after - before)) -v hz="$(getconf CLK_TCK)" '
    /requests in/ { requests = $1 }
    /Requests\/sec/ { rate = $2 }
    /Transfer\/sec/ { transfer = $2 }
    /99%/ { p99 = $2 }
    /Socket errors/ { errors = $0 }
    END { printf "%-16s %9.0f req/s  %8.1f us CPU/req  p99 %s  %s/s %s\n", name, rate, ticks / hz * 1e6 / requests, p99, transfer, errors }' <<<"$out"
}
measure "1k c=64" -t1 -c64 "http://127.0.0.1:$port/1k"
measure "1k c=256" -t1 -c256 "http://127.0.0.1:$port/1k"
measure "304 c=64" -t1 -c64 -H 'If-None-Match: "e"' "http://127.0.0.1:$port/1k"
measure "100k c=64" -t1 -c64 "http://127.0.0.1:$port/100k"
measure "64k of 10m" -t1 -c64 -H 'Range: bytes=5000000-5065535' "http://127.0.0.1:$port/10m"
measure "10m c=8" -t1 -c8 "http://127.0.0.1:$port/10m"
before=$(ticks)
head -c 1073741824 /dev/zero | curl -sS -o /dev/null -w 'upload of 1 GiB, hashed: %{time_total} s' -T - -H 'Expect:' "http://127.0.0.1:$port/store"
echo ", $(($(ticks) - before)) ticks of CPU"
grep -E 'VmHWM|Threads' "/proc/$pid/status"
