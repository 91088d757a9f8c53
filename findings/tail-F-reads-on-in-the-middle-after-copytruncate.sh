#!/usr/bin/env bash
# What:    GNU tail (coreutils 9.1), `tail -F` on a file that is truncated in place (logrotate's copytruncate)
#          and has grown past its old length before tail looks again.
# Guess:   tail notices: it prints "file truncated" and begins at the new start.
# Happens: It compares lengths only. The file is longer than before, so it prints what is past the old length:
#          the first new lines are left out, the next one is printed from its middle, and nothing is said.
# Why:     Half a line goes into the log as an entry of its own. It takes a writer that fills in a moment what it
#          wrote since the rotation before: small logs that are rotated often, or a tail that waits because the
#          log behind its pipe has no quorum.
# Paxlog:  Appends each line that it is given; it cannot see that one is half. Rotate by renaming.
# Needs:   Linux and GNU tail.
set -euo pipefail
tail --version 2>/dev/null | head -1 | grep coreutils || { echo "needs GNU tail"; exit 1; }
work=$(mktemp -d)
pid=
trap 'if [ -n "$pid" ]; then kill -CONT "$pid" 2>/dev/null || true; kill "$pid" 2>/dev/null || true; fi; rm -rf "$work"' EXIT
cd "$work"

printed() { # waits for a line, at most 10 s
  for _ in $(seq 100); do
    if grep -qx "$1" out; then return; fi
    sleep 0.1
  done
  echo "tail never printed: $1"
  exit 1
}

echo 'old line' >app.log
tail -F -n +1 app.log >out 2>said &
pid=$!
printed 'old line'
kill -STOP "$pid" # tail waits, as it does when its pipe is full
cp app.log app.log.1
: >app.log # copytruncate
printf 'new line 1\nnew line 2\nnew line 3\n' >>app.log
kill -CONT "$pid"
echo 'new line 4' >>app.log
printed 'new line 4'

echo '-- app.log holds:'
cat app.log
echo '-- tail -F printed:'
cat out
echo '-- and said:'
cat said
if [ -s said ] || grep -qx 'new line 1' out; then
  echo 'CHANGED: the start of the truncated file was expected to be left out without a word'
  exit 1
fi
