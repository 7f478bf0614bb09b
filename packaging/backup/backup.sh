#!/bin/sh
# Backs a library in a folder up, while mediad and mediactl work on: backup.sh STORE BACKUP
#
# BACKUP is a folder, on another disk or machine's, that holds the catalog (catalog.db) and the blobs (store/) afterwards; run again, only
# what is new is copied. What it held before stays whole until the new one is. Wants mediactl and rsync, the right to write the store
# (its catalog is in use), and to be done within MEDIA_SERVICE_STORAGE_COLLECT_GRACE_SECONDS (a day). docs/backup.md says why it is done
# in this order. Exit code 0: the backup is complete.
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
for tool in mediactl rsync; do command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed"; done
[ -f "$store/catalog.db" ] || fail "there is no catalog in '$store': with PostgreSQL, see docs/backup.md"

# The copy has the media, and the key that signs URLs.
umask 077
mkdir -p "$backup/store"
exec 9>"$backup/lock"
flock -n 9 || fail "another backup to '$backup' is under way"

# Exit code 24: a file went away while it was copied. Collections do that.
copy() {
  code=0
  rsync --archive --exclude='/catalog.db*' --exclude=/temp/ --exclude=/uploads/ "$@" "$store/" "$backup/store/" || code=$?
  [ "$code" = 0 ] || [ "$code" = 24 ] || fail "the blobs could not be copied: rsync exits with $code"
}

rm -f "$backup/catalog.db.new"
mediactl --store "$store" --quiet backup "$backup/catalog.db.new" || fail "the catalog could not be copied"
copy
# What a collection moved from a segment that was not copied yet into one that was.
copy
sync --file-system "$backup"
mv "$backup/catalog.db.new" "$backup/catalog.db"
# Nothing of that catalog's needs what the store has no more. The last run brings what a collection moved during the one before it.
copy --delete-after
copy
date -u +%Y-%m-%dT%H:%M:%SZ >"$backup/finished-at"
sync --file-system "$backup"
