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
for note in blobs tiers; do
  [ ! -e "$store/$note" ] || fail "'$store/$note' says that blobs are elsewhere, and this copies the folder alone: see docs/backup.md"
done
grace=${MEDIA_SERVICE_STORAGE_COLLECT_GRACE_SECONDS:-86400}
begun=$(date +%s)

# The copy has the media, and the key that signs URLs.
umask 077
mkdir -p "$backup/store"
exec 9>"$backup/lock"
flock -n 9 || fail "another backup to '$backup' is under way"

# What is replaced is kept: a file that was overwritten in the store may be the worse one.
previous=$(realpath "$backup")/previous/$(date -u +%Y%m%dT%H%M%SZ)
# copy INTO [OPTION…]: what is replaced or deleted goes to the folder INTO. Exit code 24: a file went away while it was copied. Collections do that.
copy() {
  into=$1
  shift
  code=0
  rsync --archive --exclude='/catalog.db*' --exclude=/temp/ --exclude=/uploads/ --exclude=/quarantine/ --exclude=/lost+found/ \
    --backup --backup-dir="$into" "$@" "$store/" "$backup/store/" || code=$?
  [ "$code" = 0 ] || [ "$code" = 24 ] || fail "the blobs could not be copied: rsync exits with $code"
}

# whole CATALOG: whether the copy has each blob of it, byte for byte. What lies there besides is no fault.
whole() {
  rm -f "$backup/store"/catalog.db*
  mediactl --store "$backup/store" --quiet restore "$1" || fail "the copied catalog cannot be opened"
  code=0
  mediactl --store "$backup/store" --json verify >"$backup/verified" || code=$?
  rm -f "$backup/store"/catalog.db*
  [ "$code" = 0 ] || [ "$code" = 1 ] || fail "the copy could not be verified: mediactl exits with $code"
  ! grep -Eq '"problem": ?"(damaged|missing)"' "$backup/verified"
}

rm -f "$backup/catalog.db.new"
mediactl --store "$store" --quiet backup "$backup/catalog.db.new" || fail "the catalog could not be copied"
copy "$previous"
# What a collection moved from a segment that was not copied yet into one that was.
copy "$previous"
[ $(($(date +%s) - begun)) -lt "$grace" ] || fail "it took longer than the grace time of collections: the former catalog stays"
whole "$backup/catalog.db.new" || fail "the copy lacks blobs of the catalog, or has them damaged ($backup/verified): the former catalog stays"
sync --file-system "$backup"
mv "$backup/catalog.db.new" "$backup/catalog.db"
# What the store has no more goes out of the way, unless the catalog needs it: then the store has lost something, and all of it stays.
copy "$previous.deleted" --delete-after
copy "$previous"
if [ -d "$previous.deleted" ] && ! whole "$backup/catalog.db"; then
  rsync --archive "$previous.deleted/" "$backup/store/" || fail "what the store lacks could not be put back from '$previous.deleted'"
  rm -rf "$previous.deleted"
  whole "$backup/catalog.db" || fail "the copy lacks blobs of the catalog, or has them damaged: $backup/verified"
  echo "backup.sh: the store has lost blobs that the backup has: mediactl --store '$store' verify --repair-from '$backup/store'" >&2
fi
date -u +%Y-%m-%dT%H:%M:%SZ >"$backup/finished-at"
sync --file-system "$backup"
