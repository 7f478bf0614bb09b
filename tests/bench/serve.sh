#!/bin/bash
# Measures mediad with wrk in pairs with nginx on the same bytes: downloads against its sendfile, uploads against its own PUT, which
# neither hashes nor syncs. Pictures that are there already (warm) against nginx, too; pictures that nobody asked for before (cold) against node
# with sharp in as many processes as there are processors.
# Usage: serve.sh BUILD_FOLDER [SECONDS] [PART…]   parts: download idle upload warm cold (default: all but cold)
#
# cold wants BENCH_NPM, a folder with `npm install sharp` done in it. PHOTOS: the folder of its photos (Debian's wallpapers, of 8 to 25 megapixels).
# ROLE=api leaves the pictures of what is uploaded to workers that there are none of, as where other machines share the queue: storing
# alone is compared then. Generator and servers share the machine: a ratio says more than either figure. TMPDIR's disk is the one that counts.
# shellcheck disable=SC2016,SC2086 # programs of awk; the two sides of a pair are several words
set -euo pipefail

bin=$(CDPATH='' cd -- "$1" && pwd)/bin
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
seconds=${2:-5}
shift; shift || true
[ $# -gt 0 ] || set -- download idle upload warm
rounds=${ROUNDS:-5}
for tool in wrk /usr/sbin/nginx node curl; do command -v "$tool" >/dev/null || { echo "$tool is not installed" >&2; exit 1; }; done
work=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap cleanup EXIT

free_port() { node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close() })'; }
film() { node -e 'import(process.argv[1]).then((m) => m.writeFilm(process.argv[2], Number(process.argv[3])))' "$here/../e2e/node/film.mjs" "$1" "$2"; }

mkdir -p "$work/files" "$work/nginx" "$work/dav"
film "$work/files/1k.mp4" 1500
film "$work/files/100k.mp4" 100000
film "$work/files/10m.mp4" 10000000
film "$work/files/100m.mp4" 100000000

nginx_port=$(free_port)
cat >"$work/nginx/nginx.conf" <<CONF
daemon off; pid $work/nginx/pid; worker_processes 2; error_log $work/nginx/error.log warn; user $(id -un);
events { worker_connections 2048; }
http { access_log off; sendfile on; tcp_nopush off; keepalive_requests 1000000; client_max_body_size 0;
  client_body_temp_path $work/nginx/b; proxy_temp_path $work/nginx/p; fastcgi_temp_path $work/nginx/f; uwsgi_temp_path $work/nginx/u; scgi_temp_path $work/nginx/s;
  open_file_cache max=10000; open_file_cache_valid 60s; types { video/mp4 mp4; }
  server { listen 127.0.0.1:$nginx_port reuseport; root $work/files;
    location /dav/ { root $work; dav_methods PUT; create_full_put_path on; client_body_buffer_size 128k; } } }
CONF
/usr/sbin/nginx -p "$work/nginx" -c "$work/nginx/nginx.conf" &
pids+=($!)

# What cold asks for: widths about 320.
narrowest=200 widths=241
RUN_MODE=local MEDIA_SERVICE_SERVER_PORT=0 MEDIA_SERVICE_STORAGE_BASE_PATH="$work/store" MEDIA_SERVICE_LOGGING_LEVEL=error \
  MEDIA_SERVICE_PROCESSING_FREE_SIZES="$(seq -s , "$narrowest" $((narrowest + widths - 1)))" \
  "$bin/mediad" --role "${ROLE:-all}" --port-file "$work/port" &
mediad=$!
pids+=("$mediad")
while [ ! -s "$work/port" ]; do sleep 0.05; done
base=http://127.0.0.1:$(cat "$work/port")/api/v1/media-management
peer=http://127.0.0.1:$nginx_port

# one URL, and further arguments of wrk: "requests_a_second p99_in_ms bad"
load() {
  wrk -t1 -d "$seconds" --latency "$@" | awk '
    function ms(t) { return t ~ /us$/ ? t / 1000 : t ~ /ms$/ ? t + 0 : t * 1000 }
    /Requests\/sec/ { rate = $2 } /99%/ { p99 = ms($2) } /Non-2xx/ { bad = $5 } /Socket errors/ { bad += $4 + $6 + $8 + $10 }
    END { printf "%s %s %d\n", rate, p99, bad }'
}

# of an expression over the columns of the pairs
median() { awk "{ print $1 }" "$work/pairs" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }

# tell NAME PEER: the line of the pairs
tell() {
  printf '%-24s ours %9.0f/s p99 %7.2f ms   %s %9.0f/s p99 %7.2f ms   ours/%s %.2f   bad %d\n' "$1" \
    "$(median '$1')" "$(median '$2')" "$2" "$(median '$4')" "$(median '$5')" "$2" "$(median '$1/$4')" "$(awk '{ n += $3 + $6 } END { print n + 0 }' "$work/pairs")"
}

