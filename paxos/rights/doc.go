// Package rights says who may send what. It does no I/O.
//
// # Who somebody is
//
// A client is the principal that its connection proves (paxos.Principal): the name in its
// certificate, or paxos.Anonymous. What it says of itself in a message counts nowhere.
//
// # What the log grants
//
// Rights stand in the log (package control, SetGrant): a list of principals, and of each what it
// may do. What Anonymous has everybody has, for everybody can leave their certificate at home.
// So a log without any grant is as open as it was before there were rights, and nobody is locked
// out of a new one. Granting something takes nothing from anybody. It becomes narrow when rights
// are taken from Anonymous, which somebody does on purpose.
//
// Two rules keep a log from being locked for good:
//
//   - A command that would leave nobody with admin is void, for everybody who applies it.
//   - A leader takes a change only from who has admin after it, too. So whoever closes the door
//     has shown just now that they have the key: a name that is mistyped, or a certificate that
//     nobody can show since no process asks for one, closes nothing.
//
// Who can undo it: anybody who has admin, and so whoever keeps the key of the authority that
// signs client certificates, since that one can name any principal. Where that key is lost, or
// TLS was switched off after Anonymous lost admin, the rest of the way is a backup, which needs
// read: a restored log has no grants.
//
// # Who judges
//
// Every process judges what a client sends to it, by the table of messages (paxos.Row), before its
// machine sees it, and by the grants that it knows:
//
//   - A learner and an acceptor by what stands in the log up to where they have got. So what a
//     learner has and the rights by which it shows that are of the same instance: nobody reads an
//     entry who had no right to read when it was learned. Who loses a right is told so by a
//     learner that learns of it, also where it waits for something.
//   - A leader by what it knows to be chosen. It judges appends that standbys pass on, too, which
//     say from whom they are: a client's own claim is overwritten by the first proposer.
//   - A standby by what two acceptors show it alike, if there are two (package proposer, "What one acceptor
//     says"). They say at which instance the grants that they hold have changed last. As long as a
//     standby has not heard of so many, or has not got grants that they have, it refuses what needs a
//     right. That keeps nobody from anything that a log without grants allows, but from draining a
//     proposer that reaches too few acceptors.
//
// # Whose a session is
//
// The ids of sessions stand in every page of the log. Were that all it takes, whoever reads the log could send the
// next number of another's session: its client, which sends that number, too, would be told success
// for bytes that it never sent, or could be ended by a fence. So an id says who made it, by the
// owner that the learner puts into it at which it begins (paxos.Stamp).
//
//   - The first proposer that an append reaches knows its sender by the connection, and refuses an append
//     to a session of another owner. A leader judges what is passed on by what the standby says of the
//     sender. Learners tell results to the owner only.
//   - Only who has admin fences another's session. Its commands stay what they were: whoever made it is
//     told that it was closed.
//   - What the client itself puts into an id helps nobody: an id with another owner than the sender is
//     refused, one with its own is its own, and a session is begun by its first command.
//
// A session that names no owner, or Anonymous, is anybody's: those cannot be told apart. So are all where a process
// asks no client for a certificate (Gate.Blind): it lets everybody pass, lest appends fail while a
// cluster is given certificates.
//
// What is under way when a right is taken away may still happen: an append that the leader took
// before it knew of that is in the log.
//
// Where the level of a log has no grants, everybody has all rights.
package rights
