package credentials

import (
	"cmp"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
)

// Options of Open.
type Options struct {
	TLS config.TLS
	// Me is who the process is. The ID of a client may be empty: it is what its certificate
	// says.
	Me  Identity
	Now func() time.Time // nil: time.Now
}

// Store holds the newest snapshot of a process.
type Store struct {
	opts   Options
	newest atomic.Pointer[Snapshot]

	mu      sync.Mutex // one reads at a time
	read    state      // what the files were when they were last read
	doubted state      // how they were found changed, and could not be used
	failed  bool       // some of what was read last could not be used
}

// state tells whether files have changed.
type state [5]fileState

type fileState struct {
	path  string
	size  int64
	at    time.Time
	there bool
}

// clientFile is what the files of a client are called in a directory, unless it is named.
const clientFile = "client"

// Open reads the files, all of which must be usable. It returns nil without an error where
// TLS is off.
func Open(opts Options) (*Store, error) {
	if !opts.TLS.On() {
		return nil, nil
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Store{opts: opts}
	f := s.files()
	s.read = stateOf(f)
	fresh := &Snapshot{cluster: opts.Me.Cluster, now: opts.Now}
	if err := errors.Join(s.take(fresh, f)...); err != nil {
		return nil, err
	}
	s.newest.Store(fresh)
	return s, nil
}

func (s *Store) files() files { return filesOf(s.opts.TLS, cmp.Or(s.opts.Me.ID, clientFile)) }

// Snapshot is the newest.
func (s *Store) Snapshot() *Snapshot { return s.newest.Load() }

// Reload reads the files again. What can be used of them is in force from now on; the error
// says what could not, of which the former stays in force.
func (s *Store) Reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload(stateOf(s.files()))
}

func (s *Store) reload(is state) error {
	s.read, s.doubted = is, state{}
	f := s.files()
	next := *s.newest.Load()
	err := errors.Join(s.take(&next, f)...)
	s.newest.Store(&next)
	s.failed = err != nil
	return err
}

// Check reads the files again if their times or sizes have changed, and reports whether it
// did. A change that cannot be used is looked at once more at the next call before it counts:
// a certificate and its key are two files, and somebody may be between them. What could not be
// used is tried again until it can be, since the reason may have gone and the files not changed:
// a key that others could read, or a certificate that is valid from tomorrow on.
func (s *Store) Check() (changed bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is := stateOf(s.files())
	isAsRead := is == s.read
	if isAsRead {
		s.doubted = state{}
		if !s.failed {
			return false, nil
		}
	}
	if isAsRead || is != s.doubted {
		trial := *s.newest.Load()
		if errs := s.take(&trial, s.files()); len(errs) > 0 {
			if !isAsRead {
				s.doubted = is
			}
			return false, nil
		}
	}
	return true, s.reload(is)
}

func stateOf(f files) (out state) {
	for i, path := range []string{f.cert, f.key, f.peers, f.clients, f.crl} {
		out[i].path = path
		if info, err := os.Stat(path); err == nil {
			out[i] = fileState{path, info.Size(), info.ModTime(), true}
		}
	}
	return out
}

// take puts into a snapshot what can be used of the files, and returns what is wrong with the
// rest.
func (s *Store) take(to *Snapshot, f files) (wrong []error) {
	if err := to.takeAuthorities(f, s.opts.Me.Role); err != nil {
		wrong = append(wrong, err)
	} else if revoked, err := readRevoked(f.crl, to.all); err != nil {
		wrong = append(wrong, err)
	} else {
		to.revoked = revoked
	}
	if to.peers == nil {
		return wrong // there are no authorities to judge the certificate by
	}
	if pair, err := readPair(f); err != nil {
		wrong = append(wrong, err)
	} else if err := to.adopt(pair, s.opts.Me, f); err != nil {
		wrong = append(wrong, err)
	}
	return wrong
}

// takeAuthorities reads who vouches for others.
func (s *Snapshot) takeAuthorities(f files, me paxos.Role) error {
	all, err := readAuthorities(f.peers, "peer", s.now())
	if err != nil {
		return err
	}
	peers := len(all)
	switch {
	case f.clients != "":
		clients, err := readAuthorities(f.clients, "client", s.now())
		if err != nil {
			return err
		}
		all = append(all, clients...)
	case me != paxos.RoleClient:
		return &FileError{Path: "tls.client_ca", Problem: "it is missing: an acceptor, proposer or learner has to know who vouches for clients"}
	}
	keys := map[[sha256.Size]byte]bool{}
	for _, a := range all[:peers] {
		keys[keyOf(a.Certificate)] = true
	}
	for _, a := range all[peers:] {
		if keys[keyOf(a.Certificate)] {
			return &FileError{Path: f.clients, Problem: fmt.Sprintf("%s is in peer_ca (%s), too: whoever makes certificates for clients could make an acceptor then; use two authorities", a.Subject, f.peers)}
		}
	}
	// From here on nothing fails: all of it is taken, or nothing was.
	s.peers, s.clients = poolOf(all[:peers]), nil
	if peers < len(all) {
		s.clients = poolOf(all[peers:])
	}
	s.all = all
	return nil
}

func poolOf(all []authority) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, a := range all {
		pool.AddCert(a.Certificate)
	}
	return pool
}

// IsOn reports whether TLS is used at all. It is not by a nil Store.
func (s *Store) IsOn() bool { return s != nil }

// IsRequired reports whether every connection has to have it.
func (s *Store) IsRequired() bool { return s != nil && s.opts.TLS.Mode == config.TLSRequire }
