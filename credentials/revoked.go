package credentials

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"time"
)

// revoked is what the authorities have revoked: when, by the key of the one that issued the
// certificate, and its serial number.
type revoked struct {
	path string
	at   map[[sha256.Size]byte]map[string]time.Time
	next time.Time // by when the first list wants to be replaced; zero if none says it
}

func keyOf(c *x509.Certificate) [sha256.Size]byte { return sha256.Sum256(c.RawSubjectPublicKeyInfo) }

// readRevoked reads lists of revocations, each of which one of the authorities must have
// signed. Of two lists of one authority both count.
func readRevoked(path string, all []authority) (*revoked, error) {
	out := &revoked{path: path, at: map[[sha256.Size]byte]map[string]time.Time{}}
	if path == "" {
		return out, nil
	}
	data, err := read(path, "what was revoked")
	if err != nil {
		return nil, err
	}
	if err := whole(path, data); err != nil {
		return nil, err
	}
	lists := blocks(data, "X509 CRL")
	if len(lists) == 0 { // an empty file, too: whoever was revoked would be believed again by a copy that failed
		return nil, &FileError{Path: path, Problem: "there is no list of revocations (X509 CRL) in it, in PEM: `paxlog cert ca` makes one that revokes nobody; without any, leave tls.crl out"}
	}
	for _, der := range lists {
		list, err := x509.ParseRevocationList(der)
		if err != nil {
			return nil, &FileError{Path: path, Problem: fmt.Sprintf("a list of revocations in it cannot be read: %v", err), Err: err}
		}
		if err := out.add(list, all); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *revoked) add(list *x509.RevocationList, all []authority) error {
	for _, e := range list.Extensions {
		if e.Critical { // it does not say all that it seems to say: of a part, or since another list
			return &FileError{Path: r.path, Problem: fmt.Sprintf("the list of revocations of %s has the extension %v, which must be understood and is not: give the whole list", list.Issuer, e.Id)}
		}
	}
	signed := false
	for _, a := range all {
		if list.CheckSignatureFrom(a.Certificate) != nil {
			continue
		}
		signed = true
		serials := r.at[keyOf(a.Certificate)]
		if serials == nil {
			serials = map[string]time.Time{}
			r.at[keyOf(a.Certificate)] = serials
		}
		for _, e := range list.RevokedCertificateEntries {
			serials[e.SerialNumber.String()] = e.RevocationTime
		}
	}
	if !signed {
		return &FileError{Path: r.path, Problem: fmt.Sprintf("the list of revocations of %s is signed by none of the authorities in peer_ca and client_ca: those files, or this one, are of another cluster, or the authorities were replaced", list.Issuer)}
	}
	if !list.NextUpdate.IsZero() && (r.next.IsZero() || list.NextUpdate.Before(r.next)) {
		r.next = list.NextUpdate
	}
	return nil
}

// check refuses a chain, from a certificate to an authority, of which one was revoked.
func (r *revoked) check(chain []*x509.Certificate) error {
	for i, c := range chain[:len(chain)-1] {
		if when, ok := r.at[keyOf(chain[i+1])][c.SerialNumber.String()]; ok {
			return refusef("it was revoked at %s, as %s says: %s", stamp(when), r.path, describe(c))
		}
	}
	return nil
}
