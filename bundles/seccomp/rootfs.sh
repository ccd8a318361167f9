#!/bin/sh
# Make this bundle's root file system, ./rootfs.
set -eu
cd "$(dirname "$0")"
../mkrootfs rootfs
cp try.sh rootfs/
