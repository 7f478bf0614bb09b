#!/bin/sh
# The dev script and the package lists: project_dev_script.sh SOURCE_FOLDER
set -eu
cd "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
  echo "$*" >&2
  exit 1
}

# Every command of the issue is there, and an unknown one is refused with the list.
./dev help >"$work/help"
for command in run test build lint format docs bench coverage sanitize fuzz torture help; do
  grep -q "^  $command " "$work/help" || fail "./dev help does not name $command"
done
if ./dev no-such-command >"$work/out" 2>"$work/err"; then fail "an unknown command was accepted"; fi
grep -q 'no such command: no-such-command' "$work/err" || fail "an unknown command was not named"

# Package lists: what is missing is asked for, by the first alternative that the release has, and only that. The commands that
# look and install are stand-ins here.
mkdir -p "$work/bin" "$work/tree/deps"
cp packaging/install-packages.sh "$work/tree/"
cat >"$work/tree/deps/some.txt" <<'X'
# a comment
have-it
missing  # another
old-name | new-name
other-name | have-it
far-future @99
ever-since @1
has-its-command ?sh
wants-its-command ?no-such-command
has-command-later ?sh @1
X
cat >"$work/bin/dpkg-query" <<'X'
#!/bin/sh
echo "installed have-it"
echo "config-files missing"
X
cat >"$work/bin/apt-cache" <<'X'
#!/bin/sh
case $2 in old-name) echo "  Candidate: (none)" ;; *) echo "  Candidate: 1.0" ;; esac
X
cat >"$work/bin/apt-get" <<X
#!/bin/sh
echo "\$*" >>"$work/apt-get.log"
X
printf '#!/bin/sh\nexec "$@"\n' >"$work/bin/sudo"
chmod +x "$work"/bin/*
PATH="$work/bin:$PATH" "$work/tree/install-packages.sh" some 2>/dev/null
[ "$(tail -n 1 "$work/apt-get.log")" = "install -y -qq --no-install-recommends missing new-name ever-since wants-its-command" ] || fail "installed: $(cat "$work/apt-get.log")"

# Where nothing is missing, nothing is asked for: not even an update.
rm "$work/apt-get.log"
printf '#!/bin/sh\nprintf "installed %%s\\n" have-it missing new-name ever-since wants-its-command\n' >"$work/bin/dpkg-query"
PATH="$work/bin:$PATH" "$work/tree/install-packages.sh" some
[ ! -e "$work/apt-get.log" ] || fail "apt-get ran although nothing was missing: $(cat "$work/apt-get.log")"
