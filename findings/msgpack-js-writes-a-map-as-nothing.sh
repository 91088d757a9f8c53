#!/usr/bin/env bash
# What:    npm @msgpack/msgpack 3.1.3, encode() of a Map, a Set and an Error.
# Guess:   A Map becomes a MessagePack map, its natural form, or an error: a BigInt throws, too.
# Happens: Each is written as the empty map, one byte 0x80, and nobody is told. msgpackr 1.12.1 writes the Map.
# Why:     An entry that lost all its content is appended, acknowledged, and found out at the first read.
#          Use Object.fromEntries, or an extension codec.
# Paxlog:  Keeps entries as bytes and cannot know.
# Needs:   Node and npm.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --silent --no-audit --no-fund --ignore-scripts msgpackr@1.12.1 @msgpack/msgpack@3.1.3 >setup.log 2>&1 || { cat setup.log; exit 1; }
echo "@msgpack/msgpack $(node -p 'JSON.parse(fs.readFileSync("node_modules/@msgpack/msgpack/package.json")).version'), msgpackr $(node -p 'JSON.parse(fs.readFileSync("node_modules/msgpackr/package.json")).version'), node $(node --version)"

cat >main.cjs <<'JS'
const { encode } = require('@msgpack/msgpack')
const { pack } = require('msgpackr')
const hex = bytes => Buffer.from(bytes).toString('hex')
const values = { Map: new Map([['a', 1]]), Set: new Set(['a']), Error: new Error('disk full') }
let changed = false
for (const [name, value] of Object.entries(values)) {
  console.log(name.padEnd(6), '@msgpack/msgpack:', hex(encode(value)), ' msgpackr:', hex(pack(value)))
  changed ||= hex(encode(value)) !== '80'
}
let bigint = 'written'
try { encode(5n) } catch (e) { bigint = 'error: ' + e.message }
console.log('BigInt @msgpack/msgpack:', bigint)
if (changed || bigint === 'written') {
  console.log('CHANGED: Map, Set and Error were expected as the empty map, and an error for BigInt')
  process.exit(1)
}
JS
node main.cjs
