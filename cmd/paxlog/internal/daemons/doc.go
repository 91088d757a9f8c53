// Package daemons holds the commands that run processes of a cluster: init, acceptor,
// proposer, learner, and dev, which runs a whole cluster in one process. A daemon
// serves until a signal closes it cleanly; serve.go has what they share.
package daemons
