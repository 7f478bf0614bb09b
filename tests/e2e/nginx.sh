#!/bin/sh
# mediad behind the nginx configuration of packaging/nginx: nginx.sh MEDIAD CONFIGURATION PHOTO
# Exit code 77, a skipped test, where there is no nginx; under CI that is a failure.
set -eu

mediad=$(realpath "$1")
configuration=$(realpath "$2")
photo=$(realpath "$3")
PATH=$PATH:/usr/sbin

cannot() {
  if [ -n "${CI:-}" ]; then
    echo "FAILED: $*, and CI is set" >&2
    exit 1
  fi
  echo "SKIPPED: $*" >&2
  exit 77
}
for tool in nginx openssl curl; do command -v "$tool" >/dev/null 2>&1 || cannot "there is no $tool (packaging/deps/test.txt)"; done

work=$(mktemp -d)
chmod 755 "$work"
mediad_pid=
nginx_pid=
cleanup() {
  for pid in $nginx_pid $mediad_pid; do if kill "$pid" 2>/dev/null; then wait "$pid" 2>/dev/null || true; fi; done
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

fail() {
  echo "FAILED: $*" >&2
  tail -n 20 mediad.log nginx/error.log >&2 || true
  exit 1
}

base_path="$work/the store"  # whatever is in its name
RUN_MODE=local MEDIA_SERVICE_SERVER_PORT=0 MEDIA_SERVICE_STORAGE_BASE_PATH="$base_path" MEDIA_SERVICE_LOGGING_CONSOLE_FORMAT=json \
  MEDIA_SERVICE_STORAGE_PACK_BELOW=65536 MEDIA_SERVICE_SERVER_TRUSTED_PROXIES=127.0.0.1 MEDIA_SERVICE_SERVER_SENDFILE_HEADER=X-Accel-Redirect MEDIA_SERVICE_MIDDLEWARE_SECURITY_HSTS_MAX_AGE_SECONDS=31536000 \
  "$mediad" --port-file "$work/port" >mediad.log 2>&1 &
mediad_pid=$!
tries=0
until [ -s port ]; do
  tries=$((tries + 1))
  { [ "$tries" -le 300 ] && kill -0 "$mediad_pid" 2>/dev/null; } || fail "mediad does not start"
  sleep 0.1
done

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=media.example -addext subjectAltName=DNS:media.example \
  -keyout key.pem -out certificate.pem 2>/dev/null
mkdir nginx
# As it stands but for the addresses and paths, and inside what a distribution has around it.
start_nginx() {
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  sed -e "s,server 127\.0\.0\.1:3000;,server 127.0.0.1:$(cat port);," -e "s,listen 443 ssl,listen $port ssl," \
    -e "s,/etc/ssl/certs/media.example.pem,$work/certificate.pem," -e "s,/etc/ssl/private/media.example.key,$work/key.pem," \
    -e "s,/var/lib/mediad/,$base_path/," -e 's,alias \(.*\);,alias "\1";,' \
    -e "s,/var/log/nginx/mediad.log,$work/nginx/access.log," "$configuration" >mediad.conf
  cat >nginx.conf <<CONF
daemon off; pid $work/nginx/pid; error_log $work/nginx/error.log warn; worker_processes 1;
events { worker_connections 256; }
http { client_body_temp_path $work/nginx/body; proxy_temp_path $work/nginx/proxy; fastcgi_temp_path $work/nginx/f; uwsgi_temp_path $work/nginx/u;
  scgi_temp_path $work/nginx/s; include $work/mediad.conf; }
CONF
  nginx -p "$work/nginx" -c "$work/nginx.conf" &
  nginx_pid=$!
  base=https://media.example:$port/api/v1/media-management
  tries=0
  until client -o /dev/null "$base/live"; do
    tries=$((tries + 1))
    { [ "$tries" -le 100 ] && kill -0 "$nginx_pid" 2>/dev/null; } || return 1
    sleep 0.1
  done 2>/dev/null
}
# Another address of loopback than the proxy's, so that mediad can tell the two apart.
client() { curl -sS --noproxy '*' --max-time 60 --interface 127.0.0.2 --cacert certificate.pem --resolve "media.example:$port:127.0.0.1" "$@"; }
# status ARGUMENT of curl…: leaves the answer in `head` and `body`.
status() { client -D 'head' -o body -w '%{http_code}' "$@"; }
expect() {
  wanted=$1
  shift
  got=$(status "$@") || fail "curl exits with $? for $*"
  [ "$got" = "$wanted" ] || fail "status $got, not $wanted, for $*: $(head -c 400 body)"
}
field() { tr -d '\r' <'head' | sed -n "s/^$1: //Ip"; }
value() { python3 -c 'import json, sys; print(json.load(open("body"))[sys.argv[1]])' "$1"; }

start_nginx || start_nginx || fail "nginx does not start"  # somebody else may have taken the port

echo "uploads, and the URLs that are handed out"
expect 200 -F "file=@$photo" "$base/media"
id=$(value id)
[ "$(value upload_url)" = "$base/media/$id/download" ] || fail "the media's URL is $(value upload_url)"
[ -n "$(field Strict-Transport-Security)" ] || fail "mediad does not know that this is https"
size=$(wc -c <"$photo" | tr -d ' ')
expect 200 -H 'Content-Type: application/json' -d "{\"filename\": \"b.jpg\", \"content_type\": \"image/jpeg\", \"file_size\": $size}" "$base/media/upload-request"
url=$(value upload_url)
case $url in "$base/media/upload/"*) ;; *) fail "the upload's URL is $url" ;; esac
head -c 30000000 /dev/zero >zeros
expect 401 -T zeros "$(echo "$url" | sed 's/signature=[0-9a-f]*/signature=0/')"
truncate -s 600000000 hole
expect 413 -X POST -T hole -H 'Content-Type: image/jpeg' -H 'X-Filename: large.jpg' "$base/media"
[ -n "$(value message)" ] || fail "it is not mediad that says so"
expect 200 -T "$photo" "$url"

