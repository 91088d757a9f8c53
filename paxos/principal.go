package paxos

import "strings"

// Principal is who a client is, as its connection proves it: the id that its certificate
// names, or Anonymous, which is everybody who shows none. A connection has one for as long
// as it lasts.
type Principal string

// Anonymous is the principal of every client that proves nothing. No certificate can name it.
const Anonymous Principal = "anonymous"

// maxName bounds the names that a log has in its state, in bytes.
const maxName = 64

// IsValid reports whether p can be granted something.
func (p Principal) IsValid() bool { return IsName(string(p)) }

// IsName reports whether people may name something so in what a log decides about itself: with 1 to
// 64 letters, digits, and characters out of "-_.".
func IsName(name string) bool {
	return len(name) > 0 && len(name) <= maxName && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	})
}
