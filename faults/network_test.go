package faults

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/internal/cluster"
	"github.com/paxlog/paxlog/paxos"
)

// network is a number of hosts on one switch: network namespaces whose eth0 is a
// port of a bridge, which is in a namespace of its own. Host N has the address
// 10.77.0.N. The test itself, which is the client, is host 100.
type network struct {
	t     *testing.T
	hosts []int
}

const clientHost = 100

func address(host int) string { return fmt.Sprintf("10.77.0.%d", host) }

// namespace is where a host is; "" for the client, which is where the test is.
func namespace(host int) string {
	if host == clientHost {
		return ""
	}
	return fmt.Sprintf("h%d", host)
}

// newNetwork makes a network of n hosts, which ends with the test.
func newNetwork(t *testing.T, n int) *network {
	t.Helper()
	needs(t, "ip=iproute2", "nsenter=util-linux")
	w := &network{t: t}
	w.must("ip", "netns", "add", "switch")
	t.Cleanup(func() { w.must("ip", "netns", "del", "switch") })
	w.ip("switch", "link add br0 type bridge", "link set br0 up")
	for host := 1; host <= n; host++ {
		w.hosts = append(w.hosts, host)
		w.must("ip", "netns", "add", namespace(host))
		t.Cleanup(func() { w.must("ip", "netns", "del", namespace(host)) })
		w.ip(namespace(host), "link set lo up")
		w.plug(host)
	}
	w.plug(clientHost)
	t.Cleanup(func() { w.ip("", "link del eth0") })
	return w
}

// plug connects a host to the switch.
func (w *network) plug(host int) {
	w.t.Helper()
	port := fmt.Sprintf("port%d", host)
	w.ip(namespace(host), "link add eth0 type veth peer name "+port+" netns switch",
		"addr add "+address(host)+"/24 dev eth0", "link set eth0 up")
	w.ip("switch", "link set "+port+" master br0", "link set "+port+" up")
}

func (w *network) must(name string, args ...string) {
	w.t.Helper()
	if err := command(name, args...); err != nil {
		w.t.Fatal(err)
	}
}

// ip runs commands of ip in a namespace.
func (w *network) ip(ns string, lines ...string) {
	w.t.Helper()
	if len(lines) == 0 {
		return
	}
	args := []string{"-batch", "-"}
	if ns != "" {
		args = append([]string{"-n", ns}, args...)
	}
	cmd := exec.Command("ip", args...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		w.t.Fatalf("ip in %q: %v: %s\n%s", ns, err, out, strings.Join(lines, "\n"))
	}
}

// nowhere is a hardware address that no host has.
const nowhere = "02:00:00:00:77:77"

// cut loses, silently, everything that a host sends to others: it goes to a
// hardware address that nobody has.
func (w *network) cut(from int, to ...int) {
	w.t.Helper()
	var lines []string
	for _, b := range to {
		if b != from {
			lines = append(lines, fmt.Sprintf("neigh replace %s lladdr %s nud permanent dev eth0", address(b), nowhere))
		}
	}
	w.ip(namespace(from), lines...)
}

// part cuts both directions between every host of a and every host of b.
func (w *network) part(a, b []int) {
	w.t.Helper()
	for _, x := range a {
		w.cut(x, b...)
	}
	for _, y := range b {
		w.cut(y, a...)
	}
}

// heal undoes all cuts.
func (w *network) heal() {
	w.t.Helper()
	for _, host := range append([]int{clientHost}, w.hosts...) {
		w.ip(namespace(host), "neigh flush dev eth0 nud permanent")
	}
}

// but is all hosts but some.
func (w *network) but(some ...int) (rest []int) {
	out := map[int]bool{}
	for _, h := range some {
		out[h] = true
	}
	for _, h := range w.hosts {
		if !out[h] {
			rest = append(rest, h)
		}
	}
	return rest
}

// hostOf is where a process runs: a3, p3 and l3 on host 3.
func hostOf(id paxos.NodeID) int { return int(id[1] - '0') }

// onHosts starts a cluster with an acceptor, a proposer and a learner on each host.
func onHosts(w *network) (*cluster.Cluster, *client.Client) {
	w.t.Helper()
	ports := map[byte]int{'a': 7101, 'p': 7201, 'l': 7301}
	n := len(w.hosts)
	k := cluster.New(w.t, n, n, n,
		cluster.At(func(id paxos.NodeID) string { return fmt.Sprintf("%s:%d", address(hostOf(id)), ports[id[0]]) }),
		cluster.Under(func(id paxos.NodeID) []string {
			return []string{"nsenter", "--net=/run/netns/" + namespace(hostOf(id))}
		}))
	return k, k.Client(client.WithTimeout(20 * time.Second))
}
