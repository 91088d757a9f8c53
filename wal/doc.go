// Package wal keeps the durable state of acceptors and learners, in Pebble, over
// an injectable file system.
//
// # A data directory
//
//	DIR/IDENTITY   cluster, role, id, membership, format, incarnation (JSON), written
//	               last by Init, so that a directory without it was never used
//	DIR/db/        Pebble
//
// # Keys
//
// One byte says what a key is; numbers in keys are 8 bytes, big endian.
//
//	m                       the incarnation: db belongs to IDENTITY
//	i <id>                  what is remembered of a peer: incarnation, commits, run, life
//	p                       acceptor: promised ballot
//	h                       acceptor: held
//	k                       acceptor: commits made so far, its life, whether it has to rejoin
//	v <instance>            acceptor: ballot and value of the vote, or the chosen value
//	l                       learner: applied, next index, time, floor, uses
//	c <instance>            learner: what it made of the instance, the value chosen,
//	                        and the runs applied where they differ from it
//	x <first index>         learner: the instance that these entries came from
//	s <session>             learner: a session
//	r <session> <sequence>  learner: where the runs of commands from it on are
//	d <number>              learner: what a commit did to sessions, not folded yet
//	f                       learner: runs up to this instance are folded
//
// # Why recovery is right
//
// A commit is one Pebble batch: all of it or nothing survives. Commits are
// ordered, and a crash keeps a prefix of them that contains every commit whose
// sync was waited for. An acceptor's promise and votes are in such commits before
// any message shows them, so what it told, it still knows. Its held mark and what
// it copies are not waited for: a prefix without them is merely older, and shows
// again the vote that stood there. A learner waits for nothing: its state is one
// commit an output, so a prefix is the state of an earlier moment, from which it
// learns on.
//
// A failed write or sync is final: whether the data is on disk is unknown, and
// asking again may be answered from a page that the kernel marked clean. The
// Fatal function is called, which must stop the process, and nothing is answered.
//
// Pebble cannot tell a lost tail from a clean end: a damaged last block of its
// log, a damaged end of its MANIFEST, or a missing newest log all open without
// an error. Where later writes are there and earlier ones are not, or hidden ones
// would come back, Open refuses (whole.go). A directory that lost its tail, and so
// is as it once was, this package does not detect. An acceptor that opens it, or an
// old copy, is found out by its peers, which remember the number of commits that it
// spoke of (paxos.Mark); a learner is merely earlier.
//
// A Store may be used from several goroutines; Commits must be made by one.
package wal
