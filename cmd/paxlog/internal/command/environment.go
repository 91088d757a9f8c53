package command

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/term"
)

// Environment is what a command works with besides its own options.
type Environment struct {
	Stdin  io.Reader
	Stdout io.Writer // remembers its first failure; a closed pipe ends quietly
	Stderr io.Writer
	Log    zerolog.Logger // writes to stderr
	// SetLevel sets the level of Log, "" for that of daemons; nil if the command line has set it.
	SetLevel   func(level string)
	EndLog     func()          // no line of it comes after this
	ConfigFile string          // --config or PAXLOG_CONFIG; "" if neither is given
	Hangups    <-chan struct{} // in a daemon: a SIGHUP asks it to read again what it can
	// CertFile, KeyFile and CAFile take the places of those in the cluster file, if given.
	CertFile, KeyFile, CAFile string
	Now                       func() time.Time
	Kill                      func(code int) // ends the process at once, without cleaning up
}

// environment makes the environment of one command.
func (p *Program) environment(in *Input) (*Environment, error) {
	if err := in.checkSwitches(); err != nil {
		return nil, err
	}
	level, format := in.Text("log-level"), in.Text("log-format")
	for _, name := range []string{"log-level", "log-format"} {
		if err := in.CheckValue(name); err != nil {
			return nil, err
		}
	}
	if level == "" {
		level = "warn"
		if in.command.Daemon && (in.command.Quiet == nil || !in.command.Quiet(in)) {
			level = "info"
		}
	}
	if format == "" {
		format = "json"
		if IsTerminal(p.Stderr) {
			format = "console"
		}
	}
	log, setLevel, endLog := NewLogger(p.Stderr, level, format)
	if in.Text("log-level") != "" {
		setLevel = nil
	}
	return &Environment{
		Stdin:      p.Stdin,
		Stdout:     p.out,
		Stderr:     p.Stderr,
		Log:        log,
		SetLevel:   setLevel,
		EndLog:     endLog,
		ConfigFile: in.Text("config"),
		Hangups:    p.hangups,
		CertFile:   in.Text("tls-cert"),
		KeyFile:    in.Text("tls-key"),
		CAFile:     in.Text("tls-ca"),
		Now:        time.Now,
		Kill:       p.Kill,
	}, nil
}

// IsTerminal reports whether a stream is a terminal.
func IsTerminal(stream any) bool {
	if o, ok := stream.(*output); ok {
		stream = o.to
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ProgressInterval is the time between two drawings of a progress bar.
const ProgressInterval = 100 * time.Millisecond