# pair NAME OURS THEIRS [ARGUMENT of wrk…]
pair() {
  local name=$1 ours=$2 theirs=$3
  shift 3
  : >"$work/pairs"
  for ((i = 0; i < rounds; ++i)); do
    echo "$(load "$@" $ours) $(load "$@" $theirs)" >>"$work/pairs"
  done
  tell "$name" nginx
}

resident() { awk '/VmHWM/ { printf "mediad: at most %.1f MiB resident\n", $2 / 1024 }' "/proc/$mediad/status"; }

download() {
  local name id=0
  for name in 1k 100k 10m; do
    curl -sSf -o /dev/null -F "file=@$work/files/$name.mp4" "$base/media"
    id=$((id + 1))
    cmp -s <(curl -sSf "$base/media/$id/download") "$work/files/$name.mp4" || { echo "media $id is another" >&2; exit 1; }
  done
  local tag etag
  tag=$(curl -sS -o /dev/null -D - "$base/media/2/download" | tr -d '\r' | sed -n 's/^etag: //Ip')
  etag=$(curl -sS -o /dev/null -D - "$peer/100k.mp4" | tr -d '\r' | sed -n 's/^etag: //Ip')
  pair "1 KB, c=64" "$base/media/1/download" "$peer/1k.mp4" -c64
  pair "100 KB, c=64" "$base/media/2/download" "$peer/100k.mp4" -c64
  pair "64 KB of 10 MB, c=64" "$base/media/3/download" "$peer/10m.mp4" -c64 -H 'Range: bytes=5000000-5065535'
  pair "10 MB, c=64" "$base/media/3/download" "$peer/10m.mp4" -c64
  # wrk takes a header as one word only.
  printf 'wrk.headers["If-None-Match"] = [[%s]]\n' "$tag" >"$work/ours.lua"
  printf 'wrk.headers["If-None-Match"] = [[%s]]\n' "$etag" >"$work/theirs.lua"
  pair "304, c=64" "-s $work/ours.lua $base/media/2/download" "-s $work/theirs.lua $peer/100k.mp4" -c64
  pair "1 KB, c=1000" "$base/media/1/download" "$peer/1k.mp4" -c1000
  resident
}

# 1,000 connections that do nothing, and one client that asks 1,000 times a second.
idle() {
  local id
  id=$(curl -sSf -F "file=@$work/files/1k.mp4" "$base/media" | sed -n 's/^{"id":\([0-9]*\).*/\1/p')
  : >"$work/pairs"
  for ((i = 0; i < rounds; ++i)); do
    echo "$(node "$here/paced.mjs" "$base/media/$id/download" 1000 "$seconds" 1000) $(node "$here/paced.mjs" "$peer/1k.mp4" 1000 "$seconds" 1000)" >>"$work/pairs"
  done
  printf '%-24s ours p50 %6.2f p99 %6.2f ms   nginx p50 %6.2f p99 %6.2f ms   ours/nginx p99 %.2f   bad %d\n' "1 KB beside 1,000 idle" \
    "$(median '$1')" "$(median '$2')" "$(median '$5')" "$(median '$6')" "$(median '$2/$6')" "$(awk '{ n += $3 + $7 } END { print n + 0 }' "$work/pairs")"
}

# What nginx was sent. Deleted here, it would slow down whoever makes files next (ext4 looks for inodes that were not just freed); still
# unwritten, it would be part of our syncs.
aside=0
put_aside() {
  aside=$((aside + 1))
  mv "$work/dav" "$work/aside$aside"
  mkdir -p "$work/dav"
  sync
}

upload() {
  cat >"$work/upload.lua" <<LUA
local file = io.open("$work/files/100k.mp4", "rb") local body = file:read("*a") file:close()
local head = string.sub(body, 1, #body - 32)
math.randomseed(os.time()) local run = math.random(1000000) local n = 0
local target, method
init = function(args) target = wrk.path method = args[1] end
request = function()
  n = n + 1
  local path = method == "PUT" and target .. run .. "-" .. n or target
  return wrk.format(method, path, {["Content-Type"] = "video/mp4", ["X-Filename"] = run .. "-" .. n .. ".mp4"}, head .. string.format("%016d%016d", run, n))
end
LUA
  local connections
  for connections in 8 64; do
    : >"$work/pairs"
    for ((i = 0; i < rounds; ++i)); do
      echo "$(load -c "$connections" -s "$work/upload.lua" "$base/media" -- POST) $(load -c "$connections" -s "$work/upload.lua" "$peer/dav/" -- PUT)" >>"$work/pairs"
      put_aside
    done
    tell "upload 100 KB, c=$connections" nginx
  done
  : >"$work/pairs"
  local k ours theirs
  for ((i = 0; i < rounds; ++i)); do
    for k in 1 2 3 4; do
      cp "$work/files/100m.mp4" "$work/big$k.mp4"
      printf '%08d%08d' "$i" "$k" | dd of="$work/big$k.mp4" bs=1 seek=99999984 conv=notrunc status=none
    done
    sync
    ours=$( (time -p (seq 4 | xargs -P2 -I{} curl -sSf -o /dev/null -X POST -H Expect: -H 'Content-Type: video/mp4' -H 'X-Filename: {}.mp4' -T "$work/big{}.mp4" "$base/media")) 2>&1 | awk '/real/ { print $2 }')
    sync
    theirs=$( (time -p (seq 4 | xargs -P2 -I{} curl -sSf -o /dev/null -H Expect: -T "$work/big{}.mp4" "$peer/dav/{}")) 2>&1 | awk '/real/ { print $2 }')
    echo "$ours $theirs" >>"$work/pairs"
    put_aside
  done
  awk '{ print 400 / $1, 400 / $2, $2 / $1 }' "$work/pairs" | sort -n -k3 | awk '{ a[NR] = $0 } END { split(a[int((NR + 1) / 2)], v, " ");
    printf "%-24s ours %7.0f MB/s   nginx %7.0f MB/s   ours/nginx %.2f\n", "upload 100 MB, 2 at once", v[1], v[2], v[3] }'
  resident
}

