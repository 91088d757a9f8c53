package issue

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/paxos"
)

// The files of a directory, beside ID.crt and ID.key of each process and client, and ID.former,
// which holds the certificates that ID.crt took the place of: whoever has one of them and the
// key is believed until it is revoked, too, or ends.
const (
	peerCA   = "peer-ca"
	clientCA = "client-ca"
	crlFile  = "revoked.pem"
)

// Dir is a directory with the certificates of a cluster.
type Dir struct {
	Path    string
	Cluster string
	Now     func() time.Time
}

// ErrExists is wrapped when a file would be written over.
var ErrExists = errors.New("it is there already")

// day is a day of a validity.
const day = 24 * time.Hour

// Authorities makes both authorities, and a list that says that they have revoked nothing, and
// returns the files that it wrote.
func (d Dir) Authorities(days int) (wrote []string, err error) {
	if err := (credentials.Identity{Cluster: d.Cluster, Role: paxos.RoleAcceptor, ID: "a1"}).Check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.Path, 0o700); err != nil {
		return nil, err
	}
	names := []string{peerCA, clientCA}
	for _, file := range []string{peerCA + ".key", peerCA + ".crt", clientCA + ".key", clientCA + ".crt", crlFile} { // all, or none
		if _, err := os.Lstat(d.file(file)); err == nil {
			return nil, fmt.Errorf("%s: %w, and authorities are not made anew: those that are to follow go into another directory (--dir)", d.file(file), ErrExists)
		}
	}
	var lists []byte
	for i, title := range []string{"peers", "clients"} {
		a, err := NewAuthority(fmt.Sprintf("%s %s %s", d.Cluster, title, d.Now().UTC().Format(time.DateOnly)), d.from(), d.until(days))
		if err != nil {
			return wrote, err
		}
		files, err := d.write(names[i], a.Cert, a.Key)
		if wrote = append(wrote, files...); err != nil {
			return wrote, err
		}
		list, err := a.Revoke(nil, d.from(), a.Cert.NotAfter)
		if err != nil {
			return wrote, err
		}
		lists = append(lists, pemOf(crlBlock, list)...)
	}
	if err := writeNew(d.file(crlFile), lists, 0o644); err != nil {
		return wrote, err
	}
	return append(wrote, d.file(crlFile)), nil
}

// check refuses who is nobody, and whose files would be those of an authority.
func check(who credentials.Identity) error {
	if who.ID == peerCA || who.ID == clientCA {
		return fmt.Errorf("%s.crt and %s.key are the files of an authority: choose another name", who.ID, who.ID)
	}
	return who.Check()
}

func (d Dir) file(name string) string { return filepath.Join(d.Path, name) }

func (d Dir) from() time.Time { return d.Now().Add(-skew) }

func (d Dir) until(days int) time.Time { return d.Now().Add(time.Duration(days) * day) }

// write writes a key, and a certificate beside it.
func (d Dir) write(name string, cert *x509.Certificate, key crypto.Signer) (wrote []string, err error) {
	text, err := KeyPEM(key)
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		text []byte
		mode fs.FileMode
	}{{name + ".key", text, 0o600}, {name + ".crt", CertPEM(cert), 0o644}} {
		if err := writeNew(d.file(f.name), f.text, f.mode); err != nil {
			return wrote, err
		}
		wrote = append(wrote, d.file(f.name))
	}
	return wrote, nil
}

// writeNew writes a file that is not there.
func writeNew(path string, text []byte, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s: %w, and is not written over", path, ErrExists)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Sync(), f.Close())
}

// replace writes a file, all of it or nothing.
func replace(path string, text []byte, mode fs.FileMode) error {
	tmp := path + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := writeNew(tmp, text, mode); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// authority reads the authority for a role.
func (d Dir) authority(role paxos.Role) (*Authority, error) {
	name := peerCA
	if role == paxos.RoleClient {
		name = clientCA
	}
	key, err := d.key(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: the key of the authority is not here: `paxlog cert ca` makes it, once; --dir says where it is", d.file(name+".key"))
	}
	if err != nil {
		return nil, err
	}
	cert, err := d.cert(name)
	if err != nil {
		return nil, err
	}
	if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("%s is not the key of %s: if the authorities were replaced, their keys belong beside the new certificates; --dir says where both are", d.file(name+".key"), d.file(name+".crt"))
	}
	return &Authority{cert, key}, nil
}

func (d Dir) key(name string) (crypto.Signer, error) {
	text, err := os.ReadFile(d.file(name + ".key"))
	if err != nil {
		return nil, err
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.file(name+".key"), err)
	}
	return key, nil
}

func (d Dir) cert(name string) (*x509.Certificate, error) {
	text, err := os.ReadFile(d.file(name + ".crt"))
	if err != nil {
		return nil, err
	}
	cert, err := parseCert(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", d.file(name+".crt"), err)
	}
	return cert, nil
}

// Has reports whether there is a certificate of that name.
func (d Dir) Has(id string) bool {
	_, err := os.Lstat(d.file(id + ".crt"))
	return err == nil
}

// Make makes the key and the certificate of a process or client, and returns the files that
// it wrote.
func (d Dir) Make(role paxos.Role, id string, days int) ([]string, error) {
	who := credentials.Identity{Cluster: d.Cluster, Role: role, ID: id}
	if err := check(who); err != nil {
		return nil, err
	}
	for _, file := range []string{id + ".crt", id + ".key"} {
		if _, err := os.Lstat(d.file(file)); err == nil {
			return nil, fmt.Errorf("%s: %w, and is not written over: --renew makes a new certificate for the key that is there", d.file(file), ErrExists)
		}
	}
	key, err := newKey()
	if err != nil {
		return nil, err
	}
	cert, err := d.certificate(who, key.Public(), days)
	if err != nil {
		return nil, err
	}
	return d.write(id, cert, key)
}

