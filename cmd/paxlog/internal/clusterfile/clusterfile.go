// Package clusterfile finds the cluster that a command is about: by the cluster file, or, for
// clients that find none, by the addresses of `paxlog dev`. And it connects clients to it.
package clusterfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/paxos"
)

// DefaultName is the cluster file that is used if none is named.
const DefaultName = "paxlog.yaml"

// DevBasePort is the base port of `paxlog dev`, and of the cluster that client
// commands use if there is no cluster file.
const DevBasePort = 7100

// Load loads the cluster file that the flag or the environment names, else
// ./paxlog.yaml. file is its path.
func Load(e *command.Environment) (c *config.Cluster, file string, err error) {
	file = e.ConfigFile
	if file == "" {
		file = DefaultName
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, "", command.Usagef("no %s here: pass --config FILE, or set PAXLOG_CONFIG", DefaultName)
		}
	}
	if c, err = config.Load(file); err != nil {
		return nil, file, err
	}
	return c, file, withFiles(c, e)
}

// withFiles has a cluster use the certificates that the command line names.
func withFiles(c *config.Cluster, e *command.Environment) error {
	if e.CertFile == "" && e.KeyFile == "" && e.CAFile == "" {
		return nil
	}
	switch c.TLS.Mode {
	case "":
		c.TLS.Mode = config.TLSRequire
	case config.TLSOff:
		return command.Usagef("--tls-cert, --tls-key and --tls-ca are of no use: tls.mode is off in the cluster file")
	}
	c.TLS = c.TLS.With(e.CertFile, e.KeyFile, e.CAFile)
	return c.Validate()
}

// Found is a cluster as a client command found it.
type Found struct {
	*config.Cluster
	File string      // the cluster file; "" if there is none and the cluster of `paxlog dev` is assumed
	Log  paxos.LogID // which log of it is meant; zero: whichever it has
}

// Assumed reports whether there was no cluster file. If nothing listens then, the
// command ends with errNoCluster.
func (c Found) Assumed() bool { return c.File == "" }

// ErrNone is what a client command says if there is no cluster file and
// nothing listens on the addresses of `paxlog dev`.
var ErrNone error = &command.ExitError{
	Code: command.ExitUnavailable,
	Err:  errors.New("no paxlog.yaml here: start `paxlog dev`, or pass --config"),
}

// Find loads the cluster file for a client command, or assumes the
// addresses of `paxlog dev`.
func Find(e *command.Environment) (Found, error) {
	if e.ConfigFile == "" {
		if _, err := os.Stat(DefaultName); errors.Is(err, fs.ErrNotExist) {
			return assumed(e)
		}
	}
	c, file, err := Load(e)
	return Found{Cluster: c, File: file}, err
}

// FindLog is Find for a command that takes --log.
func FindLog(e *command.Environment, in *command.Input) (Found, error) {
	log, err := in.LogID()
	if err != nil {
		return Found{}, err
	}
	c, err := Find(e)
	c.Log = log
	return c, err
}

// DevData is where `paxlog dev` keeps its data, and its cluster file, unless it is told
// otherwise.
const DevData = "./paxlog-dev"

// assumed is the cluster of `paxlog dev` on this machine: on the ports that it was given
// here, if it was, else on the usual ones.
func assumed(e *command.Environment) (Found, error) {
	c, err := config.Load(filepath.Join(DevData, DefaultName))
	if errors.Is(err, fs.ErrNotExist) {
		c, err = config.Dev(DevBasePort), nil
	}
	if err == nil {
		err = withFiles(c, e)
	}
	return Found{Cluster: c}, err
}

// Learner checks the value of --learner; "" stands for any learner.
func (c Found) Learner(in *command.Input) (paxos.NodeID, error) {
	id := paxos.NodeID(in.Text("learner"))
	if id == "" {
		return "", nil
	}
	_, err := c.Find(paxos.RoleLearner, id)
	return id, err
}

// IsDev reports whether c is the cluster of `paxlog dev`, whose processes are not
// started one by one.
func IsDev(c Found) bool {
	if c.Name != "dev" || len(c.Acceptors) != 3 || len(c.Proposers) != 2 || len(c.Learners) != 1 {
		return false
	}
	role, _, ok := c.Lookup("l1")
	return ok && role == paxos.RoleLearner
}
