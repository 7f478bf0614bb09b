#!/bin/sh
# What of a tree reaches the build of the container image: image_context.sh SOURCE_FOLDER
# buildah copies the context into an empty image as the Dockerfile's `COPY .` does; nothing is downloaded, and nothing runs in it.
# Exit code 77, a skipped test, where there is no buildah; under CI that is a failure.
set -eu

source=$1
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
cannot() {
  [ -z "${CI:-}" ] || fail "$*, and CI is set"
  echo "SKIPPED: $*" >&2
  exit 77
}
command -v buildah >/dev/null 2>&1 || cannot "there is no buildah (packaging/deps/test.txt)"
[ "$(id -u)" = 0 ] || cannot "buildah needs root here"

# Each FROM is the one base, or a stage of its own; each list of packages that it installs is there; nobody is root at the end.
dockerfile=$source/Dockerfile
stages=$(awk '$1 == "FROM" { print $2 } $1 == "FROM" && $3 == "AS" { named[$4] = 1 } END { for (name in named) print "=" name }' "$dockerfile")
for base in $(echo "$stages" | grep -v '^='); do
  [ "$base" = debian:bookworm-slim ] || echo "$stages" | grep -qx "=$base" || fail "the Dockerfile begins with $base"
done
lists=$(sed -n 's|.*/install-packages.sh \([a-z]*\).*|\1|p' "$dockerfile"; sed -n 's|.*/install-packages.sh .*echo \([a-z-]*\)).*|\1|p' "$dockerfile")
for list in $lists; do
  [ -f "$source/packaging/deps/$list.txt" ] || fail "the Dockerfile installs packaging/deps/$list.txt, which is not there"
done
[ "$(awk '$1 == "USER" { user = $2 } $1 == "FROM" { user = "" } END { print user }' "$dockerfile")" = media ] || fail "the image runs as somebody else"
[ "$(grep -E '^ARG' "$dockerfile" | sort -u | tr '\n' ' ')" = "ARG VIDEO ARG VIDEO=ON " ] || fail "the Dockerfile takes other arguments than VIDEO"
if grep -nE '^(ADD|ENV .*(SECRET|PASSWORD|KEY))|(curl|wget|git clone|pip|npm) ' "$dockerfile"; then fail "the Dockerfile fetches something, or carries a secret"; fi

work=$(mktemp -d)
container=
export CONTAINERS_STORAGE_CONF="$work/storage.conf"
cleanup() {
  if [ -n "$container" ]; then buildah rm "$container" >/dev/null 2>&1 || true; fi
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$work" "$work" >"$CONTAINERS_STORAGE_CONF"

# The tree as somebody has it who works in it: what git knows, and what it should never see.
mkdir "$work/tree"
(cd "$source" && git ls-files | while IFS= read -r file; do if [ -e "$file" ]; then echo "$file"; fi; done | tr '\n' '\0' | xargs -0 cp --parents -t "$work/tree")
litter="
.env
.env.local
media/ab/cd/ef/0123
catalog.db
catalog.db-wal
build/release/bin/mediad
.git/config
packaging/kubernetes/overlays/production/secrets.env
packaging/systemd/secrets.env
packaging/deps/key.pem
packaging/image/.env
server/.env
server/tls.key
server/src/tls.pem
server/media/photo.jpg
libmedia/.env
libmedia/src/catalog.db
libmedia/src/store/photo.jpg
libmedia/src/store/url-signing.key
libmedia/src/store/segments/1
libmedia/include/media/id_rsa
cli/store/catalog.db
cmake/secret.pem
docs/api/token.txt
"
for file in $litter; do
  mkdir -p "$work/tree/$(dirname "$file")"
  echo "a secret" >"$work/tree/$file"
done
printf 'FROM scratch\nCOPY . /\n' >"$work/Dockerfile"
buildah bud --isolation chroot --ignorefile "$work/tree/.dockerignore" -f "$work/Dockerfile" -t context "$work/tree" >"$work/log" 2>&1 ||
  { cat "$work/log"; fail "buildah cannot copy the context"; }
container=$(buildah from context)
root=$(buildah mount "$container")
(cd "$root" && find . -type f | sed 's|^\./||' | LC_ALL=C sort) >"$work/there"
grep -rlx "a secret" "$root" | sed "s|^$root/||" >"$work/leaked" || true
[ ! -s "$work/leaked" ] || fail "these reach the image's build: $(tr '\n' ' ' <"$work/leaked")"

# And everything that it compiles: an area that .dockerignore does not know would be missed in the image alone.
(cd "$source" && git ls-files CMakeLists.txt cmake libmedia server cli packaging/deps packaging/image) | LC_ALL=C sort >"$work/wanted"
LC_ALL=C comm -23 "$work/wanted" "$work/there" >"$work/missing"
[ ! -s "$work/missing" ] || fail "these are not in the image's build, for want of a line in .dockerignore: $(tr '\n' ' ' <"$work/missing")"
(cd "$source" && git ls-files) | LC_ALL=C sort >"$work/known"
LC_ALL=C comm -13 "$work/known" "$work/there" >"$work/unknown"
[ ! -s "$work/unknown" ] || fail "git knows nothing of these: $(tr '\n' ' ' <"$work/unknown")"
echo "$(wc -l <"$work/there") files in the context"
echo passed
