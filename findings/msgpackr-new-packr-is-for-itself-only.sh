#!/usr/bin/env bash
# What:    npm msgpackr 1.12.1: `pack(value)` beside `new Packr().pack(value)`.
# Guess:   The class is the same encoder with room for options.
# Happens: The function writes maps. The class turns on records: each message defines its shape as an
#          extension (type 0x72), and the values follow without names. @msgpack/msgpack stops behind the
#          definition. With `structures` the names leave the message altogether: two bytes for
#          {index: 7}, which even msgpackr cannot read without the list that the writer had.
# Why:     Entries of a log are read for years, by other languages and from any place on. Such an entry
#          is a riddle to all of them. `new Packr({useRecords: false})` writes plain maps.
# Paxlog:  Keeps entries as bytes and cannot know; use `pack` or useRecords: false for what goes in.
# Needs:   Node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts msgpackr@1.12.1 @msgpack/msgpack@3.1.3 >setup.log 2>&1 || { cat setup.log; exit 1; }
echo "msgpackr $(node -p 'JSON.parse(fs.readFileSync("node_modules/msgpackr/package.json")).version'), @msgpack/msgpack $(node -p 'JSON.parse(fs.readFileSync("node_modules/@msgpack/msgpack/package.json")).version'), node $(node --version)"

cat >main.cjs <<'JS'
const { Packr, pack, unpack } = require('msgpackr')
const other = require('@msgpack/msgpack')
const show = (what, bytes, decode) => {
  let seen
  try { seen = JSON.stringify(decode(bytes)) } catch (e) { seen = 'error: ' + e.message }
  console.log(what.padEnd(46), Buffer.from(bytes).toString('hex').padEnd(28), seen)
  return seen
}
const value = { index: 7 }
const short = new Packr({ structures: [] }).pack(value)
const a = show('pack(), read by @msgpack/msgpack', pack(value), other.decode)
const b = show('new Packr().pack(), read by @msgpack/msgpack', new Packr().pack(value), other.decode)
const c = show('new Packr().pack(), read by msgpackr', new Packr().pack(value), unpack)
const d = show('useRecords: false, read by @msgpack/msgpack', new Packr({ useRecords: false }).pack(value), other.decode)
const e = show('structures: [], read by msgpackr', short, unpack)
const whole = '{"index":7}'
if (a !== whole || b === whole || c !== whole || d !== whole || e === whole) {
  console.log('CHANGED: only the class with records was expected to be unreadable elsewhere')
  process.exit(1)
}
JS
node main.cjs
