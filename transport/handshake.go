package transport

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// preface is what a dialler writes first, so that a stranger is recognised
// before any of its bytes is taken for a length.
const preface = "paxlog/1"

// writeFrames writes messages behind first, at once: a listener that refuses a greeting by
// its first frame must have read all of it, else it resets the connection before its
// refusal is read.
func (c *conn) writeFrames(first string, messages ...paxos.Message) (err error) {
	b := []byte(first)
	for _, m := range messages {
		if b, err = wire.Append(b, m); err != nil {
			return err
		}
	}
	if c.veil != nil {
		if b, err = c.veil.seal(b); err != nil {
			return err
		}
	}
	_, err = c.nc.Write(b)
	return err
}

// greeting is what a handshake tells of the other end.
type greeting struct {
	candidate
	incarnation uint64
}

// sayHello introduces this process to p and checks who answers. A plain greeting is that
// of the oldest version; any other offers all versions that are spoken here.
func (c *conn) sayHello(p Peer, plain bool) (*greeting, error) {
	cfg := c.n.cfg
	if err := c.nc.SetDeadline(c.until); err != nil {
		return nil, err
	}
	hello := &wire.Hello{
		Version: wire.Oldest, Members: cfg.Members, Role: cfg.Role, ID: cfg.ID, Incarnation: cfg.Incarnation, ToRole: p.Role, ToID: p.ID,
	}
	says := []paxos.Message{hello}
	if !plain {
		hello.Version = wire.Version
		c.showed = c.n.identity.log()
		says = append(says, &wire.Offer{Oldest: wire.Oldest, Known: c.n.identity.shown(), Later: c.n.says(), Log: c.showed})
	}
	if err := c.writeFrames(preface, says...); err != nil {
		return nil, c.notSecured(p, err)
	}
	if why := c.n.identity.outdated(wire.Oldest); plain && why != "" {
		return nil, &RefusedError{Addr: p.Addr, Code: wire.RefusedVersion, Text: sentence(why)}
	}
	c.version = wire.Oldest
	agreement := &wire.Agreed{}
	for agreed := false; ; agreed = true {
		m, err := wire.Read(c.r, helloBytes)
		if err != nil {
			return nil, c.notSecured(p, err)
		}
		switch m := m.(type) {
		case *wire.Agreed:
			if plain || agreed || m.Version < wire.Oldest || m.Version > wire.Version {
				return nil, fmt.Errorf("%w: version %d is agreed on, which was not offered", wire.ErrFrame, m.Version)
			}
			c.version, agreement = m.Version, m
			c.hears(m.Later)
			if c.isFallback && slices.Contains(m.Later, laterTLS) {
				return nil, fmt.Errorf("%s at %s: it speaks TLS as this process does, and the connection came to be without; it is tried again", p.ID, p.Addr)
			}
		case *wire.Welcome:
			if !plain && !agreed {
				return nil, fmt.Errorf("%w: a welcome before a version is agreed on", wire.ErrFrame)
			}
			return c.welcomed(p, m, agreement)
		case *wire.Refusal:
			return nil, c.refusedBy(p, m, agreement)
		default:
			return nil, fmt.Errorf("%w: %T in answer to a greeting", wire.ErrFrame, m)
		}
	}
}

// welcomed checks that who welcomes this process is who was meant.
func (c *conn) welcomed(p Peer, m *wire.Welcome, a *wire.Agreed) (*greeting, error) {
	if m.Role != p.Role || (p.ID != "" && m.ID != p.ID) {
		return nil, &RefusedError{Addr: p.Addr, Code: wire.RefusedIdentity, Text: sentence(fmt.Sprintf("%s %s answers there, not %s %s", m.Role, m.ID, p.Role, p.ID))}
	}
	if err := c.provenAs(m); err != nil {
		return nil, err
	}
	g := &greeting{candidate: candidate{m.Role, m.ID, claims(m.Role, m.ID, m.Incarnation, a.Known), a.Log}, incarnation: m.Incarnation}
	return g, c.nc.SetDeadline(time.Time{})
}

