package paxos

import "strings"

// Principal is who a client is, as its connection proves it: the id that its certificate
// names, or Anonymous, which is everybody who shows none. A connection has one for as long
// as it lasts.
type Principal string

// Anonymous is the principal of every client that proves nothing. No certificate can name it.
const Anonymous Principal = "anonymous"

// maxPrincipal bounds a principal that is granted something, in bytes.
const maxPrincipal = 64

// IsValid reports whether p can be granted something.
func (p Principal) IsValid() bool {
	return len(p) > 0 && len(p) <= maxPrincipal && !strings.ContainsFunc(string(p), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	})
}
