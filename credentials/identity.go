package credentials

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/paxlog/paxlog/paxos"
)

// Identity is who a certificate is for.
type Identity struct {
	Cluster string
	Role    paxos.Role
	ID      string // of a process, or the name of a client
}

// scheme is that of the URI which is an identity.
const scheme = "paxlog"

var (
	clientName  = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$`)
	processName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`) // as package config has it
	clusterName = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$`)
)

var roles = []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner, paxos.RoleClient}

// String is the URI.
func (i Identity) String() string { return i.URI().String() }

// URI is how the identity stands in a certificate.
func (i Identity) URI() *url.URL {
	return &url.URL{Scheme: scheme, Host: i.Cluster, Path: "/" + i.Role.String() + "/" + i.ID}
}

// Principal is who a client is; "" for a process.
func (i Identity) Principal() paxos.Principal {
	if i.Role != paxos.RoleClient {
		return ""
	}
	return paxos.Principal(i.ID)
}

// Check says what is wrong with an identity, nil if a certificate can name it.
func (i Identity) Check() error {
	name := processName
	if i.Role == paxos.RoleClient {
		name = clientName
	}
	switch {
	case len(i.Cluster) > 64 || !clusterName.MatchString(i.Cluster):
		return fmt.Errorf("%q cannot name a cluster in a certificate", i.Cluster)
	case i.Role < paxos.RoleAcceptor || i.Role > paxos.RoleClient:
		return fmt.Errorf("a certificate is for an acceptor, a proposer, a learner or a client, not for a %s", i.Role)
	case i.Role == paxos.RoleClient && i.ID == string(paxos.Anonymous):
		return fmt.Errorf("no client is named %q: that is everybody without a certificate", i.ID)
	case !name.MatchString(i.ID):
		return fmt.Errorf("%q cannot name a %s in a certificate: use letters, digits, _ and -, for a client dots too, but at the beginning", i.ID, i.Role)
	}
	return nil
}

// IdentityOf is who a certificate is for. Its URI is compared as it would be written, so
// that no other way to write an identity is one.
func IdentityOf(c *x509.Certificate) (Identity, error) {
	if len(c.URIs) != 1 {
		return Identity{}, refusef("it names nobody of a log: it has %d URIs, and must have one, paxlog://CLUSTER/ROLE/ID", len(c.URIs))
	}
	u := c.URIs[0]
	i := Identity{Cluster: u.Host}
	parts := strings.Split(u.Path, "/")
	if len(parts) == 3 {
		i.ID = parts[2]
		for _, r := range roles {
			if r.String() == parts[1] {
				i.Role = r
			}
		}
	}
	if u.Scheme != scheme || i.Check() != nil || i.String() != u.String() {
		return Identity{}, refusef("it names nobody of a log: its URI is %.200q, and must be paxlog://CLUSTER/ROLE/ID", u.String())
	}
	return i, nil
}