// refusedBy says why p refuses this process: in p's words, if it has any for it, else by
// what its code means and what this process had said.
func (c *conn) refusedBy(p Peer, m *wire.Refusal, a *wire.Agreed) error {
	text := m.Text
	if m.Code == wire.RefusedLog {
		mine, other := c.n.identity.known(), candidate{p.Role, p.ID, claims(0, "", 0, a.Known), a.Log}
		c.n.identity.heard(other) // it may be one of most
		return c.n.identity.otherLogError(other, p.Addr, mine)
	}
	if text == "" {
		text = meaning(m.Code, p, c.n.cfg)
	}
	return &RefusedError{Addr: p.Addr, Code: m.Code, Text: sentence(text)}
}

// answerHello reads who dials, and welcomes or refuses it.
func (c *conn) answerHello() (*wire.Hello, error) {
	if err := c.nc.SetDeadline(c.until); err != nil {
		return nil, err
	}
	hello, offer, err := c.readHello()
	if err != nil {
		return nil, err
	}
	c.candidate = candidate{hello.Role, hello.ID, claims(hello.Role, hello.ID, hello.Incarnation, offer.Known), offer.Log}
	c.version = min(hello.Version, wire.Version)
	c.hears(offer.Later)
	if code, why := c.isProved(hello); code != 0 {
		return nil, c.refuse(hello, code, why, nil)
	}
	if hello.Role != paxos.RoleClient {
		c.n.greetings.heard(c.nc) // it may have to wait here
		if err := c.n.identity.await(c.n.ctx); err != nil {
			return nil, fmt.Errorf("%s %.32q has to come again: %w", hello.Role, hello.ID, err)
		}
	}
	kin, mine := c.n.identity.judge(c.candidate)
	c.kin = kin
	whose := c.whose()
	if code, why := c.n.judge(hello, offer, kin, whose); code != 0 {
		return nil, c.refuse(hello, code, why, mine)
	}
	if hello.Role == paxos.RoleClient {
		c.principal = whose
	}
	answers := []paxos.Message{&wire.Welcome{Role: c.n.cfg.Role, ID: c.n.cfg.ID, Incarnation: c.n.cfg.Incarnation}}
	if c.version > wire.Oldest {
		c.showed = c.n.identity.log()
		agreed := &wire.Agreed{Version: c.version, Known: mine.list(), Later: c.n.says(), Log: c.showed}
		if c.n.cfg.Credentials.IsOn() {
			agreed.Later = c.n.says(laterTLS)
		}
		answers = append([]paxos.Message{agreed}, answers...)
	}
	err = c.writeFrames("", answers...)
	if err == nil {
		err = c.nc.SetDeadline(time.Time{})
	}
	if err != nil {
		c.n.mu.Lock()
		c.n.leaves(c)
		c.n.mu.Unlock()
		c.n.leave()
		return nil, noPorts(err)
	}
	return hello, nil
}

// readHello reads a greeting, of any version that there will be.
func (c *conn) readHello() (*wire.Hello, *wire.Offer, error) {
	var first [len(preface)]byte
	if _, err := io.ReadFull(c.r, first[:]); err != nil {
		return nil, nil, fmt.Errorf("no greeting: %w", noPorts(err))
	}
	if first[0] == tlsRecord && !c.n.cfg.Credentials.IsOn() {
		return nil, nil, fmt.Errorf("%w: it begins with TLS, which this process does not speak (tls.mode is off, or there is no section tls in its cluster file)", wire.ErrFrame)
	}
	if string(first[:]) != preface {
		return nil, nil, fmt.Errorf("%w: %q is no greeting of paxlog", wire.ErrFrame, first[:])
	}
	m, err := wire.Read(c.r, helloBytes)
	if err != nil {
		return nil, nil, noPorts(err)
	}
	hello, ok := m.(*wire.Hello)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %T where a greeting should be", wire.ErrFrame, m)
	}
	if hello.Version <= wire.Oldest {
		return hello, &wire.Offer{Oldest: hello.Version}, nil
	}
	if m, err = wire.Read(c.r, helloBytes); err != nil {
		return nil, nil, noPorts(err)
	}
	offer, ok := m.(*wire.Offer)
	if !ok {
		return nil, nil, fmt.Errorf("%w: %T where an offer of versions should be", wire.ErrFrame, m)
	}
	return hello, offer, nil
}

