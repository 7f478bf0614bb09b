#!/bin/sh
# The Debian packages of a build: debian.sh BUILD_FOLDER SOURCE_FOLDER
# Makes them, looks at what they say and hold, and uses the programs out of a folder into which they were unpacked.
set -eu

build=$1 source=$2
work=$(mktemp -d)
server=
cleanup() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" || true
  fi
  rm -rf "$work"
}
trap cleanup EXIT

fail() {
  echo "$*" >&2
  exit 1
}
says() { dpkg-deb --field "$work/$1"_*.deb "$2"; }
has() { dpkg-deb --contents "$work/$1"_*.deb | awk '{ print substr($6, 2) }' | grep -qx -- "$2" || fail "$1 does not hold $2"; }

(cd "$work" && cpack --config "$build/CPackConfig.cmake" -B "$work/cpack") >"$work/cpack.log" 2>&1 || { cat "$work/cpack.log"; exit 1; }
mv "$work"/cpack/*.deb "$work"

echo "what they hold"
names=$(for file in "$work"/*.deb; do dpkg-deb --field "$file" Package; done | tr '\n' ' ')
case $names in
  "libmedia-dev libmedia-video libmedia0 mediactl mediad " | "libmedia-dev libmedia0 mediactl mediad ") ;;
  *) fail "other packages than expected: $names" ;;
esac
has libmedia0 '/usr/libexec/libmedia/media-worker'
has libmedia0 '/usr/lib.*/libmedia\.so\.[0-9.]*'
has libmedia-dev '/usr/include/media/library\.hpp'
has libmedia-dev '/usr/lib.*/libmedia\.a'
has mediactl '/usr/bin/mediactl'
has mediactl '/usr/share/man/man1/mediactl\.1\.gz'
has mediactl '/usr/share/bash-completion/completions/mediactl'
has mediad '/usr/bin/mediad'
has mediad '/etc/mediad/mediad\.env'
has mediad '/lib/systemd/system/mediad\.service'
has mediad '/usr/share/man/man8/mediad\.8\.gz'
for name in $names; do
  has "$name" "/usr/share/doc/$name/copyright"
  if dpkg-deb --contents "$work/$name"_*.deb | grep -vE '^[^ ]+ root/root '; then fail "$name has files that are not root's"; fi
  if dpkg-deb --contents "$work/$name"_*.deb | awk '{ print substr($6, 2) }' | grep -vE '^/(usr/|lib/|etc/|$)'; then fail "$name holds files in odd places"; fi
  [ -n "$(says "$name" Depends)" ] || fail "$name depends on nothing"
done

echo "what they need"
for name in libmedia0 mediactl mediad; do
  if says "$name" Depends | grep -q libavcodec; then fail "$name needs FFmpeg, which is for libmedia-video alone"; fi
done
case $names in *libmedia-video*) says libmedia-video Depends | grep -q libavcodec || fail "libmedia-video does not need FFmpeg" ;; esac
version=$(says libmedia0 Version)
for name in libmedia-dev mediactl mediad; do
  says "$name" Depends | grep -qF "libmedia0 (= $version)" || fail "$name does not need the libmedia0 that it was made with"
done
dpkg-deb --ctrl-tarfile "$work"/mediad_*.deb | tar -xOf - ./conffiles | grep -qx /etc/mediad/mediad.env || fail "an upgrade would overwrite mediad.env"
mkdir "$work/control"
dpkg-deb --control "$work"/mediad_*.deb "$work/control"
for script in postinst prerm postrm; do
  [ -x "$work/control/$script" ] || fail "mediad has no $script that can be run"
  shellcheck "$work/control/$script"
done

echo "out of a folder"
mkdir "$work/root"
for file in "$work"/*.deb; do dpkg-deb --extract "$file" "$work/root"; done
if readelf -S "$work/root/usr/bin/mediad" | grep -q '\.debug_info'; then fail "the programs are not stripped"; fi
mediactl=$work/root/usr/bin/mediactl
"$mediactl" --store "$work/store" --quiet ingest "$source/docs/images/photo.jpg"
"$mediactl" --store "$work/store" derive 1 -w 64 --format avif -o "$work/small.avif" >/dev/null
[ "$(head -c 12 "$work/small.avif" | tail -c 8)" = ftypavif ] || fail "no AVIF was made by the worker of the package"
RUN_MODE=local MEDIA_SERVICE_STORAGE_BASE_PATH="$work/store" MEDIA_SERVICE_SERVER_PORT=0 "$work/root/usr/bin/mediad" --port-file "$work/port" 2>"$work/mediad.log" &
server=$!
i=0
while [ ! -s "$work/port" ]; do
  i=$((i + 1))
  [ $i -lt 200 ] || { cat "$work/mediad.log"; fail "mediad does not start"; }
  sleep 0.1
done
curl -sSf -o "$work/got" "http://127.0.0.1:$(cat "$work/port")/api/v1/media-management/media/1/download"
cmp "$work/got" "$source/docs/images/photo.jpg"
echo ok
