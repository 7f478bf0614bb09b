#!/bin/sh
# Lints docs/api/openapi.yaml with redocly, which is installed below the build folder from tests/api/node/package-lock.json.
# Usage: lint.sh SOURCE_DIR BUILD_DIR. Exit code 77, a skipped test: it cannot be had here; under CI that is a failure.
set -eu

source=$1
tools=$2/tests/api-lint
cannot() {
  if [ -n "${CI:-}" ]; then
    echo "FAILED: $*, so no redocly to lint with, and CI is set"
    exit 1
  fi
  echo "skipped: $*, so no redocly to lint with"
  exit 77
}
for program in node npm; do
  command -v "$program" >/dev/null 2>&1 || cannot "no $program here"
done
mkdir -p "$tools"
cp "$source/tests/api/node/package.json" "$source/tests/api/node/package-lock.json" "$tools"
cd "$tools"
if ! cmp -s package-lock.json node_modules/.installed-by-lint.json; then
  # No install scripts: nothing of what is installed needs one, and none of them should run here.
  if ! npm ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error >npm.log 2>&1; then
    cat npm.log
    if grep -Eq 'ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT|ENOTCACHED|SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY)' npm.log; then
      cannot "the package registry cannot be reached"
    fi
    exit 1
  fi
  cp package-lock.json node_modules/.installed-by-lint.json
fi
REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true NO_COLOR=1 \
  node_modules/.bin/redocly lint --config "$source/docs/api/redocly.yaml" --format=stylish "$source/docs/api/openapi.yaml" >lint.log 2>&1 || {
  cat lint.log
  exit 1
}
cat lint.log
# A warning is a fault as well: whoever means to leave a rule out says so in redocly.yaml.
if grep -q 'You have [0-9]* warning' lint.log; then exit 1; fi
