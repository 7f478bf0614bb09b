#!/bin/sh
# The rehearsal of packaging/backup: backup.sh SOURCE_FOLDER MEDIACTL MEDIAD
# A library in use is backed up, lost, and put back, by the very scripts that docs/backup.md names. Exit code 77, a skipped test, where a
# tool is missing; under CI that is a failure.
set -eu

source=$1
mediactl=$(realpath "$2")
mediad=$(realpath "$3")
PATH=$(dirname "$mediactl"):$PATH
backup() { sh "$source/packaging/backup/backup.sh" "$@"; }
restore() { sh "$source/packaging/backup/restore.sh" "$@"; }

for tool in curl sqlite3; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    if [ -n "${CI:-}" ]; then
      echo "FAILED: there is no $tool (packaging/deps/test.txt), and CI is set" >&2
      exit 1
    fi
    echo "SKIPPED: there is no $tool (packaging/deps/test.txt)" >&2
    exit 77
  fi
done
work=$(mktemp -d)
pid=
stop() {
  if [ -n "$pid" ] && kill "$pid" 2>/dev/null; then wait "$pid" 2>/dev/null || true; fi
  pid=
}
trap 'stop; rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
fail() {
  echo "FAILED: $*" >&2
  tail -n 20 "$work/log" "$work/said" >&2 2>/dev/null || true
  exit 1
}
start() {
  rm -f "$work/port"
  RUN_MODE=local MEDIA_SERVICE_SERVER_PORT=0 MEDIA_SERVICE_STORAGE_BASE_PATH="$work/store" "$mediad" --port-file "$work/port" >"$work/log" 2>&1 &
  pid=$!
  tries=0
  until [ -s "$work/port" ]; do
    tries=$((tries + 1))
    { [ "$tries" -le 300 ] && kill -0 "$pid" 2>/dev/null; } || fail "mediad does not start"
    sleep 0.1
  done
  api=http://127.0.0.1:$(cat "$work/port")/api/v1/media-management
}
client() { curl -sS --noproxy '*' --fail --max-time 60 "$@"; }
# upload FILE NAME: its id
upload() { client -F "file=@$1;filename=$2" "$api/media" | sed 's/.*"id":\([0-9]*\).*/\1/'; }

photo=$source/docs/images/photo.jpg
crops=$source/docs/images/crops.jpg
start
first=$(upload "$photo" first.jpg)
client -o /dev/null "$api/media/$first/status?wait=20"
client -o "$work/thumb" -H 'Accept: image/webp' "$api/media/$first/renditions/thumb"

echo "a backup while mediad runs, and one more of what has changed"
backup "$work/store" "$work/backup" >"$work/said" 2>&1 || fail "the first backup"
for file in catalog.db finished-at files/url-signing.key; do [ -s "$work/backup/$file" ] || fail "the backup has no $file"; done
[ "$(stat -c %a "$work/backup/catalog.db")" = 600 ] || fail "the backup is not private"
[ ! -e "$work/backup/store/catalog.db" ] || fail "the catalog in use was copied"
second=$(upload "$crops" second.jpg)
client -o /dev/null "$api/media/$second/status?wait=20"
backup "$work/store" "$work/backup" >"$work/said" 2>&1 || fail "the second backup"
# Beside the newest catalog lie bytes that it does not know, as if somebody had sent them while the backup was made.
mediactl --store "$work/other" ingest --no-renditions "$source/docs/images/result.jpg" >"$work/said" || fail "ingest"
other=$(mediactl --store "$work/other" info 1 --json | sed -n 's/.*"content_hash":"\([0-9a-f]*\)".*/\1/p')
place=$(echo "$other" | sed 's,^\(..\)\(..\)\(..\).*,\1/\2/\3,')
mkdir -p "$work/backup/store/$place"
cp "$source/docs/images/result.jpg" "$work/backup/store/$place/$other"

