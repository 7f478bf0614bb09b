#!/bin/sh
# packaging/systemd/mediad.service: systemd.sh SOURCE_FOLDER MEDIAD
# systemd reads it and judges its sandbox; and what mediad and its workers do, watched by strace, is what the sandbox lets them do. Exit
# code 77, a skipped test, where a tool is missing; under CI that is a failure.
set -eu

source=$1
mediad=$(realpath "$2")
unit=$source/packaging/systemd/mediad.service
photo=$source/docs/images/photo.jpg

cannot() {
  if [ -n "${CI:-}" ]; then
    echo "FAILED: $*, and CI is set" >&2
    exit 1
  fi
  echo "SKIPPED: $*" >&2
  exit 77
}
for tool in systemd-analyze strace curl python3; do command -v "$tool" >/dev/null 2>&1 || cannot "there is no $tool (packaging/deps/test.txt)"; done

work=$(mktemp -d)
pid=
cleanup() {
  if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then wait "$pid" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
fail() {
  echo "FAILED: $*" >&2
  tail -n 20 "$work/log" >&2 2>/dev/null || true
  exit 1
}

echo "what systemd says"
mkdir "$work/units"
sed "s,^ExecStart=/usr/bin/mediad,ExecStart=$mediad," "$unit" >"$work/units/mediad.service"
systemd-analyze verify --man=no "$work/units/mediad.service" >"$work/said" 2>&1 || fail "verify: $(cat "$work/said")"
[ ! -s "$work/said" ] || fail "verify: $(cat "$work/said")"
# 10 is wide open; what stays is what a server is for: sockets, and files of its own.
systemd-analyze security --offline=true --threshold=20 "$unit" >"$work/said" 2>&1 || fail "the sandbox is too wide: $(tail -n 1 "$work/said")"

echo "what mediad does"
"$mediad" --version >/dev/null
RUN_MODE=local MEDIA_SERVICE_SERVER_PORT=0 MEDIA_SERVICE_STORAGE_BASE_PATH="$work/store" \
  strace -f -qq -y -s 0 -o "$work/trace" "$mediad" --port-file "$work/port" >"$work/log" 2>&1 &
pid=$!
tries=0
until [ -s "$work/port" ]; do
  tries=$((tries + 1))
  { [ "$tries" -le 300 ] && kill -0 "$pid" 2>/dev/null; } || fail "mediad does not start"
  sleep 0.1
done
api=http://127.0.0.1:$(cat "$work/port")/api/v1/media-management
client() { curl -sS --noproxy '*' --fail --max-time 60 -o "$work/answer" "$@"; }
client -F "file=@$photo" "$api/media"
client "$api/media/1/status?wait=20"
client "$api/media/1/renditions/thumb"
client "$api/media/1/image?w=320"
client "$api/media/1/download"
client "$api/health"
# strace hands the signal on to mediad, which is its child.
kill -TERM "$(pgrep -P "$pid")"
wait "$pid" || fail "mediad ends with $?"
pid=
python3 "$source/tests/packaging/systemd_trace.py" "$unit" "$work/trace" "$work/store" "$work/port" || fail "mediad does what its unit forbids"
echo "passed"
