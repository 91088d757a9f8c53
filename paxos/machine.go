package paxos

// Machine is a role, an acceptor, a proposer or a learner, or a client. It is deterministic
// and does no I/O, reads no clock and draws no randomness of its own.
//
// A driver calls Tick before the first Step. After that a turn is: Tick, Step for each
// message that waits, Tick, Flush, Next. All effects since the last Flush come out of it,
// so that what arrives together is written, synced and sent together. No method may be
// called concurrently.
//
// There is no tick without a reason. A turn takes place when a message has come, or at the
// time that Next returned, and Tick does nothing but note the time before that: a machine that is
// told the time more often than it asked does nothing else, and nothing earlier.
//
// The first Tick of a turn says when it is, so that what is stepped is dated. Where
// something is due by then it says the last moment before that: what has arrived is
// evidence that came in time, and is stepped before the timers run out. Example: a process
// was kept from its processor for 40 ms, and the answers that its leader lives by lie in
// the inbox. That does not hold after a pause: see Late.
type Machine interface {
	// Step handles a message that the transport authenticated as coming from
	// the node from. Local messages come from the machine's own id.
	Step(from NodeID, m Message)
	// Tick tells the time. mono never goes back; wall may jump.
	Tick(mono Ticks, wall UnixNanos)
	// Flush returns what the driver must do.
	Flush() Output
	// Next is when the machine wants to be told the time, if no message comes before:
	// Never, if it waits for messages only. A time that has passed means as soon as time
	// has gone on. It is asked after Flush, and costs little.
	Next() Ticks
}

// Output is what a driver must do for a machine, in this order:
//
//  1. send SendNow;
//  2. apply Writes, in order, as one atomic commit after all earlier ones;
//  3. perform Loads: each sees every write of this and earlier outputs, and its
//     result comes back as a Loaded message;
//  4. once the commit (if Sync) and all earlier synced commits are durable, send
//     SendAfter and step Synced.
//
// A failed write or sync is fatal: the driver stops the process, and sends nothing.
type Output struct {
	SendNow   []Envelope
	Writes    []Record
	Sync      bool
	Loads     []Load
	SendAfter []Envelope
	Notes     []Note
	// Ready, from a learner, says that it caught up, or knows that it cannot.
	Ready bool
	// Stopped answers Stopping, from a machine that had something to finish.
	Stopped bool
	// Halt, if not empty, says why this process must stop for good.
	Halt string
}

// Empty reports whether there is nothing to do.
func (o *Output) Empty() bool {
	return len(o.SendNow) == 0 && len(o.Writes) == 0 && !o.Sync && len(o.Loads) == 0 &&
		len(o.SendAfter) == 0 && len(o.Notes) == 0 && !o.Ready && !o.Stopped && o.Halt == ""
}

// Envelope is a message and where it goes. Delivery is not guaranteed.
type Envelope struct {
	To  NodeID
	Msg Message
}

// Note is something an operator must know, for the log.
type Note struct {
	Warn   bool
	Text   string
	Fields []Field
}

// Field is one named detail of a Note.
type Field struct {
	Key   string
	Value any
}

// Outbox collects the Output of a machine; machines embed it.
type Outbox struct{ Out Output }

// Send queues a message that carries no vote and no promise.
func (o *Outbox) Send(to NodeID, m Message) {
	o.Out.SendNow = append(o.Out.SendNow, Envelope{to, m})
}

// After queues a message that leaves when everything written so far is durable.
func (o *Outbox) After(to NodeID, m Message) {
	o.Out.SendAfter = append(o.Out.SendAfter, Envelope{to, m})
}

// Write queues changes of durable state.
func (o *Outbox) Write(r ...Record) { o.Out.Writes = append(o.Out.Writes, r...) }

// Load queues a read of durable state.
func (o *Outbox) Load(l Load) { o.Out.Loads = append(o.Out.Loads, l) }

// Info and Warn queue a note; kv alternates keys and values.
func (o *Outbox) Info(text string, kv ...any) { o.note(false, text, kv) }

// Warn is Info for what an operator should look into.
func (o *Outbox) Warn(text string, kv ...any) { o.note(true, text, kv) }

func (o *Outbox) note(warn bool, text string, kv []any) {
	n := Note{Warn: warn, Text: text}
	for i := 0; i+1 < len(kv); i += 2 {
		n.Fields = append(n.Fields, Field{Key: kv[i].(string), Value: kv[i+1]})
	}
	o.Out.Notes = append(o.Out.Notes, n)
}

// Take returns the collected output and starts a new one.
func (o *Outbox) Take() Output {
	out := o.Out
	o.Out = Output{}
	return out
}
