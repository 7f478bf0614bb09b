#!/bin/sh
# Builds the container image by podman, as root and without a daemon, and runs it as an operator would: image.sh SOURCE_FOLDER WORK_FOLDER [VIDEO]
# VIDEO is the argument of the build: ON unless said, or OFF.
# Its base, debian:bookworm-slim, is made by debootstrap from the mirror that this machine's apt uses, and kept in WORK_FOLDER for the next
# time, as are the objects that the build compiled (ccache); images and containers are not. The first time takes a quarter of an hour and more.
# shellcheck disable=SC2016 # formats of apt, dpkg and podman
set -eu

[ "$(id -u)" = 0 ] || { echo "image.sh: needs root" >&2; exit 1; }
source=$1 video=${3:-ON}
mkdir -p "$2"
kept=$(cd "$2" && pwd)
work=$(mktemp -d)
export CONTAINERS_STORAGE_CONF="$work/storage.conf"
name=mediad-$$
cleanup() {
  podman rm --force --time 1 "$name" >/dev/null 2>&1 || true
  # Layers are mounted by processes of fuse-overlayfs, which end with their mounts.
  awk -v below="$work/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do umount -l "$mounted" 2>/dev/null || true; done
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
say() { echo "== $*"; }
# On hybrid cgroups crun does not start, and without CAP_SYS_RESOURCE the engine's own limits are refused.
engine() { podman --runtime runc --cgroup-manager cgroupfs "$@"; }
limits="--network host --ulimit nofile=1024:1024 --ulimit nproc=1024:1024"

cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver = "overlay"
graphroot = "$work/graph"
runroot = "$work/run"
[storage.options.overlay]
mount_program = "$(command -v fuse-overlayfs)"
CONF

# What is left out is what Docker's own image leaves out; and nothing is started by an install.
make_base() {
  tree=$work/tree
  mirror=$(apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' | awk '$1 == "Packages" && $2 !~ /security/ { print $2; exit }')
  [ -n "$mirror" ] || fail "apt names no mirror here"
  mkdir "$tree"
  debootstrap --variant=minbase bookworm "$tree" "$mirror" >"$work/log" 2>&1 || { tail -5 "$work/log"; fail "debootstrap bookworm"; }
  security=$(apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' | awk '$1 == "Packages" && $2 ~ /debian-security/ { print $2; exit }')
  {
    echo "deb $mirror bookworm main"
    echo "deb $mirror bookworm-updates main"
    [ -z "$security" ] || echo "deb $security bookworm-security main"
  } >"$tree/etc/apt/sources.list"
  for rest in doc man locale info lintian; do
    echo "path-exclude /usr/share/$rest/*"
    find "$tree/usr/share/$rest" -mindepth 1 ! -type d ! -path '*/doc/*/copyright' -delete
  done >"$tree/etc/dpkg/dpkg.cfg.d/slim"
  echo 'path-include /usr/share/doc/*/copyright' >>"$tree/etc/dpkg/dpkg.cfg.d/slim"
  rm -rf "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/* "$tree"/var/log/*
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
  chmod 755 "$tree/usr/sbin/policy-rc.d"
  tar -C "$tree" -c . >"$kept/base.tar.part"
  mv "$kept/base.tar.part" "$kept/base.tar"
  rm -rf --one-file-system "$tree"
}

say "base"
[ -f "$kept/base.tar" ] || make_base
engine import -q "$kept/base.tar" docker.io/library/debian:bookworm-slim >/dev/null

say "build"
mkdir -p "$kept/ccache"
engine build --format docker --isolation chroot --network host --pull=never -v "$kept/ccache:/root/.cache/ccache" \
  --build-arg VIDEO="$video" -t libmedia "$source" \
  >"$kept/build.log" 2>&1 || { tail -30 "$kept/build.log"; fail "the image cannot be built"; }

say "what is in it"
inspect() { engine image inspect --format "$1" libmedia; }
[ "$(inspect '{{.Config.User}}')" = media ] || fail "it runs as $(inspect '{{.Config.User}}')"
[ "$(inspect '{{json .Config.Entrypoint}}')" = '["/usr/local/bin/mediad"]' ] || fail "its entry point is another one"
[ "$(inspect '{{json .Config.Healthcheck.Test}}')" = '["CMD","/usr/local/bin/mediad","--healthcheck"]' ] || fail "it has no health check"
[ "$(inspect '{{.Config.StopSignal}}')" = SIGTERM ] || fail "it is stopped otherwise"
inspect '{{json .Config.Env}}' | grep -q '"RUN_MODE=production"' || fail "it is not in production mode"
[ "$(inspect '{{json .Config.Volumes}}')" = '{"/app/media":{}}' ] || fail "its volume is another one"
# inside COMMAND…: in a container of its own, as the image's user.
# shellcheck disable=SC2086 # several words
inside() { engine run --rm --no-healthcheck $limits --read-only --cap-drop all --entrypoint "$1" libmedia $2; }
for tool in c++ cmake ninja git curl wget python3; do
  if inside which "$tool" >/dev/null 2>&1; then fail "$tool is in it"; fi
done
inside ls "/src /build /tmp/packaging" >"$work/left" 2>/dev/null || true
[ ! -s "$work/left" ] || fail "what it was built of is in it: $(head -3 "$work/left" | tr '\n' ' ')"

version=$(inside mediad --version | sed 's/.* //')
inside cat /usr/local/share/libmedia/sbom.cdx.json >"$work/sbom.json"
inside dpkg-query "-W -f \${Package}=\${Version}\n" | sort >"$work/packages"
jq -e --arg version "$version" '.bomFormat == "CycloneDX" and .specVersion == "1.5" and .metadata.component.version == $version
  and ([.components[] | select(.type == "application" and .name == "libmedia")] | length == 1 and .[0].version == $version)
  and ([.components[]."bom-ref"] | length == (unique | length))
  and all(.components[] | select(.type == "library"); .supplier.name != "" and (.purl | test("^pkg:deb/debian/[^@ ]+@[^? ]+\\?arch=(amd64|arm64|all)&distro=debian-12$")))' \
  "$work/sbom.json" >/dev/null || fail "the bill of materials is not what it should be"
jq -r '.components[] | select(.type == "library") | .name + "=" + .version' "$work/sbom.json" | sort >"$work/billed"
cmp -s "$work/packages" "$work/billed" || { diff "$work/packages" "$work/billed" | head -5; fail "the bill of materials is not what dpkg says"; }
echo "bill of materials: $(wc -l <"$work/billed") packages, libmedia $version"

say "run"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
api=http://127.0.0.1:$port/api/v1/media-management
photo=$source/docs/images/photo.jpg
# start: a new container on the volume.
start() {
  # shellcheck disable=SC2086 # several words
  engine run --detach --name "$name" $limits --read-only --cap-drop all --security-opt no-new-privileges --tmpfs /tmp \
    -v media:/app/media -e MEDIA_SERVICE_SERVER_HOST=127.0.0.1 -e MEDIA_SERVICE_SERVER_PORT="$port" -e MEDIA_SERVICE_MIDDLEWARE_AUTH_ENABLED=true \
    -e UPLOAD_URL_SECRET=6f1ed002ab5595859014ebf0951522d9 libmedia >/dev/null 2>"$work/err" || { cat "$work/err"; fail "it does not start"; }
  await
}
await() {
  i=0
  until engine exec "$name" mediad --healthcheck >"$work/health" 2>&1; do
    i=$((i + 1))
    if [ $i -ge 100 ] || [ "$(engine inspect --format '{{.State.Running}}' "$name")" != true ]; then
      engine logs "$name"
      fail "it does not become ready: $(cat "$work/health")"
    fi
    sleep 0.3
  done
}
start
pid=$(engine inspect --format '{{.State.Pid}}' "$name")
[ "$(awk '$1 == "Uid:" { print $2 $3 $4 $5 }' "/proc/$pid/status")" = 10001100011000110001 ] || fail "its process has another uid"
[ "$(awk '$1 ~ /^Cap(Prm|Eff|Bnd|Amb):/ { print $2 }' "/proc/$pid/status" | sort -u)" = 0000000000000000 ] || fail "it has capabilities"
[ "$(awk '$1 == "NoNewPrivs:" { print $2 }' "/proc/$pid/status")" = 1 ] || fail "it may gain privileges"
if engine exec "$name" touch /app/x 2>/dev/null || engine exec --user 0 "$name" touch /usr/x 2>/dev/null; then fail "its root can be written to"; fi

[ "$(curl -sS -o /dev/null -w '%{http_code}' -F "file=@$photo" "$api/media")" = 401 ] || fail "a stranger may upload"
engine healthcheck run "$name" >/dev/null || fail "the image's own health check fails"
key=$(engine exec "$name" mediactl --store /app/media apikey create --owner somebody 2>"$work/err") || { cat "$work/err"; fail "no API key"; }
ask() { curl -sSf --max-time 60 -H "Authorization: Bearer $key" "$@"; }
id=$(ask -F "file=@$photo" "$api/media" | jq .id)
ask -o /dev/null "$api/media/$id/status?wait=20"
[ "$(ask "$api/media/$id" | jq -r .processing_status)" = Complete ] || fail "the photo was not processed: $(ask "$api/media/$id")"
ask -H 'Accept: image/avif' -o "$work/thumb" "$api/media/$id/renditions/thumb"
[ "$(dd if="$work/thumb" bs=1 skip=4 count=8 2>/dev/null)" = ftypavif ] || fail "no AVIF was made"

# A film is kept with or without FFmpeg; its poster and another encoding are made with it, and without it said to be impossible.
film=$(ask -F "file=@$source/tests/fuzz/corpus/fuzz_video_derive/fragments.mp4" "$api/media" | jq .id)
ask -o /dev/null "$api/media/$film/status?wait=20"
[ "$(ask "$api/media/$film" | jq -r .processing_status)" = Complete ] || fail "the film was not processed: $(ask "$api/media/$film")"
posters=$(ask "$api/media/$film" | jq '.renditions | length')
order=$(curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $key" --json '{"format": "mp4", "w": 64}' "$api/media/$film/videos")
if [ "$video" = OFF ]; then
  [ "$posters $order" = "0 501" ] || fail "without FFmpeg there are $posters posters, and a video is answered $order"
  if inside ls /usr/local/libexec/libmedia/media-video-worker >/dev/null 2>&1; then fail "the worker for videos is in it"; fi
else
  if [ "$posters" = 0 ] || [ "$order" != 202 ]; then fail "of a film there are $posters posters, and a video is answered $order"; fi
fi

# The cage: every attempt refused in both workers, by locks that are named.
engine exec "$name" mediactl --json selftest >"$work/selftest" || { cat "$work/selftest"; fail "the cage does not hold in the container"; }
workers=$([ "$video" = OFF ] && echo 1 || echo 2)
jq -se --argjson workers "$workers" 'last.summary | .holds and .attempts == .refused and .attempts > 20 and (.workers | length == $workers)' "$work/selftest" >/dev/null ||
  { tail -1 "$work/selftest"; fail "the cage's own test says something else"; }
engine exec "$name" mediactl selftest | tail -1

say "stop, start, and another container on the same volume"
begun=$(date +%s)
engine stop --time 30 "$name" >/dev/null 2>&1
[ $(($(date +%s) - begun)) -lt 25 ] || fail "it took its whole time to stop"
[ "$(engine inspect --format '{{.State.ExitCode}}' "$name")" = 0 ] || { engine logs "$name" | tail -5; fail "it does not end in peace on SIGTERM"; }
engine start "$name" >/dev/null 2>"$work/err" || { cat "$work/err"; fail "it does not start again"; }
await
ask -o "$work/got" "$api/media/$id/download"
cmp "$work/got" "$photo"
engine rm --force --time 30 "$name" >/dev/null 2>&1
start
ask -o "$work/got" "$api/media/$id/download"
cmp "$work/got" "$photo"
engine exec "$name" mediactl --store /app/media verify | tail -1

say "size"
# Unpacked, by the files; the engine's own number has deleted ones of lower layers in it.
mebibytes() { echo "$(($1 / 1048576)) MiB"; }
mounted=$(engine image mount libmedia)
total=$(du -sxB1 "$mounted" | cut -f 1)
base=$(engine image mount docker.io/library/debian:bookworm-slim)
bottom=$(du -sxB1 "$base" | cut -f 1)
engine image umount --all >/dev/null
if [ "$video" = OFF ]; then
  echo "unpacked $(mebibytes "$total"): Debian $(mebibytes "$bottom"), the rest $(mebibytes $((total - bottom)))"
  [ "$total" -lt $((200 << 20)) ] || fail "it has 200 MiB or more"
  echo passed
  exit
fi
# What would go with FFmpeg's libraries, by dpkg's sizes.
# shellcheck disable=SC2086 # several words
engine run --rm --no-healthcheck $limits --user 0 --entrypoint sh libmedia -c 'gone=$(apt-get -s --auto-remove purge libavformat59 libavcodec59 libavutil57 libswresample4 libswscale6 | sed -n "s/^Purg \([^ ]*\) .*/\1/p")
  dpkg-query -W -f "\${Installed-Size}\n" $gone | awk "{ sum += \$1 } END { print sum * 1024, NR }"' >"$work/ffmpeg" 2>/dev/null
read -r ffmpeg number <"$work/ffmpeg"
echo "unpacked $(mebibytes "$total"): Debian $(mebibytes "$bottom"), FFmpeg and the $number packages that only it needs $(mebibytes "$ffmpeg"), the rest $(mebibytes $((total - bottom - ffmpeg)))"
echo passed
