// Package program says which program this is. It is a leaf: the command version prints it, and
// every process tells it in its status.
package program

import (
	"runtime/debug"
	"sync"
)

// maxVersion bounds a version that others are told, in bytes.
const maxVersion = 64

// Version is that of this program as its build noted it, or "unknown".
var Version = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version[:min(len(info.Main.Version), maxVersion)]
	}
	return "unknown"
})