echo "what the library loses, the next backup does not lose too"
stop
cp -r "$work/store" "$work/hurt"
hash=$(mediactl --store "$work/hurt" info "$first" --json | sed -n 's/.*"content_hash":"\([0-9a-f]*\)".*/\1/p')
mediactl --store "$work/hurt" unpack >"$work/said" || fail "unpack"
blob=$(find "$work/hurt" -type f -name "$hash")
[ -n "$blob" ] || fail "the blob is not where it should be"
rm -f "$blob"
cp -r "$work/backup" "$work/kept"
backup "$work/hurt" "$work/kept" >"$work/said" 2>&1 || fail "the backup after a loss"
if mediactl --store "$work/hurt" verify >"$work/said" 2>&1; then fail "nothing was lost"; fi
mediactl --store "$work/hurt" verify --repair-from "$work/kept/store" >"$work/said" 2>&1 || true
mediactl --store "$work/hurt" verify >"$work/said" 2>&1 || fail "the lost blob did not come back"
# Bytes that rot are neither copied nor taken for whole.
blob=$(find "$work/hurt" -type f -name "$hash")
[ -n "$blob" ] || { mediactl --store "$work/hurt" unpack >"$work/said" && blob=$(find "$work/hurt" -type f -name "$hash"); }
chmod u+w "$blob"
printf 'rot' | dd of="$blob" bs=1 seek=900 conv=notrunc 2>/dev/null
if backup "$work/hurt" "$work/rotten" >"$work/said" 2>&1; then fail "a damaged blob was backed up"; fi
grep -q 'damaged blobs' "$work/said" || fail "no reason"
[ ! -e "$work/rotten/finished-at" ] || fail "a backup that is not whole says that it is"
# Where the blobs are elsewhere there is nothing to copy.
echo 's3://bucket' >"$work/hurt/blobs"
if backup "$work/hurt" "$work/elsewhere" 2>"$work/said"; then fail "a bucket's library was taken for backed up"; fi
grep -q 'elsewhere' "$work/said" || fail "no reason"

echo "everything is lost, and put back"
mkdir "$work/before" && mv "$work/store" "$work/before/" && mkdir -p "$work/store/lost+found"
restore "$work/backup" "$work/store" >"$work/said" 2>&1 || fail "the library did not come back whole"
start
client "$api/media/$first/download" | cmp - "$photo" || fail "the first photo is another"
client "$api/media/$second/download" | cmp - "$crops" || fail "the second photo is another"
client "$api/media/$first" | grep -q '"original_filename":"first.jpg"' || fail "the name is lost"
client -o "$work/thumb.again" -H 'Accept: image/webp' "$api/media/$first/renditions/thumb"
cmp "$work/thumb" "$work/thumb.again" || fail "the rendition is another"
client "$api/media/3/download" | cmp - "$source/docs/images/result.jpg" || fail "what came in during the backup is lost"
stop
mediactl --store "$work/store" verify >"$work/said" 2>&1 || fail "verify is not clean"

echo "what must not be taken for a backup, or for a place to put one"
if restore "$work/backup" "$work/store" 2>"$work/said"; then fail "a library was overwritten"; fi
grep -q 'is not empty' "$work/said" || fail "no reason"
if restore "$work" "$work/new" 2>"$work/said"; then fail "any folder is a backup"; fi
grep -q 'is no backup' "$work/said" || fail "no reason"
if backup "$work/nothing" "$work/backup" 2>"$work/said"; then fail "nothing was backed up"; fi
# A backup that is damaged is noticed.
cp -r "$work/backup" "$work/damaged"
largest=$(find "$work/damaged/store" -type f -size +1k -printf '%s %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2-)
printf 'x' | dd of="$largest" bs=1 seek=700 conv=notrunc 2>/dev/null
if restore "$work/damaged" "$work/new" >"$work/said" 2>&1; then fail "a damaged backup was taken for whole"; fi
grep -q 'the library is not whole' "$work/said" || fail "no reason: $(cat "$work/said")"
echo "passed"
