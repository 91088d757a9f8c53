package paxos

// Principal is who a client is, as its connection proves it: the id that its certificate
// names, or Anonymous, which is everybody who shows none. A connection has one for as long
// as it lasts.
type Principal string

// Anonymous is the principal of every client that proves nothing. No certificate can name it.
const Anonymous Principal = "anonymous"
