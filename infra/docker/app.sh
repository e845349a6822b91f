#!/bin/sh
# app.sh: an application that logs. A line every PAUSE_S seconds into LOG, which it renames after
# LINES lines, as logrotate's `create` does; KEEP old files stay.
set -eu

log=${LOG:-/var/log/app/app.log}
lines=${LINES:-60}
pause_s=${PAUSE_S:-1}
keep=${KEEP:-5}

umask 027 # the log's group may read it, nobody else
trap 'exit 0' TERM INT

number=0
while :; do
    number=$((number + 1))
    printf '%s app[%d]: request %d served\n' "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$$" "$number" >> "$log"
    if [ $((number % lines)) -eq 0 ]; then
        old=$keep
        while [ "$old" -gt 1 ]; do
            [ ! -e "$log.$((old - 1))" ] || mv "$log.$((old - 1))" "$log.$old"
            old=$((old - 1))
        done
        mv "$log" "$log.1"
    fi
    # In the background, so that a signal ends the wait.
    sleep "$pause_s" &
    wait $!
done