// Renew makes a new certificate for the key that is there, and keeps the one before for Revoke.
func (d Dir) Renew(role paxos.Role, id string, days int) ([]string, error) {
	who := credentials.Identity{Cluster: d.Cluster, Role: role, ID: id}
	if err := check(who); err != nil {
		return nil, err
	}
	key, err := d.key(id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: there is no such key, so there is nothing to renew: without --renew one is made, and a certificate (--dir says where they are)", d.file(id+".key"))
	}
	if err != nil {
		return nil, err
	}
	before, err := d.cert(id)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if before != nil {
		if is, err := credentials.IdentityOf(before); err != nil || is != who {
			return nil, fmt.Errorf("%s: %w, and is not that of %s: it is not renewed for somebody else", d.file(id+".crt"), ErrExists, who)
		}
		if err := d.isRevoked(role, before); err != nil {
			return nil, err
		}
	}
	cert, err := d.certificate(who, key.Public(), days)
	if err != nil {
		return nil, err
	}
	if err := d.keep(id, before); err != nil {
		return nil, err
	}
	return []string{d.file(id + ".crt")}, replace(d.file(id+".crt"), CertPEM(cert), 0o644)
}

// isRevoked refuses a certificate that was revoked: its key may be in other hands.
func (d Dir) isRevoked(role paxos.Role, cert *x509.Certificate) error {
	by, err := d.authority(role)
	if err != nil {
		return err
	}
	_, list, err := readLists(d.file(crlFile), by)
	if err != nil || list == nil {
		return err
	}
	if slices.ContainsFunc(list.RevokedCertificateEntries, func(e x509.RevocationListEntry) bool { return e.SerialNumber.Cmp(cert.SerialNumber) == 0 }) {
		return fmt.Errorf("the certificate of %s was revoked, and its key is not used again: move its files (.key, .crt, .former) away, and make others without --renew", cert.Subject.CommonName)
	}
	return nil
}

// keep adds a certificate to the former ones of id.
func (d Dir) keep(id string, cert *x509.Certificate) error {
	if cert == nil {
		return nil
	}
	all, err := d.former(id)
	if err != nil {
		return err
	}
	var text []byte
	for _, c := range append(all, cert) {
		text = append(text, CertPEM(c)...)
	}
	return replace(d.file(id+".former"), text, 0o644)
}

// former are the certificates that that of id took the place of, but those that have ended.
func (d Dir) former(id string) (all []*x509.Certificate, err error) {
	path := d.file(id + ".former")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if !d.Now().After(c.NotAfter) {
			all = append(all, c)
		}
	}
	return all, nil
}

// certificate makes a certificate, which does not outlive its authority.
func (d Dir) certificate(who credentials.Identity, key crypto.PublicKey, days int) (*x509.Certificate, error) {
	by, err := d.authority(who.Role)
	if err != nil {
		return nil, err
	}
	until := d.until(days)
	if d.Now().After(by.Cert.NotAfter) {
		return nil, fmt.Errorf("the authority %q has ended at %s: `paxlog cert ca --dir` makes another one in another directory", by.Cert.Subject, by.Cert.NotAfter.UTC().Format(time.RFC3339))
	}
	if until.After(by.Cert.NotAfter) {
		until = by.Cert.NotAfter
	}
	return by.Certificate(who, key, d.from(), until)
}

// Revoke adds the certificate of a name, and those before it that have not ended, to the list
// of what was revoked. It returns the file of the list and the certificates.
func (d Dir) Revoke(id string) (file string, certs []*x509.Certificate, err error) {
	cert, err := d.cert(id)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, fmt.Errorf("%s: there is no such certificate here: --dir says where those are that `paxlog cert` has made", d.file(id+".crt"))
	}
	if err != nil {
		return "", nil, err
	}
	who, err := credentials.IdentityOf(cert)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", d.file(id+".crt"), err)
	}
	by, err := d.authority(who.Role)
	if err != nil {
		return "", nil, err
	}
	if err := cert.CheckSignatureFrom(by.Cert); err != nil {
		return "", nil, fmt.Errorf("%s: another authority than the one in %s issued it, which would have to revoke it: %w", d.file(id+".crt"), d.Path, err)
	}
	before, err := d.former(id)
	if err != nil {
		return "", nil, err
	}
	certs = []*x509.Certificate{cert}
	for _, c := range before {
		if c.CheckSignatureFrom(by.Cert) == nil { // one of an authority that was replaced ends with that
			certs = append(certs, c)
		}
	}
	file = d.file(crlFile)
	lists, old, err := readLists(file, by)
	if err != nil {
		return "", nil, err
	}
	list, err := by.Revoke(old, d.Now(), by.Cert.NotAfter, certs...)
	if err != nil {
		return "", nil, err
	}
	return file, certs, replace(file, append(lists, pemOf(crlBlock, list)...), 0o644)
}

const crlBlock = "X509 CRL"

// readLists returns the lists of a file, as text, but that of by, which it returns apart.
func readLists(path string, by *Authority) (others []byte, mine *x509.RevocationList, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		list, err := x509.ParseRevocationList(block.Bytes)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		if list.CheckSignatureFrom(by.Cert) == nil {
			mine = list
		} else {
			others = append(others, pem.EncodeToMemory(block)...)
		}
	}
	return others, mine, nil
}

// Section is the tls section of a cluster file that uses such a directory at path.
func Section(mode config.TLSMode, path string) config.TLS {
	return config.TLS{
		Mode: mode, Cert: path, Key: path, PeerCA: filepath.Join(path, peerCA+".crt"), ClientCA: filepath.Join(path, clientCA+".crt"), CRL: filepath.Join(path, crlFile),
	}
}
