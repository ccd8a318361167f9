#!/bin/sh
# Run into each limit, one after the other, and say what happened. Where a limit binds, forking may fail:
# so what is reported is read by the shell itself.

if dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; then
    echo "memory: dd got its 64 MiB"
else
    echo "memory: dd, wanting 64 MiB, was ended by $(($? - 128))"
fi

# /proc/uptime has two decimals, and the times in /proc/PID/stat count hundredths of a second too
hundredths() {
    read -r uptime _ </proc/uptime
    now=${uptime%.*}${uptime#*.}
}
hundredths
before=$now
while [ $((now - before)) -lt 200 ]; do hundredths; done
read -r stat </proc/$$/stat
set -- $stat
echo "cpu: a busy loop got $(((${14} + ${15}) * 100 / (now - before))) % of one CPU"

(
    started=0
    while [ $started -lt 32 ]; do
        sleep 60 &
        started=$((started + 1))
        echo $started >/tmp/started
    done
) 2>/dev/null
read -r started </tmp/started
echo "pids: $started of 32 processes could be started"
