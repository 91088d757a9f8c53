package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/paxlog/paxlog/credentials"
	"github.com/paxlog/paxlog/paxos"
	"github.com/paxlog/paxlog/wire"
)

// With TLS a connection begins with a handshake of it, under the deadline of the greeting, and
// both ends prove who they are (package credentials). The greeting then has to say the same.
// A listener knows by the first byte what a dialler means: 0x16 begins a record of TLS, "p" the
// preface of a plain greeting.
//
// In the mode accept a listener takes both, and a dialler begins with TLS, and goes on without
// only if the other end ends the connection before it has said a word of TLS, as processes do
// that know none. Whoever can disturb a connection can feign that: accept promises nothing
// that off does not, it only lets a cluster go over. One mistake is found out: a listener that
// speaks TLS says so in a plain greeting, too, and a dialler that could have had it ends such a
// connection and tries again.

// tlsRecord is the first byte of what a TLS client says.
const tlsRecord = 0x16

// laterTLS, in an Agreed, says that its sender speaks TLS.
const laterTLS = "tls"

// errOldCertificate is wrapped by the error of a connection whose other end does not take any
// more what it took when the connection began.
var errOldCertificate = errors.New("the certificate that")

// errPlain is wrapped by the error of a dialler that met a process without TLS.
var errPlain = errors.New("it speaks no TLS")

// veiled puts TLS on a connection and shakes hands. The one who calls judges what it means if
// that fails.
func (c *conn) veiled(make func(net.Conn, *tls.Config) *tls.Conn, cfg *tls.Config) error {
	v := &veil{raw: c.nc, in: &c.in, wake: c.signal}
	v.Conn = make(under{c.nc, v}, cfg)
	c.veil = v
	if err := v.Conn.HandshakeContext(c.n.ctx); err != nil {
		return err
	}
	v.opened()
	c.w.seal, c.w.release = v.seal, v.release
	c.r.Reset(v.Conn)
	return nil
}

// expectTLS has an accepted connection go on with TLS, if it begins so.
func (c *conn) expectTLS() error {
	if !c.n.cfg.Credentials.IsOn() {
		return nil
	}
	if err := c.nc.SetDeadline(c.until); err != nil {
		return err
	}
	var first [1]byte
	if _, err := io.ReadFull(c.nc, first[:]); err != nil {
		return fmt.Errorf("no greeting: %w", noPorts(err))
	}
	c.in.left = first[:]
	if first[0] != tlsRecord {
		return nil
	}
	snapshot := c.n.cfg.Credentials.Snapshot()
	var proof *credentials.Proof
	if err := c.veiled(tls.Server, snapshot.Listener(&proof)); err != nil {
		c.lingers = true
		return strangerError(err, snapshot)
	}
	c.proved(proof, snapshot)
	if proof.Role != paxos.RoleClient {
		c.n.greetings.heard(c.nc)
	}
	return nil
}

func (c *conn) proved(p *credentials.Proof, by *credentials.Snapshot) {
	c.proof.Store(p)
	c.judgedBy.Store(by)
}

// linger reads what a dialler has sent already before its connection is closed: else it is
// reset, and the dialler does not read why it was refused. In TLS 1.3 it has greeted by then.
func (c *conn) linger() {
	half, ok := c.nc.(interface{ CloseWrite() error })
	if !c.lingers || !ok || half.CloseWrite() != nil {
		return
	}
	until := time.Now().Add(partingTime)
	if until.After(c.until) {
		until = c.until
	}
	if c.nc.SetDeadline(until) == nil {
		_, _ = io.CopyN(io.Discard, &c.in, 2*helloBytes) // its end is all that is wanted
	}
}

// strangerError says why a dialler is refused whose TLS handshake failed.
func strangerError(err error, s *credentials.Snapshot) error {
	var refused *credentials.RefusedError
	var failed *net.OpError
	text := ""
	switch {
	case errors.As(err, &refused):
		text = "the certificate that it shows is refused: " + refused.Text
	case errors.As(err, &failed) && failed.Op == remoteError:
		text = fmt.Sprintf("it refuses the certificate of this process (%v), as its log says: %s", failed.Err, s.Describe())
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, io.ErrUnexpectedEOF), isEnd(err):
		return fmt.Errorf("no TLS handshake: %w", noPorts(err))
	default:
		text = fmt.Sprintf("no TLS handshake: %v; TLS 1.3 is needed, and a certificate of this cluster", noPorts(err))
	}
	return &StrangerError{Code: wire.RefusedCertificate, Text: sentence(text)}
}

// remoteError is the operation in an error that the other end has sent.
const remoteError = "remote error"

// isProved returns why a greeting is refused that is not what was proved, code 0 if it is.
func (c *conn) isProved(h *wire.Hello) (wire.RefusalCode, string) {
	p, err := c.proof.Load(), c.judgeAgain(time.Now())
	switch {
	case p == nil && c.n.cfg.Credentials.IsRequired():
		return wire.RefusedPlain, "connections are taken with TLS only (tls.mode is require), and this one is plain: the cluster file of the process that dials needs the section tls, and the process a certificate"
	case p == nil:
	case err != nil: // the files have changed since this handshake began
		return wire.RefusedCertificate, fmt.Sprintf("the certificate that it shows is refused by now: %v", err)
	case p.Role != h.Role || h.Role != paxos.RoleClient && p.ID != string(h.ID):
		return wire.RefusedCertificate, fmt.Sprintf("it says that it is %s %.32q, and its certificate is that of %s", h.Role, h.ID, p.Identity)
	}
	return 0, ""
}

