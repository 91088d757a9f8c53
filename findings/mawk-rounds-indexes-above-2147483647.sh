#!/usr/bin/env bash
# What:    mawk 1.3.4 20200120, the `awk` of Debian 12, and numbers above 2^31 - 1.
# Guess:   awk counts with doubles, so whole numbers are exact up to 2^53, and are printed as such (gawk does).
# Happens: A computed whole number above 2147483647 is printed with %.6g: 2147483648 + 1 is 2.14748e+09, and
#          printf %d stops at 2147483647. A field that is not touched is printed as it was.
# Why:     `--from $(awk '{print $1 + 1}' place)` resumes a reader for years, and from the entry 2,147,483,648 on it
#          asks for another place; times in ms are beyond that already. Use bash, gawk, or printf "%.0f".
# Paxlog:  Refuses `--from 2.14748e+09` with exit code 2, so the first wrong place is seen; `2147483647`, by printf %d,
#          it cannot know.
# Needs:   mawk, or apt-get to fetch it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mawk=$(command -v mawk) || {
  { { apt-get download mawk || { apt-get update && apt-get download mawk; }; } && dpkg -x mawk_*.deb .; } >setup.log 2>&1 || { cat setup.log; exit 1; }
  mawk=$work/usr/bin/mawk
}
"$mawk" -W version 2>&1 | head -1
next=$(echo 2147483648 | "$mawk" '{ print $1 + 1 }')
small=$(echo 2147483646 | "$mawk" '{ print $1 + 1 }')
whole=$(echo 2147483648 | "$mawk" '{ printf "%d", $1 + 1 }')
right=$(echo 2147483648 | "$mawk" '{ printf "%.0f", $1 + 1 }')
echo "2147483646 + 1, print:        $small"
echo "2147483648 + 1, print:        $next"
echo "2147483648 + 1, printf %d:    $whole"
echo "2147483648 + 1, printf %.0f:  $right"
if [ "$small" != 2147483647 ] || [ "$next" != 2.14748e+09 ] || [ "$whole" != 2147483647 ] || [ "$right" != 2147483649 ]; then
  echo 'CHANGED: numbers above 2147483647 were expected to be rounded by print, and cut by printf %d'
  exit 1
fi
