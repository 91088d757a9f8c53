package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
)

// defaultConfig is the cluster file that is used if none is named.
const defaultConfig = "paxlog.yaml"

// devBasePort is the base port of `paxlog dev`, and of the cluster that client
// commands use if there is no cluster file.
const devBasePort = 7100

// environment is what a command works with besides its own options.
type environment struct {
	stdin      io.Reader
	stdout     io.Writer // remembers its first failure; a closed pipe ends quietly
	stderr     io.Writer
	log        zerolog.Logger // writes to stderr
	endLog     func()         // no line of it comes after this
	configFile string         // --config or PAXLOG_CONFIG; "" if neither is given
	now        func() time.Time
	kill       func(code int) // ends the process at once, without cleaning up
}

// environment makes the environment of one command.
func (p *process) environment(in *input) (*environment, error) {
	if err := in.checkSwitches(); err != nil {
		return nil, err
	}
	level, format := in.text("log-level"), in.text("log-format")
	for _, name := range []string{"log-level", "log-format"} {
		if err := in.checkValue(name); err != nil {
			return nil, err
		}
	}
	if level == "" {
		level = "warn"
		if in.command.daemon && (in.command.quiet == nil || !in.command.quiet(in)) {
			level = "info"
		}
	}
	if format == "" {
		format = "json"
		if isTerminal(p.stderr) {
			format = "console"
		}
	}
	log, endLog := newLogger(p.stderr, level, format)
	return &environment{
		stdin:      p.stdin,
		stdout:     p.stdout,
		stderr:     p.stderr,
		log:        log,
		endLog:     endLog,
		configFile: in.text("config"),
		now:        time.Now,
		kill:       p.kill,
	}, nil
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	if o, ok := stream.(*output); ok {
		stream = o.to
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// cluster loads the cluster file that the flag or the environment names, else
// ./paxlog.yaml. file is its path.
func (e *environment) cluster() (c *config.Cluster, file string, err error) {
	file = e.configFile
	if file == "" {
		file = defaultConfig
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, "", usagef("no %s here: pass --config FILE, or set PAXLOG_CONFIG", defaultConfig)
		}
	}
	c, err = config.Load(file)
	return c, file, err
}

// clientCluster is a cluster as a client command found it.
type clientCluster struct {
	*config.Cluster
	File string // the cluster file; "" if there is none and the addresses of `paxlog dev` are assumed
}

// Assumed reports whether there was no cluster file. If nothing listens then, the
// command ends with errNoCluster.
func (c clientCluster) Assumed() bool { return c.File == "" }

// errNoCluster is what a client command says if there is no cluster file and
// nothing listens on the addresses of `paxlog dev`.
var errNoCluster error = &exitError{
	code: ExitUnavailable,
	err:  errors.New("no paxlog.yaml here: start `paxlog dev`, or pass --config"),
}

// clientCluster loads the cluster file for a client command, or assumes the
// addresses of `paxlog dev`.
func (e *environment) clientCluster() (clientCluster, error) {
	if e.configFile == "" {
		if _, err := os.Stat(defaultConfig); errors.Is(err, fs.ErrNotExist) {
			return clientCluster{Cluster: config.Dev(devBasePort)}, nil
		}
	}
	c, file, err := e.cluster()
	return clientCluster{Cluster: c, File: file}, err
}

// learner checks the value of --learner; "" stands for any learner.
func (c clientCluster) learner(in *input) (paxos.NodeID, error) {
	id := paxos.NodeID(in.text("learner"))
	if id == "" {
		return "", nil
	}
	_, err := c.Find(paxos.RoleLearner, id)
	return id, err
}
