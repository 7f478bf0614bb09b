#!/bin/sh
# Backs a library in a folder up, while mediad and mediactl work on: backup.sh STORE BACKUP
#
# BACKUP is a folder, on another disk or machine's, that holds the catalog (catalog.db), the blobs (store/) and the library's other small
# files (files/) afterwards. Run again, only what is new is copied, and nothing that was copied is ever replaced or removed: a blob that the
# library lost since is still there. Wants mediactl, the right to write the store (its catalog is in use), and to be done within
# MEDIA_SERVICE_STORAGE_COLLECT_GRACE_SECONDS (a day; say so here where it is shorter). docs/backup.md says why it is done in this order.
# Exit code 0: everything that the library has is in the backup, and whole. 1: what is wrong has been said.
set -eu

fail() {
  echo "backup.sh: $*" >&2
  exit 1
}
[ $# = 2 ] || {
  echo "usage: backup.sh STORE BACKUP" >&2
  exit 2
}
store=$1 backup=$2
grace=${MEDIA_SERVICE_STORAGE_COLLECT_GRACE_SECONDS:-86400}
command -v mediactl >/dev/null 2>&1 || fail "mediactl is not installed"
[ -f "$store/catalog.db" ] || fail "there is no catalog in '$store': with PostgreSQL, see docs/backup.md"
for note in blobs tiers; do
  [ ! -f "$store/$note" ] || fail "blobs of this library are elsewhere, as '$store/$note' says: see docs/backup.md"
done

# The copy has the media, and the key that signs URLs.
umask 077
mkdir -p "$backup/files"
exec 9>"$backup/lock"
flock -n 9 || fail "another backup to '$backup' is under way"

begun=$(date +%s)
rm -f "$backup/catalog.db.new"
mediactl --store "$store" --quiet backup "$backup/catalog.db.new" || fail "the catalog could not be copied"
# Exit code 1: some of the library's blobs are damaged. The others are copied.
code=0
mediactl --quiet sync "$store" "$backup/store" || code=$?
[ "$code" = 0 ] || [ "$code" = 1 ] || fail "the blobs could not be copied: mediactl sync exits with $code"
# Keys and notes.
find "$store" -maxdepth 1 -type f ! -name 'catalog.db*' -exec cp -p {} "$backup/files/" \; || fail "the library's small files could not be copied"
sync --file-system "$backup"
# What the catalog names may be gone before it was copied.
[ $(($(date +%s) - begun)) -lt "$grace" ] || fail "copying took longer than unreferenced blobs live on ($grace s); the catalog of the backup before stays"
mv "$backup/catalog.db.new" "$backup/catalog.db"
[ "$code" = 0 ] || fail "the library has damaged blobs, of which the backup keeps what it had: 'mediactl verify --repair-from $backup/store' brings those back"
date -u +%Y-%m-%dT%H:%M:%SZ >"$backup/finished-at"
sync --file-system "$backup"
