#!/bin/sh
# Runs `./dev test` of this source in another release of Debian: suite.sh SUITE SOURCE_FOLDER WORK_FOLDER [ARGUMENT of ctest…]
# As root. The tree of the release is made by debootstrap from the mirror that this machine's apt uses, and kept in WORK_FOLDER with its packages
# and compiled objects for the next time. What is tested is what git knows of the source, and what it does not ignore. The kernel, the
# devices and the network are this machine's.
# shellcheck disable=SC2016 # formats of apt
set -eu

[ "$(id -u)" = 0 ] || { echo "suite.sh: needs root" >&2; exit 1; }
suite=$1 source=$2
mkdir -p "$3"
work=$(cd "$3" && pwd)
shift 3
tree=$work/tree
fail() {
  echo "suite.sh: $*" >&2
  exit 1
}
command -v debootstrap >/dev/null 2>&1 || fail "there is no debootstrap (packaging/deps/package.txt)"

# Two at once would share mounts.
exec 9>"$work/lock"
flock -n 9 || fail "another one runs in $work"
unmount() {
  awk -v below="$tree/" 'index($2, below) == 1 { print $2 }' /proc/mounts | sort -r | while read -r mounted; do umount "$mounted" 2>/dev/null || umount -l "$mounted"; done
}
trap unmount EXIT
trap 'exit 130' INT TERM
unmount

if [ ! -e "$work/made" ]; then
  mirror=$(apt-get indextargets --format '$(CREATED_BY) $(REPO_URI)' | awk '$1 == "Packages" && $2 !~ /security/ { print $2; exit }')
  [ -n "$mirror" ] || fail "apt names no mirror here"
  rm -rf --one-file-system "$tree"
  echo "making a tree of $suite"
  debootstrap --variant=minbase "$suite" "$tree" "$mirror" >"$work/debootstrap.log" 2>&1 || { tail -5 "$work/debootstrap.log" >&2; fail "debootstrap $suite"; }
  cp -r /etc/apt/apt.conf.d/. "$tree/etc/apt/apt.conf.d/"
  # Nothing is started while packages are installed, as in an image.
  printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
  chmod 755 "$tree/usr/sbin/policy-rc.d"
  touch "$work/made"
fi
cp -L /etc/resolv.conf "$tree/etc/resolv.conf" 2>/dev/null || true
cp /etc/hosts "$tree/etc/hosts" 2>/dev/null || true
# Whom this machine trusts, and what its npm is told, else nothing is fetched where a proxy looks into what is.
mkdir -p "$tree/etc/ssl/certs" "$tree/usr/local/share/ca-certificates"
cp -rL /usr/local/share/ca-certificates/. "$tree/usr/local/share/ca-certificates/" 2>/dev/null || true
cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt" 2>/dev/null || true
cp /etc/npmrc "$tree/etc/npmrc" 2>/dev/null || true
cp /root/.npmrc "$tree/root/.npmrc" 2>/dev/null || true
mount -t proc proc "$tree/proc"
for shared in dev sys; do mount --rbind "/$shared" "$tree/$shared" && mount --make-rslave "$tree/$shared"; done
mkdir -p "$tree/run/lock"
mount -t tmpfs tmpfs "$tree/tmp"

# The build folder stays, and files that did not change keep their times: what was compiled is not compiled again. What did change is new
# now, whenever it was written: a file may be older than an object that was made of what it was before.
mkdir -p "$tree/srv/libmedia"
list=$work/files staged=$work/staged
(cd "$source" && git ls-files --cached --others --exclude-standard | while read -r file; do [ ! -e "$file" ] || echo "$file"; done | sort) >"$list"
rm -rf "$staged" && mkdir "$staged"
(cd "$source" && tar -c -T "$list") | tar -x -m --no-same-owner -C "$staged"
(cd "$tree/srv/libmedia" && find . -path ./build -prune -o -path ./.git -prune -o ! -type d -print | sed 's,^\./,,' | sort | comm -23 - "$list" | while read -r gone; do rm -f "$gone"; done)
(cd "$staged" && find . -type d -exec mkdir -p "$tree/srv/libmedia/{}" \;)
while read -r file; do
  there=$tree/srv/libmedia/$file
  if [ ! -e "$there" ] || ! cmp -s "$staged/$file" "$there" || [ "$(stat -c %a "$staged/$file")" != "$(stat -c %a "$there")" ]; then
    mv -f "$staged/$file" "$there"
  fi
done <"$list"
rm -rf "$staged"
# Some tests ask git what there is.
(cd "$tree/srv/libmedia" && { [ -d .git ] || git init -q; } && git add -A)
if [ -d "$source/../shared" ]; then
  mkdir -p "$tree/srv/shared"
  mount --bind "$source/../shared" "$tree/srv/shared" && mount -o remount,ro,bind "$tree/srv/shared"
fi

chroot "$tree" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
  ${CI:+"CI=$CI"} ${JOBS:+"JOBS=$JOBS"} ${NODE_EXTRA_CA_CERTS:+"NODE_EXTRA_CA_CERTS=$NODE_EXTRA_CA_CERTS"} sh -c 'cd /srv/libmedia && command -v ccache >/dev/null 2>&1 || apt-get -qq update; exec ./dev test "$@"' suite "$@"
