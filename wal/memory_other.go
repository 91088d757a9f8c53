//go:build !linux

package wal

// InMemory returns the kind of file system that dir is on if it lies in memory, so that
// a reboot loses what is written there, synced or not; else "", as here, where the
// system is not asked.
func InMemory(string) (string, error) { return "", nil }
