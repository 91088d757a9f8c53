//go:build !race

package wal

// How much the tests do.
const (
	fewerSeeds = 1
	flips      = 40
)
