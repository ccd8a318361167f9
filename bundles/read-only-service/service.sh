#!/bin/sh
# A service that may write to its tmpfs mounts only. SIGTERM ends it.
trap 'echo "service: asked to end"; exit 0' TERM
touch /etc/written 2>/dev/null && echo "service: the root file system is writable" ||
    echo "service: the root file system is read-only"
read -r greeting </var/lib/service/greeting
echo "service: $greeting"
while :; do
    date +%s >/run/heartbeat
    sleep 1 &
    wait $!
done
