package config

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// edit returns the documentation's file with one line replaced or removed.
func edit(line int, with string) string {
	lines := strings.SplitAfter(orders, "\n")
	lines[line-1] = with
	return strings.Join(lines, "")
}

// many returns n acceptors as a flow list.
func many(n int) string {
	var items []string
	for i := range n {
		items = append(items, fmt.Sprintf("{id: x%d, addr: 'h:%d'}", i, i+1))
	}
	return "[" + strings.Join(items, ", ") + "]"
}

// refusals are files that Parse refuses, with the exact message.
var refusals = []struct{ text, want string }{
	// The document.
	{"", "f: the file is empty: it must name a cluster, its acceptors, proposers and learners"},
	{"# nothing\n", "f: the file is empty: it must name a cluster, its acceptors, proposers and learners"},
	{"---\n", "f: the file is empty: it must name a cluster, its acceptors, proposers and learners"},
	{orders + "---\ncluster: other\n", "f:12: a second document begins here: keep one cluster in a file"},
	{"- a\n- b\n", "f:1: the file must hold keys and values, not a list"},
	{"hello\n", `f:1: the file must hold keys and values, not "hello"`},
	{"cluster: a\nacceptors: [\n", "f:2: this is not YAML: did not find expected node content; the slip may be in a later line"},
	{edit(4, "  - {id: a2, addr: [::1]:7101}\n"), `f:4: this is not YAML: the address [::1]:7101 needs quotes, because YAML gives [ and : a meaning of its own: write addr: "[::1]:7101"`},
	{edit(4, "  - {addr: ::1, id: a2}\n"), `f:4: this is not YAML: the address ::1 needs quotes, because YAML gives [ and : a meaning of its own: write addr: "::1"`},
	{edit(4, "  - id: a2\n    addr: [fe80::1%eth0]:7101\n"), `f:5: this is not YAML: the address [fe80::1%eth0]:7101 needs quotes, because YAML gives [ and : a meaning of its own: write addr: "[fe80::1%eth0]:7101"`},
	{edit(4, "  - id: a2\n    addr: [\"::1\"]\n"), `f:5: acceptors[1].addr must be one value, not a list: an address of IPv6 needs quotes, as in "[::1]:7101"`},
	{edit(4, "  - {id: a2, addr: '::1'}\n"), `f:4: acceptors[1].addr: "::1" is not HOST:PORT: an address of IPv6 stands in brackets, all of it in quotes, as in "[::1]:7101"`},
	{"? [a]\n: b\n", "f:1: a key must be a word, not a list"},

	// Keys.
	{orders + "colour: red\n", `f:12: unknown key "colour": the file may hold cluster, acceptors, proposers, learners, quorum, timeouts, limits, tls, log_level`},
	{edit(4, "  - {id: a2, adr: b:1}\n"), `f:4: unknown key "acceptors[1].adr": acceptors[1] may hold id, addr`},
	{orders + "timeouts:\n  heartbeat: 50ms\n  hartbeat: 1s\n", `f:14: unknown key "timeouts.hartbeat": timeouts may hold heartbeat, election_min, election_max, retry, stall, read, dial, handshake, idle`},
	{orders + "limits: {entry_bytes: 16, batch_bytes: 16, queue_bytes: 4095}\n", "f:12: limits.queue_bytes: 4095 is below 4KiB: however small an entry is, an append weighs about 128 bytes, and a leader needs room for some"},
	{orders + "limits: {entry_bytes: 16, batch_bytes: 16, conn_queue_bytes: 64}\n", "f:12: limits.conn_queue_bytes: 64 is below 64KiB: however small an entry is, a message weighs about 128 bytes, and hundreds of them must find room"},
	{orders + "limits: {entry_bytes: 16, batch_bytes: 16, inbox_bytes: 65535}\n", "f:12: limits.inbox_bytes: 65535 is below 64KiB: however small an entry is, a message weighs about 128 bytes, and hundreds of them must find room"},
	{orders + "limits: {windows: 1}\n", `f:12: unknown key "limits.windows": limits may hold entry_bytes, batch_bytes, window, queue_bytes, conn_queue_bytes, client_queue_bytes, connections, sessions, page_bytes, inbox_bytes, disk_low_bytes`},
	{orders + "quorum: {phase3: 1}\n", `f:12: unknown key "quorum.phase3": quorum may hold phase1, phase2`},
	{orders + "cluster: again\n", `f:12: "cluster" is given twice, first on line 1: keep one of them`},
	{orders + "limits:\n  window: 1\n  window: 2\n", `f:14: "limits.window" is given twice, first on line 13: keep one of them`},
	{orders + "tls: {cert: x}\n", "f:12: tls.mode is missing: add `mode: off`, `mode: accept` or `mode: require`"},
	{orders + "tls:\n", "f:12: tls must hold keys and values, not nothing"},
	{orders + "tls: {mode: on}\n", `f:12: tls.mode: "on" is none of off, accept and require`},
	{orders + "tls:\n  mode: accept\n  key: b\n", "f:12: tls.cert is missing: with `mode: accept` add `cert: FILE` (`paxlog cert` makes such files, and prints the whole section)"},
	{orders + "tls: {mode: require, cert: a, key: b}\n", "f:12: tls.peer_ca is missing: with `mode: require` add `peer_ca: FILE` (`paxlog cert` makes such files, and prints the whole section)"},
	{orders + "tls: {mode: require, ca: a}\n", `f:12: unknown key "tls.ca": tls may hold mode, cert, key, peer_ca, client_ca, crl`},
	{edit(1, "cluster: or..ders\n") + "tls: {mode: accept, cert: a, key: b, peer_ca: c}\n", `f:1: cluster: "or..ders" cannot stand in a certificate: with TLS a name neither begins nor ends with a dot, and has no two side by side`},

	// Kinds of values.
	{edit(1, "cluster: [a]\n"), "f:1: cluster must be one value, not a list"},
	{edit(1, "cluster:\n"), "f:1: cluster must be one value, not nothing"},
	{edit(3, "  - a1\n"), `f:3: acceptors[0] must hold keys and values, not "a1"`},
	{edit(3, "  - {id: {a: b}, addr: b:1}\n"), "f:3: acceptors[0].id must be one value, not keys and values"},
	{"cluster: &x c\nacceptors: *x\n", "f:2: acceptors must be a list of {id: …, addr: …}, not a reference to another place"},
	{orders + "quorum: 2\n", `f:12: quorum must hold keys and values, not "2"`},
	{orders + "quorum: {phase1: two}\n", `f:12: quorum.phase1: "two" is not a number of acceptors`},
	{orders + "quorum: {phase1: -1}\n", `f:12: quorum.phase1: "-1" is not a number of acceptors`},
	{orders + "timeouts: {retry: 100}\n", `f:12: timeouts.retry: "100" is not a duration such as 150ms or 3s`},
	// YAML libraries that decode into a whole number make 1 of 1.5 and 2^63 of 2^64.
	{orders + "limits: {entry_bytes: 1.5}\n", `f:12: limits.entry_bytes: "1.5" is not a number of bytes such as 65536, 64KiB or 1MiB`},
	{orders + "limits: {sessions: 1e3}\n", `f:12: limits.sessions: "1e3" is not a whole number such as 64`},
	{orders + "limits: {sessions: 0x40}\n", `f:12: limits.sessions: "0x40" is not a whole number such as 64`},
	{orders + "limits: {queue_bytes: 18446744073709551616}\n", `f:12: limits.queue_bytes: "18446744073709551616" is not a number of bytes such as 65536, 64KiB or 1MiB`},
	{orders + "limits: {window: 1KiB}\n", `f:12: limits.window: "1KiB" is not a whole number such as 64`},
	{orders + "limits: {entry_bytes: 1MB}\n", `f:12: limits.entry_bytes: "1MB" is not a number of bytes such as 65536, 64KiB or 1MiB`},
	{orders + "limits: {entry_bytes: 99999999999GiB}\n", `f:12: limits.entry_bytes: "99999999999GiB" is not a number of bytes such as 65536, 64KiB or 1MiB`},

	// The cluster's name.
	{edit(1, ""), "f: the cluster has no name: add `cluster: NAME`"},
	{edit(1, "cluster: ''\n"), "f:1: the cluster has no name: add `cluster: NAME`"},
	{edit(1, "cluster: a b\n"), `f:1: cluster: "a b" is not a name: use 1 to 64 of the characters A-Z a-z 0-9 . _ -`},

	// Processes.
	{"cluster: c\n", "f: acceptors: a cluster needs at least one acceptor: add `acceptors: [{id: …, addr: HOST:PORT}]`"},
	{"cluster: c\nacceptors: [{id: a, addr: 'h:1'}]\n", "f: proposers: a cluster needs at least one proposer: add `proposers: [{id: …, addr: HOST:PORT}]`"},
	{"cluster: c\nacceptors: [{id: a, addr: 'h:1'}]\nproposers: [{id: p, addr: 'h:2'}]\nlearners: []\n", "f:4: learners: a cluster needs at least one learner: add `learners: [{id: …, addr: HOST:PORT}]`"},
	{"cluster: c\nacceptors: " + many(65) + "\n", "f:2: acceptors: 65 of them, over the limit of 64"},
	{edit(3, "  - {addr: h:1}\n"), `f:3: acceptors[0].id: "" is not an id: use 1 to 32 of the characters A-Z a-z 0-9 _ -`},
	{edit(3, "  - {id: '@a', addr: h:1}\n"), `f:3: acceptors[0].id: "@a" is not an id: use 1 to 32 of the characters A-Z a-z 0-9 _ -`},
	{edit(4, "  - {id: a1, addr: h:1}\n"), `f:4: acceptors[1].id: "a1" is already the id of acceptors[0] (line 3): every process needs its own`},
	{edit(10, "  - {id: a3, addr: h:1}\n"), `f:10: learners[0].id: "a3" is already the id of acceptors[2] (line 5): every process needs its own`},
	{edit(4, "  - {id: a2, addr: 10.0.0.1:7101}\n"), `f:4: acceptors[1].addr: "10.0.0.1:7101" is already the address of acceptors[0] (line 3): every process needs its own`},
	{edit(7, "  - {id: p1, addr: 10.0.0.1:07101}\n"), `f:7: proposers[0].addr: "10.0.0.1:07101" is already the address of acceptors[0] (line 3): every process needs its own`},
	{edit(3, "  - {id: a1}\n"), `f:3: acceptors[0].addr: "" is not HOST:PORT`},
	{edit(3, "  - {id: a1, addr: 10.0.0.1}\n"), `f:3: acceptors[0].addr: "10.0.0.1" is not HOST:PORT`},
	{edit(3, "  - {id: a1, addr: 10.0.0.1:0}\n"), `f:3: acceptors[0].addr: "10.0.0.1:0" needs a port from 1 to 65535`},
	{edit(3, "  - {id: a1, addr: 10.0.0.1:65536}\n"), `f:3: acceptors[0].addr: "10.0.0.1:65536" needs a port from 1 to 65535`},
	{edit(3, "  - {id: a1, addr: 10.0.0.1:http}\n"), `f:3: acceptors[0].addr: "10.0.0.1:http" needs a port from 1 to 65535`},
	{edit(3, "  - {id: a1, addr: ':7101'}\n"), `f:3: acceptors[0].addr: ":7101" names no host: the other processes dial this address`},
	{edit(3, "  - {id: a1, addr: '0.0.0.0:7101'}\n"), `f:3: acceptors[0].addr: "0.0.0.0:7101" cannot be dialled by other hosts: write the address of this one, and start it with --listen to bind them all`},

	// Quorums.
	{orders + "quorum: {phase1: 1, phase2: 2}\n", "f:12: quorum: quorums of phase1=1 and phase2=2 among 3 acceptors need not intersect: their sum must exceed 3"},
	{orders + "quorum: {phase1: 4}\n", "f:12: quorum: quorum sizes phase1=4 phase2=2 must lie between 1 and the number of acceptors, 3"},

	// Timeouts and limits.
	{orders + "timeouts: {dial: 0s}\n", "f:12: timeouts.dial: 0s is not between 1ms and 1h0m0s"},
	{orders + "timeouts: {dial: -1s}\n", "f:12: timeouts.dial: -1s is not between 1ms and 1h0m0s"},
	{orders + "timeouts: {read: 2h}\n", "f:12: timeouts.read: 2h0m0s is not between 1ms and 1h0m0s"},
	{orders + "timeouts: {heartbeat: 100ms}\n", "f:12: timeouts.election_min: 150ms is below twice timeouts.heartbeat, 100ms: one late heartbeat would depose a leader"},
	{orders + "timeouts: {election_min: 400ms}\n", "f:12: timeouts.election_max: 300ms is below timeouts.election_min, 400ms"},
	{orders + "timeouts: {stall: 200ms}\n", "f:12: timeouts.stall: 200ms is below timeouts.election_max, 300ms"},
	{orders + "timeouts: {idle: 99ms}\n", "f:12: timeouts.idle: 99ms is below twice timeouts.heartbeat, 50ms: quiet connections would be closed"},
	{orders + "limits: {window: 0}\n", "f:12: limits.window: 0 is not between 1 and 65536"},
	{orders + "limits: {sessions: 0}\n", "f:12: limits.sessions: 0 is below 1"},
	{orders + "limits: {entry_bytes: 17MiB}\n", "f:12: limits.entry_bytes: 17MiB is not between 1 and 16MiB"},
	{orders + "limits: {queue_bytes: 1023KiB}\n", "f:12: limits.queue_bytes: 1023KiB cannot hold one entry of limits.entry_bytes, 1MiB"},
	{orders + "limits:\n  conn_queue_bytes: 3MiB\n", "f:13: limits.conn_queue_bytes: 3MiB is below twice limits.entry_bytes + limits.batch_bytes, 4MiB"},
	{orders + "limits: {inbox_bytes: 4194303}\n", "f:12: limits.inbox_bytes: 4194303 is below twice limits.entry_bytes + limits.batch_bytes, 4MiB"},
}

