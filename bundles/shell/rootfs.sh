#!/bin/sh
# Make this bundle's root file system, ./rootfs: busybox, or with --debian a minimal Debian.
set -eu
cd "$(dirname "$0")"
../mkrootfs "$@" rootfs