// provenAs checks that who welcomes this process is who it has proved to be.
func (c *conn) provenAs(w *wire.Welcome) error {
	if p := c.proof.Load(); p != nil && (p.Role != w.Role || p.ID != string(w.ID)) {
		return fmt.Errorf("%w: %s %.32q welcomes this process, and its certificate is that of %s", wire.ErrFrame, w.Role, w.ID, p.Identity)
	}
	return nil
}

// open connects to the peer, with TLS where that is to be.
func (d *dialer) open() (c *conn, err error) {
	of := d.n.cfg.Credentials
	if c, err = d.begin(of.IsOn()); !of.IsRequired() && errors.Is(err, errPlain) {
		if c, err = d.begin(false); err == nil {
			c.isFallback = true
		}
	}
	return c, err
}

func (d *dialer) begin(withTLS bool) (*conn, error) {
	nc, err := d.connect()
	if err != nil {
		return nil, &unreachableError{err}
	}
	c := newConn(d.n, nc)
	c.stop = context.AfterFunc(d.ctx, func() { _ = nc.Close() })
	if withTLS {
		if err := c.dialTLS(d.p); err != nil {
			c.hangUp()
			return nil, err
		}
	}
	return c, nil
}

// hangUp ends a connection that begin has made.
func (c *conn) hangUp() {
	c.stop()
	_ = c.nc.Close()
}

// unreachableError is why there is no connection.
type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

// dialTLS shakes hands with p.
func (c *conn) dialTLS(p Peer) error {
	if err := c.nc.SetDeadline(c.until); err != nil {
		return err
	}
	snapshot := c.n.cfg.Credentials.Snapshot()
	var proof *credentials.Proof
	err := c.veiled(tls.Client, snapshot.Dialler(p.Role, p.ID, &proof))
	var refused *credentials.RefusedError
	var header tls.RecordHeaderError
	switch {
	case err == nil:
		c.proved(proof, snapshot)
		return nil
	case errors.As(err, &refused):
		return &RefusedError{Addr: p.Addr, Code: wire.RefusedCertificate, Text: sentence("the certificate that is shown there is refused: " + refused.Text)}
	case errors.As(err, &header), !c.veil.heard.Load() && isEnd(err):
		return fmt.Errorf("%s at %s: %w, most likely: it ended the connection when TLS began. Its cluster file needs the section tls, too; "+
			"with `mode: accept` in all of them a cluster goes over one process at a time", p.ID, p.Addr, errPlain)
	}
	return c.notSecured(p, err)
}

// isEnd reports whether the other end has ended a connection.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// notSecured says what it means that a connection failed that TLS was to secure.
func (c *conn) notSecured(p Peer, err error) error {
	var failed *net.OpError
	if !errors.As(err, &failed) || failed.Op != remoteError {
		return notAnswered(p, err)
	}
	return &RefusedError{Addr: p.Addr, Code: wire.RefusedCertificate, Text: sentence(fmt.Sprintf(
		"%s %s refuses the certificate of this process (%v), as its log says: %s", p.Role, p.ID, failed.Err, c.n.cfg.Credentials.Snapshot().Describe()))}
}

// Judge judges who is connected by what is believed now: those who were judged by something
// else, and those whose proof has come to its end. It is to be called when the credentials have
// changed, and now and then.
func (n *Network) Judge(now time.Time) {
	if !n.cfg.Credentials.IsOn() {
		return
	}
	for _, c := range n.connected() {
		n.judgeConn(c, now)
	}
}

// judgeConn ends a connection whose other end is not believed any more, and reports whether it is. It is
// called, too, once a connection has its place among those that Judge looks at: so one whose
// handshake began by files that have changed meanwhile is judged by the new ones, whichever comes first.
func (n *Network) judgeConn(c *conn, now time.Time) bool {
	if err := c.judgeAgain(now); err != nil {
		c.part(wire.RefusedCertificate, fmt.Errorf("its certificate is refused now: %w", err))
		return false
	}
	return true
}

// judgeAgain judges the other end by what is believed now, if it was judged by something else or its
// proof has come to its end.
func (c *conn) judgeAgain(now time.Time) error {
	p := c.proof.Load()
	if p == nil {
		return nil
	}
	newest := c.n.cfg.Credentials.Snapshot()
	if c.judgedBy.Load() == newest && !now.After(p.Until) {
		return nil
	}
	again, err := newest.Again(p)
	if err == nil {
		c.proved(again, newest)
	}
	return err
}

// Plain are the processes that a connection without TLS is open to, and how many clients have
// one.
func (n *Network) Plain() (peers []paxos.NodeID, clients int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, l := range n.links {
		if !slices.ContainsFunc([]*conn{l.dialed, l.accepted}, func(c *conn) bool { return c != nil && c.proof.Load() == nil }) {
			continue
		}
		if l.role == paxos.RoleClient {
			clients++
		} else {
			peers = append(peers, id)
		}
	}
	slices.Sort(peers)
	return peers, clients
}
