package command

import (
	"bytes"
	"cmp"
	"io"
	"os"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/internal/shapes"
)

// NewLogger returns a logger whose lines are written to w, until end is called: end
// writes what waits, for at most lastLines. Who logs never waits for who reads: lines
// that find too much waiting are dropped, and a later line says how many. level is debug,
// info, warn or error; format is json, an object a line, or console, for people. The
// console is coloured only on a terminal, and never if NO_COLOR is set.
//
// set has it, and all that were made of it, log from another level on, "" for the first one.
func NewLogger(w io.Writer, level, format string) (log zerolog.Logger, set func(level string), end func()) {
	gate := &levelGate{}
	gate.set(level)
	logTo := func(lines io.Writer) zerolog.Logger {
		if format == "console" {
			lines = zerolog.ConsoleWriter{
				Out:        lines,
				NoColor:    os.Getenv("NO_COLOR") != "" || !IsTerminal(w),
				TimeFormat: "15:04:05.000",
			}
		}
		return zerolog.New(lines).Hook(timeHook{})
	}
	lines := &logLines{to: w, tell: func(dropped int) []byte {
		var line bytes.Buffer
		log := logTo(&line) // also where only errors are asked for
		log.Warn().Int("dropped", dropped).Msg("lines of this log were dropped, for nobody read standard error: read it, or log less with --log-level")
		return line.Bytes()
	}}
	set = func(to string) { gate.set(cmp.Or(to, level)) }
	return logTo(lines).Hook(gate), set, func() { lines.end(lastLines) }
}

// levelGate drops lines below a level, which may change.
type levelGate struct{ least atomic.Int32 }

func (g *levelGate) set(level string) {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel
	}
	g.least.Store(int32(parsed))
}

// Run implements zerolog.Hook.
func (g *levelGate) Run(e *zerolog.Event, level zerolog.Level, _ string) {
	if level < zerolog.Level(g.least.Load()) {
		e.Discard()
	}
}

// timeHook stamps each line with nanoseconds in UTC.
type timeHook struct{}

// Run implements zerolog.Hook.
func (timeHook) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(shapes.TimeFormat))
}
