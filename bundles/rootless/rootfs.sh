#!/bin/sh
# Make this bundle's root file system, ./rootfs, and write the caller's ids into config.json: root inside is
# the caller outside; the other ids are those that /etc/subuid and /etc/subgid give the caller, if any.
set -eu
cd "$(dirname "$0")"
[ "$(id -u)" -ne 0 ] || { echo "rootfs.sh: run this as the user who will run the container" >&2; exit 1; }

# mappings ID FILE HELPER: the JSON array of mappings
mappings() {
    own="{\"containerID\": 0, \"hostID\": $1, \"size\": 1}"
    range=
    if command -v "$3" >/dev/null && [ -r "$2" ]; then
        range=$(awk -F: -v name="$(id -un)" -v id="$(id -u)" '$1 == name || $1 == id { print $2, $3; exit }' "$2")
    fi
    if [ -n "$range" ]; then
        echo "[$own, {\"containerID\": 1, \"hostID\": ${range% *}, \"size\": ${range#* }}]"
    else
        echo "[$own]"
    fi
}

../mkrootfs rootfs
cp report.sh rootfs/
sed -i \
    -e "s/\"uidMappings\": .*/\"uidMappings\": $(mappings "$(id -u)" /etc/subuid newuidmap),/" \
    -e "s/\"gidMappings\": .*/\"gidMappings\": $(mappings "$(id -g)" /etc/subgid newgidmap),/" config.json
