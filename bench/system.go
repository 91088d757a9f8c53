package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/paxlog/paxlog/internal/load"
)

// system is one replicated log that is measured, as three processes or more.
type system interface {
	name() string
	// start starts its processes in dir and returns when it can be appended to.
	start(ctx context.Context, p *processes) error
	// dial opens one connection.
	dial(ctx context.Context) (conn, error)
	// count is how many entries it holds.
	count(ctx context.Context) (uint64, error)
	// close ends what start opened in this process.
	close()
}

// conn is a connection of the system's own client library.
type conn interface {
	// session is what one client appends to, in order.
	session() load.Session
	close()
}

// systems are those that can be measured, in the order of the table.
func systems() []system {
	return []system{&paxlogSystem{}, &paxlogSystem{each: true}, &etcdSystem{}, &natsSystem{}, &raftSystem{}}
}

// host is where everything listens.
const host = "127.0.0.1"

// patience bounds every wait for a system to start and to answer.
const patience = 30 * time.Second

// processes are the children of one system. They die with this process, whatever
// ends it.
type processes struct {
	dir      string
	children []*exec.Cmd
	names    []string    // of the children
	ended    chan string // who ended, of which none should
	stopping chan struct{}
	gone     sync.WaitGroup
}

func newProcesses(dir string) *processes {
	return &processes{dir: dir, ended: make(chan string, 16), stopping: make(chan struct{})}
}

// self starts this program again, as a member of a system.
func (p *processes) self(name string, args ...string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	return p.spawn(name, exe, append([]string{childCommand}, args...)...)
}

// spawn starts a process, whose output goes to a file.
func (p *processes) spawn(name, path string, args ...string) error {
	out, err := os.Create(filepath.Join(p.dir, name+".log"))
	if err != nil {
		return err
	}
	defer out.Close() // the child has its own
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return err
	}
	p.children, p.names = append(p.children, cmd), append(p.names, name)
	p.gone.Go(func() {
		err := cmd.Wait()
		select {
		case <-p.stopping:
		default:
			p.ended <- fmt.Sprintf("%s ended (%v): %s", name, err, lastLine(out.Name()))
		}
	})
	return nil
}

// lastLine is the last line of a file, for an error.
func lastLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// members are the children, to be counted.
func (p *processes) members() (all []member) {
	for i, c := range p.children {
		all = append(all, member{p.names[i], c.Process.Pid})
	}
	return all
}

// usage is what the processes of a system have taken so far.
type usage struct {
	cpu  time.Duration // of all together
	peak int64         // bytes of memory, of the largest
}

// usage reads what the kernel counts of each process.
func (p *processes) usage() (u usage, err error) {
	for _, m := range p.members() {
		cpu, err := cpuOf(m.pid)
		if err != nil {
			return u, err
		}
		h, err := heldBy(m.pid)
		if err != nil {
			return u, err
		}
		u.cpu, u.peak = u.cpu+cpu, max(u.peak, h.Peak)
	}
	return u, nil
}

// failed returns an error if a process has ended.
func (p *processes) failed() error {
	select {
	case why := <-p.ended:
		return fmt.Errorf("%s", why)
	default:
		return nil
	}
}

// stop kills every process, and returns when all are gone.
func (p *processes) stop() {
	close(p.stopping)
	for _, c := range p.children {
		_ = c.Process.Kill() // it may have ended
	}
	p.gone.Wait()
}

// until tries until it works, a process ends, or patience does.
func (p *processes) until(parent context.Context, what string, try func(ctx context.Context) error) error {
	ctx, cancel := context.WithTimeout(parent, patience)
	defer cancel()
	for {
		one, done := context.WithTimeout(ctx, 5*time.Second)
		err := try(one)
		done()
		if err == nil {
			return nil
		}
		if failed := p.failed(); failed != nil {
			return failed
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			if parent.Err() != nil {
				return context.Cause(parent)
			}
			return fmt.Errorf("%s within %v: %w", what, patience, err)
		}
	}
}

// freePorts finds ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	for range n {
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return nil, err
		}
		defer l.Close() // when all are found, so that they differ
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// at is the address of a port.
func at(port int) string { return fmt.Sprintf("%s:%d", host, port) }
