package node

import (
	"slices"
	"strings"
	"time"

	"github.com/paxlog/paxlog/config"
)

// atOnce are the keys of the cluster file that a process takes while it runs. Certificates are read again by
// themselves, and log_level is taken by whoever writes the log.
var atOnce = []string{"limits.connections", "limits.client_queue_bytes", "limits.disk_low_bytes", "log_level"}

// ReloadTLS reads the certificates again, if there are any.
func (n *Node) ReloadTLS() {
	if n.creds.IsOn() {
		n.credentialsRead(n.creds.Reload())
		n.net.Judge(time.Now())
	}
}

// Reload takes what a process can take of its cluster file, c, while it runs: the limits of atOnce. What else has
// changed is told: it takes a restart.
func (n *Node) Reload(c *config.Cluster) {
	now, later := n.takes(c)
	e := n.log.Info()
	if len(later) > 0 {
		e = n.log.Warn().Str("takes_a_restart", strings.Join(later, ", "))
	}
	if len(now) > 0 {
		e = e.Str("changed", strings.Join(now, ", "))
	}
	e.Msg("cluster file read")
}

// takes takes what of a cluster file can be taken at once, and returns the keys that have changed since the last
// one, and those that this process has otherwise until it is started again.
func (n *Node) takes(c *config.Cluster) (now, later []string) {
	n.reloadMu.Lock()
	defer n.reloadMu.Unlock()
	for _, key := range n.inForce.Differences(c) {
		if slices.Contains(atOnce, key) {
			now = append(now, key)
		} else {
			later = append(later, key)
		}
	}
	took := *n.inForce
	took.LogLevel = c.LogLevel
	took.Limits.Connections, took.Limits.ClientQueueBytes, took.Limits.DiskLowBytes = c.Limits.Connections, c.Limits.ClientQueueBytes, c.Limits.DiskLowBytes
	n.inForce = &took
	if p, err := n.placesFor(c.Limits.Connections); err == nil { // as at the start, which it was
		n.net.Limit(p.connections, c.Limits.ClientQueueBytes)
	}
	if n.store != nil {
		n.store.SetLow(uint64(c.Limits.DiskLowBytes))
	}
	return now, later
}