func TestRefusals(t *testing.T) {
	for _, test := range refusals {
		_, err := Parse("f", []byte(test.text))
		if err == nil || err.Error() != test.want {
			t.Errorf("got  %v\nwant %s\nfrom\n%s", err, test.want, test.text)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%v does not match ErrInvalid", err)
		}
	}
}

func TestValidateNamesKeysOfAClusterThatCameFromNoFile(t *testing.T) {
	for _, test := range []struct {
		change func(*Cluster)
		want   string
	}{
		{func(c *Cluster) { c.Learners[0].ID = "a1" }, `learners[0].id: "a1" is already the id of acceptors[0]: every process needs its own`},
		{func(c *Cluster) { c.Timeouts.Dial = 0 }, "timeouts.dial: 0s is not between 1ms and 1h0m0s"},
		{func(c *Cluster) { c.Timeouts.Heartbeat = time.Minute }, "timeouts.heartbeat: 1m0s is not between 1ms and 10s"},
		{func(c *Cluster) { c.Limits.Window = -1 }, "limits.window: -1 is not between 1 and 65536"},
		{func(c *Cluster) { c.Quorum.Phase2 = -1 }, "quorum: quorum sizes phase1=2 phase2=-1 must lie between 1 and the number of acceptors, 3"},
	} {
		c := Dev(7100)
		test.change(c)
		if err := c.Validate(); err == nil || err.Error() != test.want || !errors.Is(err, ErrInvalid) {
			t.Errorf("got  %v\nwant %s", err, test.want)
		}
	}
}
