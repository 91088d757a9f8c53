#!/usr/bin/env bash
# What:    rsyslog 8.2302 (Debian 12): imfile follows a file, omprog with confirmMessages feeds a program's input.
# Guess:   Lines come whole; a program that answers something else than OK has refused the message, and the next one
#          comes, or the error is logged.
# Happens: A line of 20,000 bytes arrives as its first 8096, the rest is dropped. The message that was not answered
#          with OK comes again about each second, for ever, and nothing behind it comes; nothing is logged.
# Why:     One entry that the log refuses (too large, say) stops the feeder for good, and looks like a quiet source.
#          Answer OK to what can never be appended and keep it elsewhere; set maxMessageSize above everything.
# Paxlog:  `append` speaks no such protocol: a bridge for omprog answers OK when `append` has said the index.
# Needs:   Debian with apt-get; unpacks the packages, installs nothing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
packages=(rsyslog libestr0 libfastjson4 liblognorm5)
{ { apt-get download "${packages[@]}" || { apt-get update && apt-get download "${packages[@]}"; }; } &&
  for deb in *.deb; do dpkg -x "$deb" root; done; } >setup.log 2>&1 || { cat setup.log; exit 1; }
modules=$work/$(dirname "$(find root -name imfile.so | head -1)")
libs=$work/$(dirname "$(find root -name 'libestr.so.0' | head -1)")
daemon=$(find root -name rsyslogd -type f | head -1)
LD_LIBRARY_PATH=$libs "$daemon" -v | head -1 | cut -d' ' -f1-3

cat >program <<PROGRAM
#!/usr/bin/env bash
echo OK
while IFS= read -r line; do
  echo "\$line" >>"$work/got"
  if [ "\$line" = refused ]; then echo 'not this one'; else echo OK; fi
done
PROGRAM
chmod +x program
cat >rsyslog.conf <<CONF
global(workDirectory="$work")
module(load="$modules/imfile" pollingInterval="1")
module(load="$modules/omprog")
template(name="raw" type="string" string="%msg%\n")
input(type="imfile" file="$work/app.log" tag="app")
action(type="omprog" binary="$work/program" template="raw" confirmMessages="on")
CONF
{
  echo first
  printf 'x%.0s' $(seq 20000)
  printf '\nrefused\nlast\n'
} >app.log
: >got
LD_LIBRARY_PATH=$libs timeout 12 "$daemon" -n -f rsyslog.conf -i "$work/pid" -M "$modules" >said 2>&1 || true
echo '-- the lines of app.log, cut to 30 characters, with their lengths'
awk '{ print length($0), substr($0, 1, 30) }' app.log
echo '-- what the program was given'
awk '{ print length($0), substr($0, 1, 30) }' got | uniq -c
long=$(awk 'length($0) > 1000 { print length($0) }' got)
if [ "${long:-0}" -ge 20000 ] || [ "$(grep -cx refused got)" -lt 2 ] || grep -qx last got; then
  echo 'CHANGED: a cut line, and a refused one that comes again and again, were expected'
  exit 1
fi
