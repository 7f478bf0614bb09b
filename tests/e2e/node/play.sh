#!/bin/sh
# play.sh SOURCE_FOLDER WORK_FOLDER MEDIAD SCREENSHOT_FOLDER: play.mjs with this machine's Chromium. Exit code 77, a skipped test, where
# there is none; under CI that is a failure.
set -eu
browser=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$browser" ]; then
  if [ -n "${CI:-}" ]; then
    echo "FAILED: there is no chromium, and CI is set" >&2
    exit 1
  fi
  echo "SKIPPED: there is no chromium (packaging/deps/test.txt)" >&2
  exit 77
fi
exec sh "$1/run.sh" "$1" "$2" play.mjs "$3" "$browser" "$4"
