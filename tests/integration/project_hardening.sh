#!/bin/sh
# Are the programs built as docs/security.md says? Usage: project_hardening.sh PROGRAM…
set -eu

failed=0
complain() {
  echo "$1: $2" >&2
  failed=1
}

for program in "$@"; do
  headers=$(readelf --wide --file-header --program-headers "$program")
  dynamic=$(readelf --wide --dynamic "$program")
  symbols=$(readelf --wide --dyn-syms "$program")
  # Loaded at another address each time.
  echo "$headers" | grep -Eq 'Type: +DYN' || complain "$program" "is not position-independent"
  echo "$dynamic" | grep -Eq 'FLAGS_1.*PIE' || complain "$program" "is not marked as position-independent"
  # Tables of addresses are read-only before main.
  echo "$headers" | grep -q GNU_RELRO || complain "$program" "has no RELRO segment"
  echo "$dynamic" | grep -Eq 'FLAGS.*(BIND_NOW|NOW)' || complain "$program" "binds symbols late"
  # Neither the stack nor anything else is writable and code.
  echo "$headers" | grep GNU_STACK | grep -q ' RW ' || complain "$program" "has a stack that is code"
  if echo "$headers" | grep -E '^ +LOAD' | grep -q 'RWE'; then complain "$program" "has memory that is writable and code"; fi
  # A smashed stack ends the program.
  echo "$symbols" | grep -q __stack_chk_fail || complain "$program" "has no stack protector"
done
exit "$failed"