// refuse tells the dialler that it is refused, and returns what this process's log is to
// say. A process that is not known to be of this log is told the code and no more; one of
// version 2 knows no codes but the old ones, and is told a sentence.
func (c *conn) refuse(h *wire.Hello, code wire.RefusalCode, why string, mine incarnations) error {
	why = sentence(why)
	refusal := &wire.Refusal{Code: code}
	answers := []paxos.Message{refusal}
	switch {
	case h.Version <= wire.Oldest:
		if refusal.Text = why; code > wire.RefusedIncarnation {
			refusal.Code = wire.RefusedCluster
		}
	case code == wire.RefusedLog:
		answers = []paxos.Message{&wire.Agreed{Version: c.version, Known: mine.list(), Log: c.n.identity.log()}, refusal}
	case c.kin == sameLog || code == wire.RefusedVersion || code == wire.RefusedPlain || code == wire.RefusedCertificate:
		refusal.Text = why
	}
	if err := c.writeFrames("", answers...); err != nil {
		return noPorts(err)
	}
	return &StrangerError{Code: code, Text: fmt.Sprintf("%s %.32q: %s", h.Role, h.ID, why)}
}

// StrangerError is why a dialler was refused here, as this process's log says it.
type StrangerError struct {
	Code wire.RefusalCode
	Text string
}

func (e *StrangerError) Error() string { return e.Text }

// isName reports whether id is one that a cluster file can give to a process. No
// other ever reaches a ballot, a disk or a log.
func isName(id paxos.NodeID) bool {
	return len(id) > 0 && len(id) <= 32 && !strings.ContainsFunc(string(id), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	})
}

