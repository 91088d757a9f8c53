#!/usr/bin/env bash
# What:    journalctl -o json (systemd 252) as a feeder.
# Guess:   MESSAGE is a string with what the program logged.
# Happens: A field of more than 4096 bytes is null, unless --all is given. A message that is no UTF-8, or has a
#          control character, is an array of numbers; a field that was logged twice is an array of strings.
#          -o cat prints the long message whole, and of two only the first.
# Why:     `journalctl -f -o json | paxlog append` keeps "null" of exactly the long messages: stack traces, audit
#          records. Give it --all, and read MESSAGE as a string, an array of numbers, or one of strings.
# Paxlog:  Appends each line as it comes; it cannot know what the null was.
# Needs:   journalctl, and apt-get for systemd-journal-remote, which writes the journal file of this test.
set -euo pipefail
journalctl --version | head -1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=(systemd-journal-remote libmicrohttpd12)
{ { apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }; } &&
  for deb in *.deb; do dpkg -x "$deb" root; done; } >setup.log 2>&1 || { cat setup.log; exit 1; }
libs=$(dirname "$(find root -name 'libmicrohttpd.so.12' | head -1)")

long=$(printf 'y%.0s' $(seq 4100)) # with MESSAGE= more than 4096
{
  printf '__REALTIME_TIMESTAMP=1795900000000001\nMESSAGE=short\n\n'
  printf '__REALTIME_TIMESTAMP=1795900000000002\nMESSAGE=%s\n\n' "$long"
  printf '__REALTIME_TIMESTAMP=1795900000000003\nMESSAGE=caf\351\n\n'
  printf '__REALTIME_TIMESTAMP=1795900000000004\nMESSAGE=bell\007\n\n'
  printf '__REALTIME_TIMESTAMP=1795900000000005\nMESSAGE=one\nMESSAGE=two\n\n'
} >export
LD_LIBRARY_PATH=$libs root/lib/systemd/systemd-journal-remote -o test.journal export 2>setup.log || { cat setup.log; exit 1; }
messages() { journalctl --file test.journal -o json "$@" | grep -o '"MESSAGE":\("[^"]*"\|\[[^]]*\]\|null\)' | cut -c1-60; }
echo '-- journalctl -o json'
messages | tee json
echo '-- journalctl -o json --all'
messages --all | tee all
echo '-- journalctl -o cat'
journalctl --file test.journal -o cat | cut -c1-50 | tee cat
if ! cmp -s json - <<'END'
"MESSAGE":"short"
"MESSAGE":null
"MESSAGE":[99,97,102,233]
"MESSAGE":[98,101,108,108,7]
"MESSAGE":["one","two"]
END
then
  echo 'CHANGED: a string, null, an array of numbers and an array of strings were expected'
  exit 1
fi
if grep -q null all; then
  echo 'CHANGED: --all was expected to print the long message'
  exit 1
fi
