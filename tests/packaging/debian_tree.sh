#!/bin/sh
# Installs the Debian packages in a fresh tree, uses them there as a stranger would, and purges them again:
# debian_tree.sh SUITE PACKAGES_FOLDER SOURCE_FOLDER    as root; SUITE is the release that they were built on (bookworm, trixie)
# The tree is made by debootstrap from the mirror that this machine's apt uses, which takes a minute or two.
# shellcheck disable=SC2016,SC2086 # formats of apt and dpkg; commands of several words
set -eu

suite=$1 packages=$2 source=$3
[ "$(id -u)" = 0 ] || { echo "debian_tree.sh: needs root" >&2; exit 1; }
work=$(mktemp -d)
tree=$work/tree
server=
cleanup() {
  if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
  for mounted in proc dev; do umount "$tree/$mounted" 2>/dev/null || umount -l "$tree/$mounted" 2>/dev/null || true; done
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT

fail() {
  echo "$*" >&2
  exit 1
}
clean="env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive"
in_tree() { $clean chroot "$tree" "$@"; }

mirror=$(apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' | awk '$1 == "Packages" && $2 !~ /security/ { print $2; exit }')
[ -n "$mirror" ] || fail "apt names no mirror here"
mkdir "$tree"
debootstrap --variant=minbase "$suite" "$tree" "$mirror" >"$work/debootstrap.log" 2>&1 || { tail -5 "$work/debootstrap.log"; fail "debootstrap $suite"; }
cp /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null || true
cp -r /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
mount -t proc proc "$tree/proc"
mount --rbind /dev "$tree/dev" && mount --make-rslave "$tree/dev"
# Nothing is started while packages are installed, as in an image.
printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
chmod 755 "$tree/usr/sbin/policy-rc.d"
in_tree apt-get -qq update
in_tree dpkg-query -W -f '${Package}\n' | sort >"$work/before"

echo "install"
mkdir "$tree/packages"
cp "$packages"/*.deb "$tree/packages"
in_tree sh -c 'apt-get -qq -y --no-install-recommends install /packages/mediad_*.deb /packages/mediactl_*.deb /packages/libmedia-*.deb /packages/libmedia0_*.deb' \
  >"$work/install.log" 2>&1 || { tail -20 "$work/install.log"; fail "the packages cannot be installed"; }
in_tree id media >/dev/null || fail "there is no user media"
[ "$(stat -c '%a %U' "$tree/etc/mediad/upload-url.secret" | cut -d ' ' -f 1)" = 640 ] || fail "the secret is open to others"
[ "$(wc -c <"$tree/etc/mediad/upload-url.secret")" = 64 ] || fail "the secret is not 32 bytes in hex"
in_tree mediactl --version
in_tree sh -c 'set -a; . /etc/mediad/mediad.env; RUN_MODE=production MEDIA_SERVICE_STORAGE_BASE_PATH=/var/lib/mediad mediad --check-config' ||
  fail "the settings of the package are not what mediad accepts"

echo "use"
cp "$source/docs/images/photo.jpg" "$tree/tmp/photo.jpg"
chmod 644 "$tree/tmp/photo.jpg"
user="setpriv --reuid media --regid media --init-groups"
as_media() { in_tree $user "$@"; }
cat >"$tree/tmp/serve" <<'SERVE'
set -a
. /etc/mediad/mediad.env
RUN_MODE=production MEDIA_SERVICE_STORAGE_BASE_PATH=/var/lib/mediad MEDIA_SERVICE_SERVER_PORT=0
exec mediad --port-file /var/lib/mediad/port
SERVE
# Not by the function, whose shell would be what is stopped.
$clean chroot "$tree" $user sh /tmp/serve >"$work/mediad.log" 2>&1 &
server=$!
i=0
while [ ! -s "$tree/var/lib/mediad/port" ]; do
  i=$((i + 1))
  [ $i -lt 300 ] || { cat "$work/mediad.log"; fail "mediad does not start"; }
  sleep 0.1
done
api=http://127.0.0.1:$(cat "$tree/var/lib/mediad/port")/api/v1/media-management
[ "$(curl -sS -o /dev/null -w '%{http_code}' -F "file=@$source/docs/images/photo.jpg" "$api/media")" = 401 ] || fail "a stranger may upload"
key=$(as_media mediactl --store /var/lib/mediad apikey create --owner somebody 2>"$work/key.err") || { cat "$work/key.err"; fail "no API key"; }
id=$(curl -sSf -H "Authorization: Bearer $key" -F "file=@$source/docs/images/photo.jpg" "$api/media" | sed -n 's/^{"id":\([0-9]*\).*/\1/p')
curl -sSf -H "Authorization: Bearer $key" -o "$work/small" "$api/media/$id/image?w=320&format=webp"
[ "$(head -c 4 "$work/small")" = RIFF ] || fail "no WebP was made"
curl -sSf -H "Authorization: Bearer $key" -o "$work/got" "$api/media/$id/download"
cmp "$work/got" "$source/docs/images/photo.jpg"
kill "$server"
wait "$server" || fail "mediad does not stop in peace"
server=
rm -f "$tree/var/lib/mediad/port"
in_tree mediactl --store /var/lib/mediad verify

echo "build on it"
in_tree apt-get -qq -y --no-install-recommends install g++ cmake make pkg-config >"$work/install.log" 2>&1 || { tail -5 "$work/install.log"; fail "no compiler"; }
in_tree apt-mark auto g++ cmake make pkg-config >/dev/null
mkdir "$tree/tmp/consumer"
cp -r "$source/tests/consumer/." "$tree/tmp/consumer"
for kind in static shared; do
  in_tree sh -c "cmake -S /tmp/consumer -B /tmp/build-$kind -DKIND=$kind && cmake --build /tmp/build-$kind" >"$work/build.log" 2>&1 ||
    { tail -20 "$work/build.log"; fail "a program cannot be built on libmedia-dev ($kind)"; }
  got=$(in_tree "/tmp/build-$kind/consumer" /tmp/photo.jpg)
  [ "$got" = "$(sha256sum <"$source/docs/images/photo.jpg" | cut -d ' ' -f 1) 320x180" ] || fail "the program built on libmedia-dev says $got"
done

echo "purge"
in_tree apt-get -qq -y purge mediad mediactl libmedia-dev libmedia0 libmedia-video >"$work/purge.log" 2>&1 || { tail -20 "$work/purge.log"; fail "the packages cannot be purged"; }
in_tree apt-get -qq -y autoremove --purge >/dev/null 2>&1
in_tree dpkg-query -W -f '${Package}\n' | sort >"$work/after"
left=$(comm -13 "$work/before" "$work/after" | tr '\n' ' ')
[ -z "$left" ] || fail "these stay behind: $left"
[ ! -e "$tree/etc/mediad" ] || fail "/etc/mediad stays behind"
[ -e "$tree/var/lib/mediad/catalog.db" ] || fail "the store went with the package: photos are nobody's settings"
echo ok
