#!/bin/sh
# docker-compose.yml without an engine: compose.sh SOURCE_FOLDER BUILD_FOLDER MEDIAD
# Exit code 77, a skipped test, where there is no compose; under CI that is a failure.
set -eu

source=$1
mediad=$(realpath "$3")
work=$2/tests/packaging-compose
rm -rf "$work"
mkdir -p "$work"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
if docker compose version >/dev/null 2>&1; then
  compose() { docker compose --project-directory "$work" --file "$work/docker-compose.yml" "$@"; }
elif command -v docker-compose >/dev/null 2>&1; then
  compose() { docker-compose --project-directory "$work" --file "$work/docker-compose.yml" --env-file "$work/.env" "$@"; }
elif [ -n "${CI:-}" ]; then
  fail "there is no docker-compose (packaging/deps/test.txt), and CI is set"
else
  echo "SKIPPED: there is no docker-compose (packaging/deps/test.txt)" >&2
  exit 77
fi

cp "$source/docker-compose.yml" "$work/"
cp "$source/.env.compose.example" "$work/.env"
if compose config >"$work/config.yml" 2>"$work/err"; then fail "it starts without secrets"; fi
grep -q 'is not set, see .env.compose.example' "$work/err" || fail "it does not say what is missing: $(cat "$work/err")"
sed 's/^\([A-Z_0-9]*=\)$/\16f1ed002ab5595859014ebf0951522d9/' "$source/.env.compose.example" >"$work/.env"
compose config >"$work/config.yml" 2>"$work/err" || fail "the file is refused: $(cat "$work/err")"
python3 "$source/tests/packaging/compose_promises.py" "$work/config.yml" "$mediad" || fail "it does not keep its promises"
echo "passed"
