#!/usr/bin/env bash
# What:    SQLite 3 (modern versions alike), a table with `id INTEGER PRIMARY KEY`, as in an outbox.
# Guess:   Ids only grow, as those of a sequence do.
# Happens: A new id is the largest one in the table plus 1. Once the outbox was emptied, it begins again at 1.
#          Only AUTOINCREMENT remembers what it has given.
# Why:     A feeder appends each row under its id as the key of the retry and then deletes it. The next row has an
#          old key, the log answers that it has this entry already, the feeder deletes the row: it is lost,
#          and both did as they should.
# Paxlog:  Names a retry by a session that is new with each client and a number in it, which users cannot choose;
#          a feeder that keeps its own keys must keep them unique for ever.
# Needs:   The sqlite3 command, or apt-get to fetch it.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
sqlite=$(command -v sqlite3) || {
  { { apt-get download sqlite3 || { apt-get update && apt-get download sqlite3; }; } && dpkg -x sqlite3_*.deb .; } >setup.log 2>&1 || { cat setup.log; exit 1; }
  sqlite=$work/usr/bin/sqlite3
}
echo "sqlite $("$sqlite" --version | cut -d' ' -f1)"

ids() { # the ids of three rows, of which two were appended and deleted before the third
  "$sqlite" :memory: "CREATE TABLE outbox (id INTEGER PRIMARY KEY $1, entry TEXT);
    INSERT INTO outbox (entry) VALUES ('first'), ('second'); SELECT id FROM outbox;
    DELETE FROM outbox; INSERT INTO outbox (entry) VALUES ('third'); SELECT id FROM outbox;" | tr '\n' ' '
}
plain=$(ids '')
auto=$(ids AUTOINCREMENT)
echo "INTEGER PRIMARY KEY:               $plain"
echo "INTEGER PRIMARY KEY AUTOINCREMENT: $auto"
if [ "$plain" != '1 2 1 ' ] || [ "$auto" != '1 2 3 ' ]; then
  echo 'CHANGED: the third row was expected to have the id 1 again, and 3 with AUTOINCREMENT'
  exit 1
fi
