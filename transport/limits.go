package transport

import "time"

// Sizes of a connection.
const (
	ioBuffer   = 64 << 10  // read at once; a frame that fits is decoded where it lies
	writeChunk = 256 << 10 // frames are coalesced up to about this before a write
	// idleBuffer is what a connection keeps to write with when all is written.
	idleBuffer = 16 << 10
	// sendBuffer bounds what the kernel holds, which nothing can overtake. It costs
	// throughput only where bandwidth times round trip exceeds it.
	sendBuffer = 1 << 20
	// maxPush bounds what a sender encodes and writes itself; a larger queue is left to
	// the write loop.
	maxPush = 16 << 10
	// maxPushes bounds the connections that one SendAll writes itself.
	maxPushes = 32
	// yieldEach is after how many messages of one client its reader lets others go first.
	yieldEach = 32
	// passConns is how many connections a poller reads before the machine is stepped.
	passConns = 64
	// serverReserve is how many connections clients cannot take; where there are few, half.
	serverReserve = 64
	// givingWay is how many connections more than are allowed may be open for a moment, for
	// those that give way to another principal's have to be closed yet.
	givingWay = 16
)

// Sizes of a handshake.
const (
	helloBytes = 64 << 10 // of each of its frames
	// helloBuffer is what a connection is read with before it has said who it is: a greeting fits.
	helloBuffer = 4 << 10
	// maxGreetings is how many connections may be silent at once, where no fewer are asked for.
	maxGreetings = 128
	// refusalBytes bounds the sentence of a refusal: what a stranger says of itself is
	// repeated there, and must not make the frame too long to be read.
	refusalBytes = 8 << 10
)

// Times.
const (
	// burst is how close two messages must follow each other to be taken for a burst.
	burst = 100 * time.Microsecond
	// partingTime bounds how long it may take to tell a peer why its connection ends.
	partingTime = time.Second
	// settleTime is how long a process that knows nothing of its log waits for more to
	// answer than those that have.
	settleTime = 200 * time.Millisecond
	// resolveTime is how long resolving may take: two name servers that are dead, at 5 s
	// each, which is what resolvers give them.
	resolveTime = 10 * time.Second
	// resolvePatience is how long an answer is waited for while there is an old one.
	resolvePatience = 100 * time.Millisecond
	// usefulTime is how long a connection must last to have been of use. One that ends at
	// once is no reason to hurry, whoever ended it.
	usefulTime = time.Second
	minBackoff = 20 * time.Millisecond
	// leastSilence is for how long a stranger keeps its place, where nothing else is asked for.
	leastSilence = 100 * time.Millisecond
	// gathering is for how long after its start a process keeps no places: everybody dials it anew.
	gathering = 10 * time.Second
)

// maxBackoffs bound the wait after each outcome of dialling; backoff says why they differ.
var maxBackoffs = [...]time.Duration{
	unreachable: 500 * time.Millisecond,
	useless:     5 * time.Second,
	replaced:    30 * time.Second,
	served:      minBackoff,
}
