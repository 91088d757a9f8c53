package transport

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"unicode"

	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// What is said of a handshake that failed, to people.

// sentence makes a sentence of one that repeats what a stranger said: printable,
// since it reaches logs and terminals, and of bounded length.
func sentence(text string) string {
	cut := len(text) > refusalBytes
	if cut {
		text = text[:refusalBytes]
	}
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, text)
	if cut {
		text += "..."
	}
	return text
}

// meaning says what a code means to a process that is told no more.
func meaning(code wire.RefusalCode, p Peer, cfg Config) string {
	m := cfg.Members
	switch code {
	case wire.RefusedCluster:
		return fmt.Sprintf("the process there is of another cluster than %q", m.Cluster)
	case wire.RefusedAcceptors:
		return fmt.Sprintf("the cluster file there names other acceptors than %v, as the file here does; its log says which", m.Acceptors)
	case wire.RefusedQuorums:
		return fmt.Sprintf("the cluster file there has other quorums than phase1=%d phase2=%d, as the file here has; its log says which", m.Phase1, m.Phase2)
	case wire.RefusedSessions:
		return fmt.Sprintf("the cluster file there has another limits.sessions than %d, as the file here has; its log says which", m.Sessions)
	case wire.RefusedIdentity:
		if cfg.Role == paxos.RoleClient {
			return fmt.Sprintf("the process there is not %s %s", p.Role, p.ID)
		}
		return fmt.Sprintf("either the process there is not %s %s, or it finds %s %s neither in its cluster file nor in the log, or this one was of the log and is no more, since it was removed or replaced: "+
			"`paxlog member list` shows who is; who was replaced does not come back under its id", p.Role, p.ID, cfg.Role, cfg.ID)
	case wire.RefusedPlain:
		return "it takes connections with TLS only, and this one is plain"
	case wire.RefusedCertificate:
		return "it refuses the certificate of this process; its log says why"
	case wire.RefusedFull:
		return "as many connections as it takes are open already, or as many as this principal may have (`paxlog settings show`)"
	case wire.RefusedIncarnation:
		return fmt.Sprintf("%s %s knows %s %s by another incarnation than %016x, and that one is connected there: the data directory here was initialised anew, or is another one's. "+
			"Restore the old directory if this one is to take its place", p.Role, p.ID, cfg.Role, cfg.ID, cfg.Incarnation)
	case wire.RefusedReplaced:
		return fmt.Sprintf("another process connects there as %s %s and took the place of this one: two run under one id, and one of them must be stopped", cfg.Role, cfg.ID)
	}
	return fmt.Sprintf("the process there refuses this one, with code %d; its log says why", code)
}

// notAnswered says what it means that no answer to a greeting came.
func notAnswered(p Peer, err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("%s at %s: %w: %w", p.ID, p.Addr, ErrNoAnswer, noPorts(err))
	case errors.Is(err, wire.ErrFrame):
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		err = &portless{err, "it took the connection and closed it"} // however that was noticed
	}
	return fmt.Errorf("%s at %s did not answer as a paxlog process: %w", p.ID, p.Addr, noPorts(err))
}

// noPorts is an error of a connection without the addresses of its ends: the port of the
// end that dialled is another one each time, and would make each error a new one.
func noPorts(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Source != nil && op.Err != nil {
		return &portless{err, strings.Replace(err.Error(), op.Error(), op.Err.Error(), 1)}
	}
	return err
}

type portless struct {
	err  error
	text string
}

func (e *portless) Error() string { return e.text }
func (e *portless) Unwrap() error { return e.err }
