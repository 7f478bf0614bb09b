#!/bin/sh
# Measures what this project promises to be fast at, in pairs with what it is measured against, and the areas alone.
#
#   run.sh BUILD_FOLDER [PART…]     parts: pictures quality hash ingest big verify image cage store repository sign listing http
#                                   (default: all but quality, listing and http; quality and listing take half an hour each)
#
# The disk that counts is the one of TMPDIR. ROUNDS (5) pairs are run in turn, A B A B …, and the medians stand side by side: on a shared
# machine the ratio says more than either figure. FILES (20000) small files and BIG (1024) MiB a large file make the ingest heavier or lighter.
set -eu

bin=$(CDPATH='' cd -- "$1" && pwd)/bin
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
shift
[ $# -gt 0 ] || set -- pictures hash ingest big verify image cage store repository sign
rounds=${ROUNDS:-5}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
photo=${PHOTO:-/usr/share/backgrounds/seeding_by_Clements_Engelhardt.jpg} # 16 MP
[ -r "$photo" ] || photo=$here/../../docs/images/photo.jpg

# pair NAME BEFORE OURS THEIRS: shell texts; BEFORE runs before each of the two, outside the time. In them $round is the number of the
# round: what writes takes a new folder for each, because a filesystem that has just deleted a tree makes new files slowly for minutes.
pair() {
  : >"$work/ours" && : >"$work/theirs"
  round=0
  export round
  while [ "$round" -lt "$rounds" ]; do
    for side in ours theirs; do
      sh -c "$2"
      if [ "$side" = ours ]; then text=$3; else text=$4; fi
      /usr/bin/time -f '%e %U %S %M' -o "$work/time" sh -c "$text" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
      tail -n 1 "$work/time" >>"$work/$side"
    done
    round=$((round + 1))
  done
  median() { cut -d ' ' -f "$2" "$work/$1" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'; }
  awk -v name="$1" -v a="$(median ours 1)" -v b="$(median theirs 1)" -v m="$(median ours 4)" -v n="$(median theirs 4)" 'BEGIN {
    printf "%-44s ours %8.3f s %7.1f MiB   other %8.3f s %7.1f MiB   ours/other %.2f\n", name, a, m / 1024, b, n / 1024, (b > 0 ? a / b : 0) }'
}

small_files() {
  [ ! -d "$work/small" ] || return 0
  python3 - "$work/small" "${FILES:-20000}" <<'PY'
import os, pathlib, random, sys
folder, count = pathlib.Path(sys.argv[1]), int(sys.argv[2])
draw = random.Random(1)
for i in range(count):
    part = folder / f"{i % 100:02d}"
    part.mkdir(parents=True, exist_ok=True)
    (part / f"{i}.bin").write_bytes(draw.randbytes(int(4096 * 16 ** draw.random())))
PY
}

big_files() {
  [ ! -d "$work/big" ] || return 0
  mkdir "$work/big"
  for i in 1 2; do head -c "$((${BIG:-1024} << 20))" /dev/urandom >"$work/big/$i"; done
}

for part in "$@"; do
  case $part in
    pictures)
      # PHOTOS copies of one photo, so that starting a process counts for little; one thread each. djpeg decodes and does no more: the limit
      # of what libjpeg-turbo allows. sharp takes part where BENCH_NPM is a folder with `npm install sharp` done in it.
      mkdir -p "$work/photos" "$work/made"
      for i in $(seq "${PHOTOS:-8}"); do cp "$photo" "$work/photos/$i.jpg"; done
      files="'$work'/photos/*.jpg"
      for size in 320 800 1600; do
        for format in jpeg webp avif; do
          if [ "$format$size" = avif1600 ]; then continue; fi
          quality=80
          if [ "$format" = avif ]; then quality=50; fi
          ours="'$bin/mediactl' derive -w $size --format $format -q $quality -j 1 --out-dir '$work/made' $files"
          pair "$size px $format / vipsthumbnail" : "$ours" \
            "VIPS_CONCURRENCY=1 vipsthumbnail --size ${size}x -o '$work/made/%s-v.${format}[Q=$quality,strip]' $files"
          if [ -d "${BENCH_NPM:-}/node_modules/sharp" ]; then
            pair "$size px $format / sharp" : "$ours" "NODE_PATH='$BENCH_NPM/node_modules' node '$here/sharp.cjs' $size $format $quality '$work/made' $files"
          fi
        done
        eighths=$(((size * 8 + $(vipsheader -f width "$photo") - 1) / $(vipsheader -f width "$photo")))
        pair "$size px jpeg / djpeg alone" : "'$bin/mediactl' derive -w $size --format jpeg -q 80 -j 1 --out-dir '$work/made' $files" \
          "for f in $files; do djpeg -scale $eighths/8 -outfile /dev/null \"\$f\"; done"
      done
      rm -rf "$work/photos" "$work/made"
      ;;
    quality) "$here/quality.py" "$bin/.." ;;
    hash)
      small_files
      big_files
      one="taskset -c 0"
      pair "hash ${FILES:-20000} small files, 1 core / openssl" : "$one '$bin/mediactl' hash '$work/small'" \
        "$one find '$work/small' -type f -exec openssl dgst -sha256 {} +"
      pair "hash 2 x ${BIG:-1024} MiB, 1 core / openssl" : "$one '$bin/mediactl' hash '$work/big'" \
        "$one openssl dgst -sha256 '$work/big/1' '$work/big/2'"
      ;;
    ingest)
      small_files
      export RESTIC_PASSWORD=bench
      pair "ingest ${FILES:-20000} small files / restic backup" "[ -d '$work'/repo.\$round ] || restic init -q -r '$work'/repo.\$round; sync -f '$work'" \
        "'$bin/mediactl' --store '$work'/store.\$round --quiet ingest --any '$work/small'" "restic backup -q -r '$work'/repo.\$round '$work/small'"
      pair "ingest of the same again / openssl sha256" : \
        "'$bin/mediactl' --store '$work/store.0' --quiet ingest --any '$work/small'" "find '$work/small' -type f -exec openssl dgst -sha256 {} +"
      "$bin/mediactl" --store "$work/store.0" --quiet ingest --any --incremental "$work/small"
      pair "the same again, --incremental / openssl sha256" : \
        "'$bin/mediactl' --store '$work/store.0' --quiet ingest --any --incremental '$work/small'" "find '$work/small' -type f -exec openssl dgst -sha256 {} +"
      ;;
    big)
      big_files
      pair "ingest 2 x ${BIG:-1024} MiB / cp and sync" "sync -f '$work'" \
        "'$bin/mediactl' --store '$work'/large.\$round --quiet ingest --any '$work/big'" \
        "cp -r '$work/big' '$work'/copy.\$round && sync -f '$work'/copy.\$round"
      rm -rf "$work"/large.* "$work"/copy.*
      ;;
    verify)
      big_files
      small_files
      "$bin/mediactl" --store "$work/verify-big" --quiet ingest --any "$work/big"
      pair "verify 2 x ${BIG:-1024} MiB / openssl sha256" : \
        "'$bin/mediactl' --store '$work/verify-big' --quiet verify" "openssl dgst -sha256 '$work/big/1' '$work/big/2'"
      "$bin/mediactl" --store "$work/verify-small" --quiet ingest --any "$work/small"
      pair "verify ${FILES:-20000} small files / openssl sha256" : \
        "'$bin/mediactl' --store '$work/verify-small' --quiet verify" "find '$work/small' -type f -exec openssl dgst -sha256 {} +"
      ;;
    image) "$bin/image_bench" -n "$rounds" "$photo" w=800,format=jpeg w=320,format=avif ;;
    cage) "$bin/cage_bench" -n "$rounds" "$photo" w=320,format=webp ;;
    store) "$bin/store_bench" "$work/store-bench" files 4000 ;;
    repository) "$bin/repository_bench" "$work" ;;
    sign) "$bin/sign_bench" ;;
    listing) python3 "$here/listing.py" "$bin" ;;
    http) "$here/http_bench.sh" "$bin/http_bench" ;;
    *)
      echo "no such part: $part" >&2
      exit 2
      ;;
  esac
done
