//go:build !unix

package node

// openFiles is how many files this process may open, 0 if there is no limit.
func openFiles() int { return 0 }
