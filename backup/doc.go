// Package backup writes a log into a stream of bytes, checks such streams, and makes the
// directories of a new cluster out of them. It knows no network and no clock.
//
// # What a backup is
//
// A backup is what was chosen from one instance to another, value by value, exactly as it was
// chosen: entries with their sessions, numbers, ballots and times, no-ops, fences, and control
// commands. Before the values stands the state that learners had there, and after them the one
// that follows, both in the encoding of checkpoints (package learner). Whoever reads a backup
// applies the values to the first state with the code of learners, and must come to the second
// one, byte for byte. So a backup that reads well is one that a learner would have come through,
// and two backups fit together exactly if the one ends in the state that the other passes.
//
// A backup of a whole log begins with no state. That of a log that was trimmed begins with the
// checkpoint at which the log begins. One that is made since an earlier one (an increment) begins
// where that ends, and names its last sum.
//
// # Form
//
//	"paxlog backup 1\n" {length:4 body sum:32}*
//
// Sums are SHA-256 over the sum before, of the first one over what stands before it, the length
// and the body. So a sum stands for all that precedes it, and nothing can be left out,
// exchanged, repeated or changed unseen but by somebody who computes all sums anew: a backup is
// not signed. Nothing that a frame holds is looked at before its sum was.
//
// A body is a list of items: a kind, the length of the rest, and the rest. Numbers are the
// shortest uvarints.
//
//	header   the first item: what it is a backup of, and from where to where
//	base     a part of the state before the first value
//	value    instance, origin, time, batch
//	state    a part of the state after the last value
//	end      the last item: counts. Nothing follows
//
// Whoever reads one may be given anything: no memory is taken for what has not arrived, and
// every number is bounded where it is decoded.
//
// # Restore
//
// restore.go says how a log begins that is restored, and how its directories are made.
package backup
