#!/usr/bin/env bash
# What:    GNU tail (coreutils 9.1), `tail -F FILE | ...`, a log that is rotated by renaming while its writer
#          still has the old file open, as it does until it is told to reopen (logrotate's postrotate).
# Guess:   tail -F follows the old file until nobody writes to it any more, then the new one.
# Happens: It goes over to the new file as soon as there is one. What the writer still puts into the old file
#          is never printed, and nothing is said but "has appeared; following new file"; the exit code is 0.
# Why:     `tail -F app.log | paxlog append` loses the lines of each rotation's last moments, a few a night.
#          Feed from the program itself, rotate with delaycompress and compare, or append the rotated files.
# Paxlog:  Appends each line that it is given; what tail left out it cannot know.
# Needs:   Linux and GNU tail.
set -euo pipefail
tail --version 2>/dev/null | head -1 | grep coreutils || { echo "needs GNU tail"; exit 1; }
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"

printed() { # waits for a line, at most 10 s
  for _ in $(seq 100); do
    if grep -qx "$1" out; then return; fi
    sleep 0.1
  done
  echo "tail never printed: $1"
  exit 1
}

echo 'written before' >app.log
tail -F -n +1 app.log >out 2>said &
pid=$!
exec 7>>app.log # the writer's descriptor
printed 'written before'
echo 'written to the open file' >&7
printed 'written to the open file'
mv app.log app.log.1 # the rotation
echo 'first line of the new file' >app.log
printed 'first line of the new file'
echo 'last line of the old file' >&7 # the writer has not reopened yet
exec 7>&-
echo 'second line of the new file' >>app.log
printed 'second line of the new file'
sleep 1.5 # longer than tail polls

echo '-- app.log.1 and app.log hold:'
cat app.log.1 app.log
echo '-- tail -F printed:'
cat out
echo '-- and said:'
cat said
if grep -qx 'last line of the old file' out; then
  echo 'CHANGED: the line that came late into the old file was expected to be left out'
  exit 1
fi
