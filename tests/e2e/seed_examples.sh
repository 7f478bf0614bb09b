#!/bin/sh
# The calls that clients of the earlier service were given as examples, with the answers they were promised: seed_examples.sh MEDIAD PHOTO
# The URLs stand as they were printed; curl leads every host to the mediad that is started here.
set -eu

mediad=$(realpath "$1")
photo=$(realpath "$2")
python=$(python3 -c 'import sys; print(sys.executable)')  # past the launchers that version managers put before it
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
work=$(mktemp -d)
pid=
cleanup() {
  [ -z "$pid" ] || { kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null; } || true
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cd "$work"
cp "$photo" photo.jpg
cp "$photo" example-image.jpg

RUN_MODE=local MEDIA_SERVICE_SERVER_PORT=0 MEDIA_SERVICE_STORAGE_BASE_PATH="$work/media" MEDIA_SERVICE_LOGGING_LEVEL=warn \
  "$mediad" --port-file "$work/port" >"$work/log" 2>&1 &
pid=$!
tries=0
while [ ! -s port ]; do
  tries=$((tries + 1))
  if [ "$tries" -gt 300 ] || ! kill -0 "$pid" 2>/dev/null; then
    echo "mediad does not start:" >&2
    cat log >&2
    exit 1
  fi
  sleep 0.1
done
port=$(cat port)

failed=0
called=
fail() {
  echo "FAILED: $called: $*" >&2
  failed=$((failed + 1))
}

# call STATUS ARGUMENT of curl…: leaves the answer in `head` and `body`.
call() {
  wanted=$1
  shift
  called="curl $*"
  status=$(curl -sS --noproxy '*' --max-time 60 --connect-to "::127.0.0.1:$port" -D head -o body -w '%{http_code}' "$@") || fail "curl exits with $?"
  [ "$status" = "$wanted" ] || fail "status $status, not $wanted: $(head -c 500 body)"
}
# fields 'path:type[=value]' … of the last answer's body
fields() { "$python" "$here/seed_examples.py" body "$@" 2>faults || fail "$(cat faults)"; }
# header NAME PATTERN (of grep -E, for the whole value)
header() { tr -d '\r' <'head' | grep -qiE "^$1: ($2)\$" || fail "no $1 that is $2: $(grep -i "^$1:" head || true)"; }
json() { header Content-Type 'application/json(; *charset=utf-8)?'; }
# value PATH: of the last answer's body
value() { "$python" -c 'import functools, json, sys
print(functools.reduce(lambda at, step: at[int(step)] if isinstance(at, list) else at[step], sys.argv[2].split("."), json.load(open(sys.argv[1]))))' body "$1"; }
# refused ERROR: the one shape of every failure
refused() {
  json
  fields "error:text=$1" message:text request_id:text
}

media_fields() {
  fields "$1id:id" "$1content_hash:digest=$digest" "$1original_filename:text=$2" "$1media_type:text=image/jpeg" \
    "$1media_path:text=$path" "$1file_size:integer=$size" "$1processing_status:enum=Pending,Processing,Complete,Failed" \
    "$1uploaded_at:time" "$1updated_at:time"
}

size=$(wc -c <photo.jpg | tr -d ' ')
digest=$(sha256sum photo.jpg | cut -d' ' -f1)
path=$(echo "$digest" | sed -E 's,^(..)(..)(..).*,\1/\2/\3/&,')
base=http://localhost:3000/api/v1/media-management

# Health and readiness, at both addresses.
for host in localhost:3000 media-management.local; do
  call 200 "http://$host/api/v1/media-management/health"
  json
  fields status:text=healthy timestamp:time service:text=media-management-service version:text response_time_ms:integer \
    checks.database.status:text=healthy checks.database.response_time_ms:integer checks.storage.status:text=healthy \
    checks.storage.response_time_ms:integer checks.overall:text=healthy
  call 200 "http://$host/api/v1/media-management/ready"
  json
  fields status:text=ready timestamp:time service:text=media-management-service version:text response_time_ms:integer \
    checks.database.status:text=ready checks.database.response_time_ms:integer checks.storage.status:text=ready \
    checks.storage.response_time_ms:integer checks.overall:text=ready
done

# An upload in one request.
call 200 -F file=@example-image.jpg "$base/media/"
json
media_fields '' example-image.jpg
fields media_id:id upload_url:url deduplicated:boolean=false
first=$(value id)

# An upload by signed URL. The size is that of the photo here, and the call as it was printed comes after.
call 200 -X POST "http://localhost:3000/api/v1/media-management/media/upload-request" \
  -H "Content-Type: application/json" \
  -d "{\"filename\": \"photo.jpg\", \"content_type\": \"image/jpeg\", \"file_size\": $size}"
json
fields media_id:id upload_url:url upload_token:text expires_at:time status:text=Pending
second=$(value media_id)
url=$(value upload_url)
token=$(value upload_token)
echo "$url" | grep -qE "^$base/media/upload/$token\?signature=[0-9a-f]+&expires=[0-9]+&size=$size&type=image%2Fjpeg\$" ||
  fail "the URL has not the parts that clients know: $url"
"$python" - "$url" "$(value expires_at)" <<'PYTHON' || fail "expires and expires_at differ, or are not 15 minutes away"
import re, sys, time
from datetime import datetime
expires = int(re.search(r"expires=(\d+)", sys.argv[1])[1])
stated = datetime.fromisoformat(sys.argv[2].replace("Z", "+00:00")).timestamp()
sys.exit(not (abs(stated - expires) < 1.001 and abs(expires - time.time() - 900) < 60))
PYTHON

call 200 "$base/media/$second/status"
fields "media_id:id=$second" status:text=Pending progress:integer=0 error_message:null download_url:null processing_time_ms:null \
  completed_at:null
call 200 "$base/media/$second"
fields content_hash:null processing_status:text=Pending

call 401 -X PUT "$(echo "$url" | sed 's/signature=[0-9a-f]*/signature=def456/')" --data-binary @photo.jpg -H "Content-Type: image/jpeg"
refused Unauthorized
header WWW-Authenticate '.+'
call 401 -X PUT "$(echo "$url" | sed 's/expires=[0-9]*/expires=1704067200/')" --data-binary @photo.jpg -H "Content-Type: image/jpeg"
refused Unauthorized
call 401 -X PUT "$base/media/upload/upload_abc123?\
signature=def456&expires=1704067200&size=1048576&type=image%2Fjpeg" \
  --data-binary @photo.jpg \
  -H "Content-Type: image/jpeg"
refused Unauthorized
head -c 1000 photo.jpg >short
call 400 -X PUT "$url" --data-binary @short -H "Content-Type: image/jpeg"
refused 'Bad Request'

call 200 -X PUT "$url" --data-binary @photo.jpg -H "Content-Type: image/jpeg"
json
fields "media_id:id=$second" "content_hash:digest=$digest" processing_status:enum=Processing,Complete upload_url:null

call 200 -X POST "http://localhost:3000/api/v1/media-management/media/upload-request" \
  -H "Content-Type: application/json" \
  -d '{
    "filename": "photo.jpg",
    "content_type": "image/jpeg",
    "file_size": 2048576
  }'
json
fields media_id:id upload_url:url upload_token:text expires_at:time status:text=Pending

for body in \
  '{"filename": "example.exe", "content_type": "image/jpeg", "file_size": 1048576}' \
  '{"filename": "example.jpg", "content_type": "no type", "file_size": 1048576}' \
  '{"filename": "example.jpg", "content_type": "image/jpeg", "file_size": 1048576000000}' \
  '{"filename": "example.jpg", "content_type": "image/jpeg", "file_size": 0}' \
  '{"filename": "", "content_type": "image/jpeg", "file_size": 1048576}'; do
  call 400 -X POST "$base/media/upload-request" -H "Content-Type: application/json" -d "$body"
  refused 'Bad Request'
done

# The status, until the pictures are made.
tries=0
while :; do
  call 200 "http://localhost:3000/api/v1/media-management/media/$second/status"
  [ "$(value status)" = Processing ] || break
  fields progress:integer download_url:url error_message:null
  tries=$((tries + 1))
  [ "$tries" -lt 300 ] || break
  sleep 0.1
done
json
fields "media_id:id=$second" status:text=Complete progress:integer=100 error_message:null "download_url:url=$base/media/$second/download" \
  processing_time_ms:integer uploaded_at:time completed_at:time
call 404 "$base/media/4711/status"
refused 'Not Found'

# One media, at both addresses.
call 200 "http://localhost:3000/api/v1/media-management/media/$first"
json
media_fields '' example-image.jpg
fields "id:id=$first"
call 200 "http://media-management.local/api/v1/media-management/media/$first"
media_fields '' example-image.jpg
call 404 "http://localhost:3000/api/v1/media-management/media/123"
refused 'Not Found'
call 400 "$base/media/abc"
refused 'Bad Request'

# The list.
call 200 "http://localhost:3000/api/v1/media-management/media/"
json
fields data:array=3 pagination.next_cursor:null pagination.prev_cursor:null pagination.page_size:integer=3 pagination.has_next:boolean=false \
  pagination.has_prev:boolean=false "data.0.id:id=$first" "data.1.id:id=$second"
media_fields data.0. example-image.jpg
media_fields data.1. photo.jpg
for host in localhost:3000 media-management.local; do
  call 200 "http://$host/api/v1/media-management/media/?limit=25"
  fields data:array=3 pagination.page_size:integer=3
done
call 200 "http://localhost:3000/api/v1/media-management/media/?status=Complete&limit=10"
fields data.0.processing_status:text=Complete data.1.processing_status:text=Complete data:array=2 pagination.page_size:integer=2
call 200 "$base/media/?limit=1"
fields data:array=1 pagination.next_cursor:cursor pagination.page_size:integer=1 pagination.has_next:boolean=true pagination.has_prev:boolean=false
call 200 "$base/media/?limit=1&cursor=$(value pagination.next_cursor)"
fields "data.0.id:id=$second" pagination.next_cursor:cursor pagination.has_next:boolean=true pagination.has_prev:boolean=true
call 200 "http://localhost:3000/api/v1/media-management/media/?cursor=eyJpZCI6MTI0fQ=="
fields data:array=0 pagination.next_cursor:null pagination.page_size:integer=0 pagination.has_next:boolean=false pagination.has_prev:boolean=true
call 200 "http://localhost:3000/api/v1/media-management/media/?cursor=eyJpZCI6MTAwfQ==&limit=20&status=Complete"
fields data:array=0 pagination.has_next:boolean=false
for query in limit=0 limit=101 limit=x status=Done cursor=nonsense; do
  call 400 "$base/media/?$query"
  refused 'Bad Request'
done

# The original.
call 200 "$base/media/$first/download"
header Content-Type image/jpeg
header Content-Length "$size"
header Content-Disposition 'attachment; .*example-image\.jpg.*'
cmp -s body photo.jpg || fail "it is not what was uploaded"

# What belongs to a recipe.
for subject in recipe/42 recipe/42/ingredient/5 recipe/42/step/7; do
  call 200 "$base/media/$subject"
  json
  fields :array=0
  call 204 -X PUT "$base/media/$subject/media/$first"
  call 200 "$base/media/$subject"
  fields :array=1 "0:id=$first"
done

if [ "$failed" -gt 0 ]; then
  cat log >&2
  exit 1
fi