// judge returns why a dialler is refused; or code 0, and then it has a place among the
// accepted connections.
func (n *Network) judge(h *wire.Hello, offer *wire.Offer, kin kinship, whose paxos.Principal) (code wire.RefusalCode, why string) {
	cfg := n.cfg
	isClient := h.Role == paxos.RoleClient
	switch {
	case h.Version < wire.Oldest || offer.Oldest > wire.Version:
		return wire.RefusedVersion, fmt.Sprintf("versions %d to %d of the protocol are spoken here, %d to %d there", wire.Oldest, wire.Version, offer.Oldest, h.Version)
	case h.Members.Cluster != cfg.Members.Cluster:
		return wire.RefusedCluster, fmt.Sprintf("this is cluster %q, not %q", cfg.Members.Cluster, h.Members.Cluster)
	case n.identity.outdated(h.Version) != "":
		return wire.RefusedVersion, n.identity.outdated(h.Version)
	case kin == otherLog:
		if why := n.identity.otherThan(offer.Log); why != "" {
			return wire.RefusedLog, why
		}
		known := claims(h.Role, h.ID, h.Incarnation, offer.Known)
		return wire.RefusedLog, fmt.Sprintf("it is of another log, and nothing that it says is believed: it knows %s; here %s. "+
			"Either it stands at an address that its cluster file means for another cluster, or this process does", known, n.identity.known())
	case !isClient && cfg.Members.Difference(h.Members) != "":
		return differenceCode(cfg.Members, h.Members), fmt.Sprintf("the cluster files of %s (here) and %s (there) differ: %s", cfg.ID, h.ID, cfg.Members.Difference(h.Members))
	case h.ToRole != cfg.Role || (h.ToID != "" && h.ToID != cfg.ID):
		return wire.RefusedIdentity, fmt.Sprintf("this is %s %s, not %s %s", cfg.Role, cfg.ID, h.ToRole, h.ToID)
	case !isClient && (!isName(h.ID) || h.Role < paxos.RoleAcceptor || h.Role > paxos.RoleLearner ||
		(h.Role == paxos.RoleAcceptor) != (cfg.Members.Place(h.ID) >= 0) && (h.Role != paxos.RoleAcceptor || h.Version <= wire.Oldest)):
		// An acceptor that the file does not name may have joined since.
		return wire.RefusedIdentity, fmt.Sprintf("%s %q does not belong to this cluster", h.Role, h.ID)
	}
	if why := n.former(h.Role, h.ID); why != "" {
		return wire.RefusedIdentity, why
	}
	if why := n.impostor(h); why != "" {
		return wire.RefusedIdentity, why
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.isOusting(candidate{role: h.Role, id: h.ID, known: claims(h.Role, h.ID, h.Incarnation, nil)}); ok {
		return wire.RefusedIncarnation, fmt.Sprintf("%s %s knows %s by incarnation %016x, which is connected, and this one shows %016x: "+
			"its data directory was initialised anew, or it is another one's. It cannot take the place of the first", cfg.Role, cfg.ID, h.ID, known, h.Incarnation)
	}
	if why := n.overQuota(isClient, whose); why != "" {
		return wire.RefusedFull, why
	}
	limit := n.most
	if isClient {
		limit -= min(serverReserve, limit/2)
	}
	if full := n.accepted - limit; full >= 0 && !(isClient && full < givingWay && n.makeRoom(whose)) {
		return wire.RefusedFull, fmt.Sprintf("%d connections are open already", n.accepted)
	}
	n.accepted++
	if isClient {
		n.shares[whose]++
	}
	return 0, ""
}

// impostor returns why a server is not who it says: connections are kept by id, so it would take
// the place of the process whose name it bears. "" if it may be.
func (n *Network) impostor(h *wire.Hello) string {
	switch {
	case h.Role == paxos.RoleClient:
		return ""
	case h.ID == n.cfg.ID:
		return fmt.Sprintf("%s is the name of this process", h.ID)
	case n.cfg.Named == nil:
		return ""
	}
	if role := n.cfg.Named(h.ID); role != 0 && role != h.Role {
		return fmt.Sprintf("the cluster file here names %s as a process of role %s, not %s", h.ID, role, h.Role)
	}
	return ""
}

// former returns why a process that has no part in this log is refused, "" if it is not.
func (n *Network) former(role paxos.Role, id paxos.NodeID) string {
	if n.cfg.Former == nil {
		return ""
	}
	return n.cfg.Former(role, id)
}

// isOusting reports whether an acceptor that shows another directory than the one that is
// remembered would take the place of that one, which is connected; mu is held. If it is
// not, the other one is let in, and its machine is told by Vouch that it must not vote.
func (n *Network) isOusting(c candidate) (known uint64, ousting bool) {
	if c.role != paxos.RoleAcceptor || n.cfg.Remembered == nil {
		return 0, false
	}
	known = n.cfg.Remembered(c.id)
	l := n.links[c.id]
	if known == 0 || known == c.known[c.id] || l == nil {
		return known, false
	}
	for _, o := range []*conn{l.dialed, l.accepted} {
		if o != nil && o.known[c.id] == known {
			return known, true
		}
	}
	return known, false
}

func oustingError(c candidate, at string, known uint64) error {
	return &RefusedError{Addr: at, Code: wire.RefusedIncarnation, Text: fmt.Sprintf("%s %s there shows incarnation %016x, and here it is known by %016x, which is connected: "+
		"the data directory there was initialised anew, or is another one's. It cannot take the place of the first: stop it", c.role, c.id, c.known[c.id], known)}
}

// twin returns the other connection with c's id, if another process than c's is at its end. Of those
// two, too, only one is heard: the one that came last.
func (c *conn) twin(other *conn) *conn {
	if other == nil || c.process == 0 || other.process == 0 || c.process == other.process {
		return nil
	}
	return other
}

// oust ends the connection of an acceptor that shows another directory than the one that
// is remembered, which has come now as c; mu is held. What comes from either would be taken
// for the word of the one that came last. It is told why when it comes again.
func (n *Network) oust(c, other *conn) {
	if c.role != paxos.RoleAcceptor || n.cfg.Remembered == nil || other == nil {
		return
	}
	if known := n.cfg.Remembered(c.id); known == c.known[c.id] && known != other.known[c.id] {
		other.close(fmt.Errorf("the %s %s that is known here by incarnation %016x has come", c.role, c.id, known))
	}
}

// differenceCode says in what two cluster files differ.
func differenceCode(a, b paxos.Membership) wire.RefusalCode {
	switch {
	case !slices.Equal(a.Acceptors, b.Acceptors):
		return wire.RefusedAcceptors
	case a.Phase1 != b.Phase1 || a.Phase2 != b.Phase2:
		return wire.RefusedQuorums
	}
	return wire.RefusedSessions
}

// leave gives back the place that judge gave to a connection.
func (n *Network) leave() {
	n.mu.Lock()
	n.accepted--
	n.mu.Unlock()
}
