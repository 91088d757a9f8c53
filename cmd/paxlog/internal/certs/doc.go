// Package certs holds the command cert, which makes certificates for the names of a cluster
// file. It needs no process that runs.
package certs
