package credentials

import (
	"crypto/tls"
	"crypto/x509"

	"github.com/paxlog/paxlog/paxos"
)

// protocol is what both ends must mean to speak, so that no server of another protocol that
// trusts the same authorities can be talked to by mistake.
const protocol = "paxlog/1"

// Listener is the configuration of the end that was dialled, and Dialler that of the one that
// dials. Each is for one connection; proof is set when the handshake has succeeded.
func (s *Snapshot) Listener(proof **Proof) *tls.Config {
	c := s.config()
	c.ClientAuth = tls.RequireAnyClientCert // which one, VerifyConnection judges
	c.VerifyConnection = func(cs tls.ConnectionState) (err error) {
		*proof, err = s.judge(cs.PeerCertificates, x509.ExtKeyUsageClientAuth)
		return err
	}
	return c
}

// Dialler is the configuration of the end that dials a process of the given role and id, ""
// for whoever is there.
func (s *Snapshot) Dialler(role paxos.Role, id paxos.NodeID, proof **Proof) *tls.Config {
	c := s.config()
	c.InsecureSkipVerify = true // it compares names of hosts; VerifyConnection judges all there is
	c.VerifyConnection = func(cs tls.ConnectionState) error {
		p, err := s.judge(cs.PeerCertificates, x509.ExtKeyUsageServerAuth)
		if err != nil {
			return err
		}
		if p.Role != role || id != "" && p.ID != string(id) {
			return refusef("%s %s answers there, not %s %s: %s", p.Role, p.ID, role, id, describe(cs.PeerCertificates[0]))
		}
		*proof = p
		return nil
	}
	return c
}

// config is what both ends have in common. Nothing is resumed, so that every connection is
// judged. Records are of full size at once: who dials sends frames, and no page that somebody
// waits for the beginning of.
func (s *Snapshot) config() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*s.pair}, NextProtos: []string{protocol},
		SessionTicketsDisabled: true, DynamicRecordSizingDisabled: true, Time: s.now,
	}
}
