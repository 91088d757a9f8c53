// Package load appends from many clients at once, measures how long each append
// took, and holds what was answered against the log. It is the one load generator:
// of `paxlog bench`, of the comparison in bench/, and of the tests of real faults.
//
// A client is a goroutine with a session of its own (or one that it shares: the
// caller opens them) and at most Inflight unanswered appends, which it sends and
// whose answers it takes in order. When an append fails, so has its session: the
// client goes on in a new one. What the values are, what becomes of them, and how
// heavy the load is, Config says; a Meter counts.
//
// A Load runs once. Nothing here prints, and nothing knows about processes.
package load
