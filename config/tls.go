package config

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// TLSMode says on which connections processes prove who they are.
type TLSMode string

// The modes. The empty one is TLSOff.
const (
	TLSOff     TLSMode = "off"     // on none: whoever reaches a port is trusted
	TLSAccept  TLSMode = "accept"  // on those whose other end can, so that a cluster goes over one process at a time
	TLSRequire TLSMode = "require" // on all
)

// TLS says how processes prove who they are, and by which authorities they believe others.
// Cert and Key may each name a directory, which holds a file ID.crt or ID.key for each
// process: so one cluster file serves them all.
type TLS struct {
	Mode     TLSMode
	Cert     string // of this process, and what leads from it to an authority
	Key      string // its private key
	PeerCA   string // the authorities of processes
	ClientCA string // those of clients; a client needs none
	CRL      string // what the authorities have revoked; "": nothing

	// Base is the directory that relative paths are relative to: that of the cluster file.
	Base string
}

// On reports whether any connection uses TLS.
func (t TLS) On() bool { return t.Mode == TLSAccept || t.Mode == TLSRequire }

// Path is the path of one of the files, "" if it is not given.
func (t TLS) Path(file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(t.Base, file)
}

// tlsField is one key of the tls section.
type tlsField struct {
	key    string
	at     func(*TLS) *string
	needed bool // wherever TLS is on
}

// tlsFields are the keys of the tls section that name files, in the order of print.
var tlsFields = []tlsField{
	{"cert", func(t *TLS) *string { return &t.Cert }, true},
	{"key", func(t *TLS) *string { return &t.Key }, true},
	{"peer_ca", func(t *TLS) *string { return &t.PeerCA }, true},
	{"client_ca", func(t *TLS) *string { return &t.ClientCA }, false},
	{"crl", func(t *TLS) *string { return &t.CRL }, false},
}

var tlsModes = []TLSMode{TLSOff, TLSAccept, TLSRequire}

// tls returns a reader of the tls section into to.
func (p *parser) tls(to *TLS) func(string, *yaml.Node) error {
	mode := func(path string, n *yaml.Node) error {
		text, err := p.scalar(path, n)
		to.Mode = TLSMode(text)
		return err
	}
	fields := []field{{"mode", mode}}
	for _, f := range tlsFields {
		fields = append(fields, field{f.key, p.text(f.at(to))})
	}
	return func(path string, n *yaml.Node) error {
		if err := p.mapping(path, n, fields); err != nil {
			return err
		}
		if to.Mode == "" {
			return p.fail(n, "tls.mode is missing: add `mode: off`, `mode: accept` or `mode: require`")
		}
		return nil
	}
}

// validate checks the section, not the files that it names.
func (t TLS) validate(cluster string, at locator) error {
	if t.Mode != "" && !slices.Contains(tlsModes, t.Mode) {
		return at.fail("tls.mode", "tls.mode: %q is none of off, accept and require", t.Mode)
	}
	if !t.On() {
		return nil
	}
	for _, f := range tlsFields {
		if f.needed && *f.at(&t) == "" {
			return at.fail("tls", "tls.%s is missing: with `mode: %s` add `%s: FILE` (`paxlog cert` makes such files, and prints the whole section)", f.key, t.Mode, f.key)
		}
	}
	// A certificate names the cluster as the host of a URI.
	if slices.Contains(strings.Split(cluster, "."), "") {
		return at.fail("cluster", "cluster: %q cannot stand in a certificate: with TLS a name neither begins nor ends with a dot, and has no two side by side", cluster)
	}
	return nil
}

// yaml is the section, nil if all of it is the default: an earlier release refuses it.
func (t TLS) yaml() *yaml.Node {
	if t.Mode == "" {
		t.Mode = TLSOff
	}
	section := mappingNode()
	add(section, "mode", textNode(string(t.Mode)))
	for _, f := range tlsFields {
		if file := *f.at(&t); file != "" {
			add(section, f.key, textNode(file))
		}
	}
	if len(section.Content) == 2 && t.Mode == TLSOff {
		return nil
	}
	return section
}

// Text is the section as it stands in a cluster file.
func (t TLS) Text() (string, error) {
	root := mappingNode()
	if section := t.yaml(); section != nil {
		add(root, "tls", section)
	}
	text, err := encode(root)
	return string(text), err
}

// With is the section with other files, where they are given. They are relative to
// the working directory.
func (t TLS) With(cert, key, peerCA string) TLS {
	here := func(file string) string {
		if file == "" {
			return ""
		}
		if abs, err := filepath.Abs(file); err == nil {
			return abs
		}
		return file
	}
	t.Cert, t.Key, t.PeerCA = cmp.Or(here(cert), t.Cert), cmp.Or(here(key), t.Key), cmp.Or(here(peerCA), t.PeerCA)
	return t
}
