// Package issue makes the certificates that package credentials believes: two authorities for
// a cluster, and certificates for its processes and clients by them, in one directory. It
// needs no process that runs. A cluster whose certificates come from elsewhere does without it.
//
// Keys are of ECDSA on P-256. A file is never written over; a certificate is renewed for the
// same key, so that the two always fit.
package issue