echo "downloads"
expect 200 "$base/media/$id/download"
cmp -s body "$photo" || fail "the download is not what was uploaded"
etag=$(field ETag)
expect 206 -r 1000-1999 "$base/media/$id/download"
tail -c +1001 "$photo" | head -c 1000 | cmp -s - body || fail "the range is not what was asked for"
[ "$(field Content-Range)" = "bytes 1000-1999/$size" ] || fail "Content-Range: $(field Content-Range)"
expect 206 -r 0-9,20-29 "$base/media/$id/download"
expect 416 -r "$size-" "$base/media/$id/download"
expect 304 -H "If-None-Match: $etag" "$base/media/$id/download"
modified=$(field Last-Modified)

echo "downloads that nginx sends itself, and says the same of"
# What mediad says to nginx, which is on 127.0.0.1; and to whoever else comes, to whom it sends the bytes.
direct=http://127.0.0.1:$(cat port)/api/v1/media-management/media/$id/download
got=$(curl -sS --noproxy '*' -D 'head' -o body -w '%{http_code}' "$direct")
[ "$got $(wc -c <body | tr -d ' ')" = "200 0" ] || fail "mediad sends $(wc -c <body) bytes to its proxy"
case $(field X-Accel-Redirect) in /media-blobs/[0-9a-f][0-9a-f]/*) ;; *) fail "X-Accel-Redirect: $(field X-Accel-Redirect)" ;; esac
got=$(curl -sS --noproxy '*' --interface 127.0.0.2 -D 'head' -o body -w '%{http_code}' "$direct")
{ cmp -s body "$photo" && [ -z "$(field X-Accel-Redirect)" ]; } || fail "mediad tells a stranger of its files"
ours=$(grep -iE '^(ETag|Last-Modified|Content-Type|Content-Disposition|Cache-Control|X-Content-Type-Options|Content-Security-Policy|Cross-Origin-Resource-Policy|Repr-Digest|Accept-Ranges|Content-Length):' 'head' | tr -d '\r' | sort -f)
expect 200 "$base/media/$id/download"
cmp -s body "$photo" || fail "the download is not what was uploaded"
theirs=$(grep -iE '^(ETag|Last-Modified|Content-Type|Content-Disposition|Cache-Control|X-Content-Type-Options|Content-Security-Policy|Cross-Origin-Resource-Policy|Repr-Digest|Accept-Ranges|Content-Length):' 'head' | tr -d '\r' | sort -f)
[ "$(echo "$ours" | tr '[:upper:]' '[:lower:]')" = "$(echo "$theirs" | tr '[:upper:]' '[:lower:]')" ] || fail "mediad says
$ours
and nginx
$theirs"
[ -z "$(field X-Accel-Redirect)" ] || fail "nginx passes on where files are"
expect 304 -H "If-Modified-Since: $modified" "$base/media/$id/download"
expect 412 -H 'If-Match: "another"' "$base/media/$id/download"
# With a state to compare, mediad sends the range.
expect 206 -r 1000-1999 -H "If-Range: $etag" "$base/media/$id/download"
expect 200 -r 1000-1999 -H 'If-Range: "another"' "$base/media/$id/download"
[ "$(client -o /dev/null -w '%{http_code} ' "https://media.example:$port/media-blobs/catalog.db")$(client -o /dev/null -w '%{http_code}' "https://media.example:$port/media-blobs/$(field ETag | tr -d '"' | sed 's,^\(..\)\(..\)\(..\),\1/\2/\3/&,')")" = "404 404" ] || fail "files are public"

expect 200 -I "$base/media/$id/download"
[ "$(field Content-Length)" = "$size" ] || fail "Content-Length of HEAD: $(field Content-Length)"
expect 200 "$base/media/$id/status?wait=20"
[ "$(value status)" = Complete ] || fail "the picture is $(value status)"
expect 200 -H 'Accept: image/webp' "$base/media/$id/renditions/thumb"
expect 200 --compressed "$base/media"

[ "$(client -o /dev/null -w '%{http_code} ' "$base/metrics")$(client -o /dev/null -w '%{http_code}' "$base/metrics/")" = "404 404" ] || fail "the metrics are public"

echo "a resumable upload that breaks off"
expect 201 -X POST -H 'Tus-Resumable: 1.0.0' -H 'Upload-Length: 60000000' -H "Upload-Metadata: filename $(printf a.mp4 | base64),filetype $(printf video/mp4 | base64)" "$base/uploads"
upload=$(field Location)
case $upload in "$base/uploads/"*) ;; *) fail "the upload's URL is $upload" ;; esac
if client --max-time 3 --limit-rate 2M -o /dev/null -X PATCH -H 'Tus-Resumable: 1.0.0' -H 'Upload-Offset: 0' \
  -H 'Content-Type: application/offset+octet-stream' --data-binary @zeros "$upload" 2>/dev/null; then fail "30 MB at 2 MB/s in 3 s"; fi
tries=0
while expect 200 -I -H 'Tus-Resumable: 1.0.0' "$upload" && [ "$(field Upload-Offset)" = 0 ]; do
  tries=$((tries + 1))
  [ "$tries" -lt 50 ] || fail "nothing was kept"
  sleep 0.1
done
offset=$(field Upload-Offset)
tail -c +$((offset + 1)) zeros >rest
expect 204 -X PATCH -H 'Tus-Resumable: 1.0.0' -H "Upload-Offset: $offset" -H 'Content-Type: application/offset+octet-stream' --data-binary @rest "$upload"
[ "$(field Upload-Offset)" = 30000000 ] || fail "Upload-Offset: $(field Upload-Offset)"
expect 204 -X DELETE -H 'Tus-Resumable: 1.0.0' "$upload"

echo "long fields, many requests, and who it was"
long=$(head -c 8000 /dev/zero | tr '\0' a)
expect 200 -H "Authorization: Bearer $long" "$base/media"
expect 200 -H 'X-Forwarded-For: 203.0.113.9' -H 'X-Forwarded-Proto: http' "$base/media?forged"
grep '"path":"/api/v1/media-management/media"' mediad.log | tail -n 1 | grep -q '"client":"127.0.0.2"' || fail "the client's address is not known: $(tail -n 1 mediad.log)"
if grep -q signature= nginx/access.log; then fail "a signature stands in nginx's log"; fi
grep -q "\"GET /api/v1/media-management/media/$id/download\" 206" nginx/access.log || fail "nginx's log lacks a request"
find nginx/body nginx/proxy -type f | grep -q . && fail "nginx kept bodies on its disk"
echo "passed"
