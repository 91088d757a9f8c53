package credentials

import (
	"crypto/x509"
	"fmt"
	"time"

	"github.com/paxlog/paxlog/paxos"
)

// EarlyWarning is how long before its end a certificate's end is told.
const EarlyWarning = 30 * 24 * time.Hour

// Warnings say what will soon be wrong, or is wrong and is no reason to stop.
func (s *Snapshot) Warnings() (out []string) {
	now := s.now()
	soon := func(t time.Time) bool { return now.Add(EarlyWarning).After(t) }
	if soon(s.until) {
		out = append(out, fmt.Sprintf("the certificate of this process, or an authority of it, ends at %s, and nobody believes it any more then: %s; `paxlog cert %s` renews it",
			stamp(s.until), s.Describe(), renewal(s.me)))
	}
	for _, a := range s.all {
		if soon(a.NotAfter) {
			out = append(out, fmt.Sprintf("the %s authority %q ends at %s, and all that it vouches for with it: put another one beside it, and make certificates by that", a.kind, a.Subject, stamp(a.NotAfter)))
		}
	}
	if !s.revoked.next.IsZero() && now.After(s.revoked.next) {
		out = append(out, fmt.Sprintf("%s: the list of revocations wanted to be replaced by %s; what it revokes stays revoked, and what was revoked since is not known here", s.revoked.path, stamp(s.revoked.next)))
	}
	if s.peers != nil && s.me.Role != paxos.RoleClient {
		if _, err := s.judge(s.chain, x509.ExtKeyUsageServerAuth); err != nil {
			out = append(out, "others refuse the certificate of this process: "+err.Error())
		}
	}
	return out
}
