// Package hostile is for tests: it is a client, or a stranger, that means harm. Each Kind is one
// way to do it, which worked once, on some system or on this one. None needs more than what
// whoever reaches a port has: the name of the cluster and the addresses.
//
// Attacks run until their context ends, and dial again when they are cut off. Nothing that they
// send is to become an entry of the log, so that a check of the log has nothing to explain.
package hostile
