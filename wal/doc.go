// Package wal keeps the durable state of acceptors and learners, in Pebble, over
// an injectable file system.
//
// # A data directory
//
//	DIR/IDENTITY   cluster, role, id, membership, format, incarnation (JSON), written
//	               last by Init, so that a directory without it was never used
//	DIR/db/        Pebble
//	DIR/RESERVE-1  space that is laid by; also RESERVE-2
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
//	g                       what the log has decided about itself, up to held or applied;
//	                        absent at level 0 (package control)
//	v <instance>            acceptor: ballot and value of the vote, or the chosen value
//	l                       learner: applied, next index, time, floor, uses; if it was
//	                        trimmed, or counts bytes, the first index and the first instance
//	                        kept; the bytes of values; the chain of applied, and that of
//	                        what was trimmed
//	c <instance>            learner: its chain, what it made of the instance, the value
//	                        chosen, and the runs applied where they differ from it
//	x <first index>         learner: the instance that these entries came from
//	s <session>             learner: a session
//	r <session> <sequence>  learner: where the runs of commands from it on are
//	d <number>              learner: what a commit did to sessions, not folded yet
//	f                       learner: runs up to this instance are folded
//	o                       learner: the floors of the owners of sessions, absent before there are any
//	w                       learner: why it serves nobody any more, absent if it does
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
// Fatal function is called, which must stop the process and not return, and nothing is
// answered. It is called before Pebble hears of the error (writable.go): Pebble would
// panic, or end the process with a trace.
//
// Pebble cannot always tell a lost tail from a clean end. These open without an error: a
// MANIFEST with a damaged end; a newest log that is missing; and a newest log with damage
// in it, which is then taken for its end. The last synced commit vanishes so wherever it
// is damaged, as a whole, however long it is. Of damage before it Pebble finds out some:
// chunks of a log say how far it was synced before them, but Pebble 2.1.7 leaves the
// blocks that were filled out of that count. In the first log that it makes no chunk says
// so; Init closes the database, and no vote is in that one.
//
// Where later writes are there and earlier ones are not, or hidden ones would come back,
// Open refuses (lostwrites.go). A directory that lost its tail, and so is as it once was,
// this package does not detect. An acceptor that opens it, or an old copy, is found out
// by its peers, which remember the number of commits that it spoke of (paxos.Mark); a
// learner is merely earlier.
//
// # A disk that is full
//
// A store lays by a reserve (volume.go): two files beside db that hold blocks and no bytes.
//
//   - RESERVE-1 is given up when a write finds no room, and the write goes on: of a write, unlike
//     a sync, the system says how much it has taken, and takes the rest when it is told again.
//     RESERVE-2 goes when another write finds none. The first write that finds none after that
//     is final, as any that fails.
//   - A start that has no room takes RESERVE-2, and then RESERVE-1. The former is as large as what
//     a start needs: it copies into tables what the logs hold.
//
// That is the last resort. Before it a store says that it is short (Room): when less is free
// than Options.LowBytes, or an eighth of a small volume, beside what it has to write though
// nothing new comes: the table of a memtable, and the next log. How many bytes of values there is
// room for depends on what one costs: two bytes at least, a log and a table, and more where other
// stores are on the volume, or others write there. That is measured as it goes. Whoever uses a
// store takes no values then but those that others wait for, and what makes room: commands that
// trim. Logs are made ready no more ahead of time. A store is short until there is room for the
// whole reserve again, and some more.
//
// Under a quota the system may say that more is free than this user gets. So after a write that
// found no room a store is short until as much as all that can be had for a moment.
//
// That the system does not say what is free (an error of statfs) is told, and ends nothing: what was
// known last counts until it says it again.
//
// Example: five stores are on a volume of 100 MiB, with memtables of 1.5 MiB and 10 MB laid by
// each. Each byte of a value costs 8 of the volume. They are short when 17 MB are free.
//
// # Who may have it open
//
// One process writes. Inspect takes a lock that only writers are kept out by, and changes
// nothing, not even the times of a file: several may read at once, with read rights only,
// also from a file system that is mounted read-only.
//
// # Versions
//
// IDENTITY has the version of the layout, a file of Pebble's the version of its own
// files. Init makes both in the version of this program. Open leaves both as they are,
// and refuses newer ones, so that the version of paxlog that wrote a directory can go on
// with it. Only format 1 becomes 2, since it has no place for an acceptor's mark. And a
// directory becomes one of format 4 when the log that it is of gets a level (package
// control): before the first commit with a vote for the command that says so, or with what
// follows from it. An earlier release would pass over what that log decides about itself, and
// refuses the directory from then on. While the log has no level, it can go on with it. A
// learner's directory of format 2 becomes one of format 5, which is 2 with that word.
//
// # Pebble for a log
//
// Nearly all bytes are values: large, under keys that grow, and hardly ever
// overwritten. They have to be written twice, to Pebble's log and to a table.
// BenchmarkWritten counts what is written for each byte appended, as its file system
// sees it; each line is of 1 to 4 GiB, the mean of two runs, but the peak on the right
// of one. CPU is the process's for each MiB appended, peak its memory in MiB, read how
// many MiB of values a second are read in order.
//
//	                                     Pebble's defaults         as in tune.go
//	                                  written CPU ms peak read  written CPU ms peak read
//	acceptor  votes of 64 KiB           2.04   2.7  299  1260    2.01   2.2  188  1200
//	          the same, lines of text   1.33   2.9  311   990    1.26   2.3  182  1080
//	          votes, and copies         2.63   4.2  344  1350    2.00   2.3  199  1260
//	          16 of 4 KiB a commit      2.08   4.8  276   660    2.03   2.5  192  1040
//	          64 of 256 B a commit      2.42   7.1  245   330    2.33   5.4  162   420
//	learner   one session               2.58   4.9  239  1120    2.02   4.2  169  1120
//	          1000 sessions             4.70    25  224   750    2.65    15  151   910
//	          the same, folded          2.54   8.9  289  1015    2.41   9.4  232  1046
//
// A learner's commit is 64 KiB of one session, or 256 bytes of each. The last line is
// as it is now, once; in the line before it, and in the list, each session and run had a
// key of its own in each commit. Of the last line 1.24 is Pebble's log.
//
//	option                     was      is       why
//	SpanPolicyFunc             none     apart    A table held the keys that are overwritten
//	                                             beside values, so that each overlapped the
//	                                             one before: 4 GiB of one session 2.9 to
//	                                             2.0, 1000 sessions 4.8 to 3.8.
//	TargetFileSizes[1]         4 MiB    2 MiB    It bounds what a compaction takes along from
//	                                             beside it: 1000 sessions 3.8 to 3.3 (with the
//	                                             smaller memtables).
//	TargetFileSizes[0]         2 MiB    8 MiB    A quarter of the tables. Larger ones overlap
//	                                             where old instances are copied: 32 MiB 3.8.
//	L0CompactionThreshold      4        16       1000 sessions 3.3 to 2.7 with 8, to 2.6 with 16.
//	L0StopWritesThreshold      12       32       Must be well above it.
//	L0CompactionFileThreshold  500      8192     Beyond it, so from about 64 GiB on, every flush is
//	                                             compacted: 1000 sessions 3.8, seen with 10.
//	MemTableSize               64 MiB   32 MiB   Memory; 16 MiB is 2.7 for 1000 sessions.
//	                                             Acceptors' differ by 2 MiB each, so that
//	                                             they do not fill them at the same instance.
//	BlockSize                  4 KiB    32 KiB   256-byte votes: CPU 8.5 to 6.9 ms, 2.36 to 2.33.
//	Compression                Snappy   Fastest  The same size with less CPU. None: text 2.0. Zstd:
//	                                             text 1.15, but read a seventh slower. Of what
//	                                             does not compress it tries one block in ten: trying
//	                                             all was a tenth of an acceptor's CPU (0.81 us of
//	                                             7.7 an append of 256 B, pipelined; now 0.09).
//
//	CompactionScheduler        ticks    no tick  An idle store was woken 10 times a second to see
//	                                             whether something may be compacted.
//	Preallocate                35 MiB   as much  A store without an entry held 36 MB, now 1.2; one
//	                                    as the   of 20 MiB of entries 180 and now 36 (logfile.go).
//	                                    memtable
//
// Left as they are: two memtables (a third costs 20 MiB and gains nothing); and, not
// measured, recycling of logs, which is on; no Bloom filters, since no absent key is
// looked up; no delay of syncs. Values in blob files of their own come to 2.00 and 2.60:
// no better up to the 8192 tables, 2.9 beyond them, and one more kind of file that can
// be damaged.
//
// # Who is woken for a commit
//
// Pebble copies a commit into its memory, and a goroutine of its own writes and syncs the
// log, and then wakes who waits. Here nobody waits: the file that Pebble writes to knows
// which commits it holds (logfile.go), and tells Options.Synced in that goroutine when they
// are durable. Most commits cannot have to wait for the disk before that (Commit.MayWait),
// so whoever made one applies it.
//
// A Store may be used from several goroutines; Commits must be made by one at a time.
package wal
