//go:build !linux

package transport

import "github.com/paxlog/paxlog/paxos"

// poller is only there where the system has epoll.
type poller struct{}

func newPoller(*Network) *poller { return nil }

func pollersHere() int { return 0 }

func (*poller) loop() {}

func (*poller) serve(*conn, paxos.NodeID, paxos.Role) (bool, error) { return false, nil }

func (*poller) close() {}

func isLeft(stream) bool { return false }
