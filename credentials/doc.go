// Package credentials says by what a process proves who it is on a TLS connection, and what
// it believes of others. It reads files, and knows no connection.
//
// An identity is one URI in a certificate, paxlog://CLUSTER/ROLE/ID, the role being acceptor,
// proposer, learner or client. Nothing else in a certificate says who it is for: names of
// hosts, addresses and common names are not looked at, since processes move, and since
// authorities give those for other reasons, too. A certificate with more than one URI is
// refused: it would be for the holder to choose who to be.
//
// There are two kinds of authorities. Those of peers vouch for acceptors, proposers and
// learners, those of clients for clients, and for nobody else: a chain from an authority of
// clients never makes an acceptor, whatever the certificate says, nor the other way round. So
// whoever gives certificates to applications cannot break the log's safety. No key may be an
// authority of both kinds.
//
// A Snapshot is what is in force at one moment: the own certificate and key, the authorities,
// and what they have revoked. It never changes, so a connection is judged by one state of all
// files. A Store holds the newest, and takes another one when the files have changed. What
// cannot be used is refused, and told, and what was there before stays: a pair that does not
// fit, has expired, or is another process's, and a list of authorities or of revocations that
// cannot be read. The parts are taken one by one, so that a revocation is in force although the
// own certificate could not be renewed.
//
// Package crypto/x509 does not look at revocations, and crypto/tls not at certificates of
// connections that it resumes: this package does the first, and nobody resumes a connection.
// A list of revocations that is older than it wants to be stays in force, and that is told:
// to believe nobody any more would end the log for a file that was not renewed.
//
// A Store may be used from any goroutine; a Snapshot is read only.
package credentials
