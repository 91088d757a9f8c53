package credentials

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// Snapshot is what is in force at one moment.
type Snapshot struct {
	cluster string
	me      Identity
	pair    *tls.Certificate
	chain   []*x509.Certificate // of pair
	until   time.Time           // when the first certificate on the way from the own one to an authority ends
	all     []authority
	peers   *x509.CertPool
	clients *x509.CertPool // nil for a client
	revoked *revoked
	now     func() time.Time
}

// Me is who the own certificate is for.
func (s *Snapshot) Me() Identity { return s.me }

// Until is when the own certificate, or an authority that it rests on, ends.
func (s *Snapshot) Until() time.Time { return s.until }

// Describe says in words what the own certificate is.
func (s *Snapshot) Describe() string { return describe(s.pair.Leaf) }

// describe says in words which certificate c is.
func describe(c *x509.Certificate) string {
	who := "nobody of a log"
	if i, err := IdentityOf(c); err == nil {
		who = i.String()
	}
	return fmt.Sprintf("%s, serial %x, issued by %q, valid until %s", who, c.SerialNumber, issuer(c), stamp(c.NotAfter))
}

func issuer(c *x509.Certificate) string {
	text := c.Issuer.String()
	if len(text) > 200 { // a stranger may have written it
		text = text[:200]
	}
	return text
}

// Proof is what a connection's other end has proved.
type Proof struct {
	Identity
	Until time.Time // when a certificate on the way to an authority ends
	chain []*x509.Certificate
	usage x509.ExtKeyUsage
}

// Again judges a proof by this snapshot: what was believed may have been revoked since, or
// have ended.
func (s *Snapshot) Again(p *Proof) (*Proof, error) { return s.judge(p.chain, p.usage) }

// judge returns who shows a chain of certificates.
func (s *Snapshot) judge(chain []*x509.Certificate, usage x509.ExtKeyUsage) (*Proof, error) {
	if len(chain) == 0 {
		return nil, refusef("none is shown")
	}
	leaf := chain[0]
	who, err := IdentityOf(leaf)
	if err != nil {
		return nil, err
	}
	now := s.now()
	switch {
	case who.Cluster != s.cluster:
		return nil, refusef("it is of cluster %q, and this is %q: %s", who.Cluster, s.cluster, describe(leaf))
	case now.Before(leaf.NotBefore):
		return nil, refusef("it is not valid before %s, and here it is %s (are the clocks right?): %s", stamp(leaf.NotBefore), stamp(now), describe(leaf))
	case now.After(leaf.NotAfter):
		return nil, refusef("it ended at %s, and here it is %s: %s; `paxlog cert %s` renews it", stamp(leaf.NotAfter), stamp(now), describe(leaf), renewal(who))
	}
	own, other, kind := s.peers, s.clients, "peer"
	if who.Role == paxos.RoleClient {
		own, other, kind = s.clients, s.peers, "client"
	}
	chains, err := verify(chain, own, usage, now)
	if err != nil {
		if _, err := verify(chain, other, usage, now); err == nil {
			return nil, refusef("an authority of the other kind issued it: only those of %ss can make a %s; %s", kind, who.Role, describe(leaf))
		}
		if invalid := (x509.CertificateInvalidError{}); errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage {
			return nil, refusef("its extended key usage does not allow what it is shown for: a process needs serverAuth and clientAuth, a client clientAuth: %s", describe(leaf))
		}
		return nil, refusef("no authority in %s_ca vouches for it (%v): %s", kind, errors.Unwrap(err), describe(leaf))
	}
	p := &Proof{Identity: who, chain: chain, usage: usage}
	for _, c := range chains {
		if err := s.revoked.check(c); err != nil {
			return nil, err
		}
		if end := endOf(c); end.After(p.Until) {
			p.Until = end
		}
	}
	return p, nil
}

func renewal(who Identity) string {
	if who.Role == paxos.RoleClient {
		return "client " + who.ID + " --renew"
	}
	return "node " + who.ID + " --renew"
}

// maxChain bounds the certificates that somebody may show.
const maxChain = 8

// verify returns the ways from a certificate to the authorities of a pool.
func verify(chain []*x509.Certificate, pool *x509.CertPool, usage x509.ExtKeyUsage, now time.Time) ([][]*x509.Certificate, error) {
	if pool == nil || len(chain) > maxChain {
		return nil, fmt.Errorf("%w", errors.New("nobody is asked"))
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	chains, err := chain[0].Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{usage}})
	if err != nil {
		return nil, fmt.Errorf("verifying: %w", err)
	}
	return chains, nil
}

// endOf is when the first certificate of a chain ends.
func endOf(chain []*x509.Certificate) time.Time {
	return slices.MinFunc(chain, func(a, b *x509.Certificate) int { return a.NotAfter.Compare(b.NotAfter) }).NotAfter
}

// adopt takes a pair, if it is one of the process me; of a client's id only that it is one.
func (s *Snapshot) adopt(pair *tls.Certificate, me Identity, f files) error {
	fail := func(err error) error {
		var refused *RefusedError
		if errors.As(err, &refused) {
			err = &FileError{Path: f.cert, Problem: "this process cannot use the certificate: " + refused.Text}
		}
		return err
	}
	who, err := IdentityOf(pair.Leaf)
	if err != nil {
		return fail(err)
	}
	if me.Role == paxos.RoleClient && me.ID == "" {
		me.ID = who.ID
	}
	if who != me {
		return fail(refusef("it is for %s, and this is %s", who, me))
	}
	chain := make([]*x509.Certificate, len(pair.Certificate))
	for i, der := range pair.Certificate {
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return fail(refusef("a certificate that leads to its authority cannot be read: %v", err))
		}
	}
	mine := *s
	mine.revoked = &revoked{} // that it was revoked, others say
	if me.Role == paxos.RoleClient && s.clients == nil {
		now := s.now() // a client need not know its own authority, but what it knows it says
		if now.Before(pair.Leaf.NotBefore) || now.After(pair.Leaf.NotAfter) {
			mine.clients = x509.NewCertPool()
			_, err := mine.judge(chain, x509.ExtKeyUsageClientAuth)
			return fail(err)
		}
		s.pair, s.chain, s.me, s.until = pair, chain, who, endOf(chain)
		return nil
	}
	proof, err := mine.judge(chain, x509.ExtKeyUsageClientAuth)
	if err == nil && me.Role != paxos.RoleClient {
		_, err = mine.judge(chain, x509.ExtKeyUsageServerAuth)
	}
	if err != nil {
		return fail(err)
	}
	s.pair, s.chain, s.me, s.until = pair, chain, who, proof.Until
	return nil
}
