package credentials

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/paxlog/paxlog/config"
)

// maxFileBytes bounds each file.
const maxFileBytes = 4 << 20

// files are the paths of what a process reads, "" for what it has none of.
type files struct{ cert, key, peers, clients, crl string }

// filesOf are the files of the process id.
func filesOf(t config.TLS, id string) files {
	return files{
		cert: in(t.Path(t.Cert), id+".crt"), key: in(t.Path(t.Key), id+".key"),
		peers: t.Path(t.PeerCA), clients: t.Path(t.ClientCA), crl: t.Path(t.CRL),
	}
}

// in is path, or what is called name in it, if it is a directory.
func in(path, name string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, name)
	}
	return path
}

// read reads a file that is not too large.
func read(path, what string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, what, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, unreadable(path, what, err)
	}
	if len(data) > maxFileBytes {
		return nil, &FileError{Path: path, Problem: fmt.Sprintf("more than %d MiB: this is not %s", maxFileBytes>>20, what)}
	}
	return data, nil
}

func unreadable(path, what string, err error) error {
	problem := fmt.Sprintf("%s cannot be read: %v", what, errors.Unwrap(err))
	if errors.Is(err, fs.ErrNotExist) {
		problem = fmt.Sprintf("there is no such file, which is to hold %s: `paxlog cert` makes it, and the section tls of the cluster file says where it is", what)
	}
	return &FileError{Path: path, Problem: problem, Err: err}
}

// readPair reads a certificate, what leads from it to an authority, and its key.
func readPair(f files) (*tls.Certificate, error) {
	certs, err := read(f.cert, "the certificate of this process")
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(f.key)
	if err != nil {
		return nil, unreadable(f.key, "the key of this process", err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, &FileError{Path: f.key, Problem: fmt.Sprintf("others on this host can read this key (mode %#o), so it proves nothing: `chmod 600 %s`, and if they may have, make another one", info.Mode().Perm(), f.key)}
	}
	key, err := read(f.key, "the key of this process")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certs, key)
	if err != nil {
		return nil, &FileError{Path: f.cert, Problem: fmt.Sprintf("the certificate and the key %s are no pair: %v", f.key, err), Err: err}
	}
	return &pair, nil
}

// authority is a certificate that vouches for others.
type authority struct {
	*x509.Certificate
	kind string // "peer" or "client"
}

// readAuthorities reads the authorities of a kind.
func readAuthorities(path, kind string, now time.Time) (all []authority, err error) {
	data, err := read(path, "the authorities of "+kind+"s")
	if err != nil {
		return nil, err
	}
	if err := whole(path, data); err != nil {
		return nil, err
	}
	valid := false
	for _, der := range blocks(data, "CERTIFICATE") {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, &FileError{Path: path, Problem: fmt.Sprintf("a certificate in it cannot be read: %v", err), Err: err}
		}
		if !c.BasicConstraintsValid || !c.IsCA {
			return nil, &FileError{Path: path, Problem: fmt.Sprintf("the certificate %s in it is that of no authority, so it can vouch for nobody", c.Subject)}
		}
		valid = valid || !now.After(c.NotAfter)
		all = append(all, authority{c, kind})
	}
	switch {
	case len(blocks(data, "PRIVATE KEY")) > 0:
		return nil, &FileError{Path: path, Problem: "it holds a private key: that of an authority belongs on no host where processes run; keep it elsewhere, and here the certificate alone"}
	case len(all) == 0:
		return nil, &FileError{Path: path, Problem: "there is no certificate in it: it must hold those of the authorities, in PEM"}
	case !valid:
		return nil, &FileError{Path: path, Problem: "all authorities in it have expired, the last of them at " + stamp(last(all)) + ": `paxlog cert ca` makes others"}
	}
	return all, nil
}

// last is when the last of all ends.
func last(all []authority) (t time.Time) {
	for _, a := range all {
		if a.NotAfter.After(t) {
			t = a.NotAfter
		}
	}
	return t
}

// whole refuses a file of which a PEM block cannot be read, since it is being written, say, or
// the disk was full: package pem passes over such a block, and whom it was about would be
// believed, or not, for that.
func whole(path string, data []byte) error {
	if began, read := bytes.Count(data, []byte("-----BEGIN ")), len(blocks(data, "")); began != read {
		return &FileError{Path: path, Problem: fmt.Sprintf("%d of the %d PEM blocks in it are cut short or damaged: copy it again", began-read, began)}
	}
	return nil
}

// blocks are the contents of the PEM blocks whose type ends so.
func blocks(data []byte, kind string) (out [][]byte) {
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			return out
		}
		if bytes.HasSuffix([]byte(b.Type), []byte(kind)) {
			out = append(out, b.Bytes)
		}
	}
}

// stamp is a time as people read it in messages.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
