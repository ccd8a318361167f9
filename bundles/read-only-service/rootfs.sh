#!/bin/sh
# Make this bundle's root file system, ./rootfs.
set -eu
cd "$(dirname "$0")"
../mkrootfs rootfs
cp service.sh rootfs/
mkdir -p rootfs/var/lib/service
echo 'from the image' >rootfs/var/lib/service/greeting
chmod -R a+rX rootfs/var
