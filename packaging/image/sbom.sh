#!/bin/sh
# The bill of materials of the image that it runs in, as CycloneDX 1.5 in JSON: sbom.sh VERSION
# Debian's packages are those that dpkg knows of here, and libmedia is the version that was built; nothing is asked of a network. It tells
# no time and no random number, so that the same packages give the same file.
set -eu

version=$1
# shellcheck disable=SC1091
. /etc/os-release
# shellcheck disable=SC2016 # formats of dpkg-query
dpkg-query -W -f '${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Maintainer}\n' |
  LC_ALL=C awk -F '\t' -v version="$version" -v distro="$ID-$VERSION_ID" -v os="$ID" -v os_version="$VERSION_ID" '
    function quoted(text) {
      gsub(/\\/, "\\\\", text)
      gsub(/"/, "\\\"", text)
      return "\"" text "\""
    }
    # As a package URL wants it.
    function escaped(text) {
      gsub(/%/, "%25", text)
      gsub(/:/, "%3A", text)
      gsub(/\+/, "%2B", text)
      return text
    }
    BEGIN {
      print "{"
      print "  \"bomFormat\": \"CycloneDX\","
      print "  \"specVersion\": \"1.5\","
      print "  \"version\": 1,"
      print "  \"metadata\": {\"component\": {\"type\": \"container\", \"bom-ref\": \"image\", \"name\": \"libmedia\", \"version\": " quoted(version) "}},"
      print "  \"components\": ["
      print "    {\"type\": \"application\", \"bom-ref\": \"libmedia\", \"name\": \"libmedia\", \"version\": " quoted(version) \
        ", \"licenses\": [{\"license\": {\"id\": \"MIT\"}}]},"
      printf "    {\"type\": \"operating-system\", \"bom-ref\": \"system\", \"name\": %s, \"version\": %s}", quoted(os), quoted(os_version)
    }
    $1 == "installed" {
      purl = "pkg:deb/" os "/" escaped($2) "@" escaped($3) "?arch=" $4 "&distro=" distro
      printf ",\n    {\"type\": \"library\", \"bom-ref\": %s, \"supplier\": {\"name\": %s}, \"name\": %s, \"version\": %s, \"purl\": %s", \
        quoted(purl), quoted($7), quoted($2), quoted($3), quoted(purl)
      printf ", \"properties\": [{\"name\": \"debian:source\", \"value\": %s}, {\"name\": \"debian:source-version\", \"value\": %s}]}", \
        quoted($5), quoted($6)
      packages++
    }
    END {
      print "\n  ]\n}"
      exit packages == 0
    }'
