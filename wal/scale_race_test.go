//go:build race

package wal

// How much the tests do. With the race detector Pebble checks its own invariants
// too, and is many times slower.
const (
	fewerSeeds = 4
	flips      = 8
)