# upload_photo FILE: the id it got
upload_photo() { curl -sSf -F "file=@$1;type=image/jpeg" "$base/media" | sed -n 's/^{"id":\([0-9]*\).*/\1/p'; }

warm() {
  local id query='image?w=320&format=webp'
  id=$(upload_photo "$here/../../docs/images/photo.jpg")
  curl -sSf -o "$work/files/thumb.webp" "$base/media/$id/$query"
  cmp -s <(curl -sSf "$base/media/$id/$query") "$work/files/thumb.webp" || { echo "the picture of $id is another the second time" >&2; exit 1; }
  pair "320 px WebP, c=64" "$base/media/$id/$query" "$peer/thumb.webp" -c64
}

# The most memory that a process and its children had, added up; those that have ended are not among them.
memory_of() {
  local pid=$1 child
  awk '/VmHWM/ { print $2 }' "/proc/$pid/status"
  while read -r -d ' ' child; do memory_of "$child"; done < <(cat /proc/"$pid"/task/*/children)
}

cold() {
  local photos=${PHOTOS:-/usr/share/backgrounds} photo id connections format
  local ids=() names=()
  [ -d "${BENCH_NPM:-}/node_modules/sharp" ] || { echo "BENCH_NPM is no folder with \`npm install sharp\` done in it" >&2; exit 1; }
  for photo in "$photos"/*.jpg; do
    id=$(upload_photo "$photo") || { echo "$photo was not taken" >&2; continue; }
    curl -sSf -o /dev/null "$base/media/$id/status?wait=20" # The job of the upload is not part of it.
    ids+=("$id")
    names+=("$(basename "$photo")")
  done
  [ ${#ids[@]} -gt 0 ] || { echo "there is no photo in $photos" >&2; exit 1; }
  local port
  port=$(free_port)
  NODE_PATH="$BENCH_NPM/node_modules" node "$here/sharp_server.cjs" "$photos" "$port" "$(nproc)" &
  local node=$!
  pids+=("$node")
  until curl -sS -o /dev/null "http://127.0.0.1:$port/" 2>/dev/null; do sleep 0.1; done
  # Each request is for another photo; the next width comes when each photo had its turn.
  script() {
    cat >"$work/$1.lua" <<LUA
local names = { $2 }
local n = 0
init = function(args) n = tonumber(args[1]) end
request = function()
  local name = names[n % #names + 1]
  local width = $narrowest + math.floor(n / #names) * 67 % $widths
  n = n + 1
  return wrk.format("GET", string.format("$3", name, width))
end
LUA
  }
  local asked=0
  for format in jpeg webp; do
    script ours "$(printf '"%s", ' "${ids[@]}")" "/api/v1/media-management/media/%s/image?w=%d&format=$format"
    script theirs "$(printf '"%s", ' "${names[@]}")" "/%s?w=%d&format=$format"
    asked=0
    for connections in 2 16; do
      : >"$work/pairs"
      for ((i = 0; i < rounds; ++i)); do
        echo "$(load -c "$connections" -s "$work/ours.lua" "$base/" -- "$asked") $(load -c "$connections" -s "$work/theirs.lua" "http://127.0.0.1:$port/" -- "$asked")" >>"$work/pairs"
        # More than any machine makes in that time, so that none is asked for twice.
        asked=$((asked + seconds * 50 * $(nproc)))
      done
      tell "cold $format, c=$connections" sharp
      [ "$asked" -le $((widths * ${#ids[@]})) ] || echo "  too few photos for so many seconds and rounds: some pictures were there already" >&2
    done
  done
  echo "memory: mediad and its workers $(memory_of "$mediad" | awk '{ n += $1 } END { printf "%.0f", n / 1024 }') MiB, node $(memory_of "$node" | awk '{ n += $1 } END { printf "%.0f", n / 1024 }') MiB"
}

for part in "$@"; do "$part"; done
