package command

import (
	"bytes"
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/internal/shapes"
)

// NewLogger returns a logger whose lines are written to w, until end is called: end
// writes what waits, for at most lastLines. Who logs never waits for who reads: lines
// that find too much waiting are dropped, and a later line says how many. level is debug,
// info, warn or error; format is json, an object a line, or console, for people. The
// console is coloured only on a terminal, and never if NO_COLOR is set.
func NewLogger(w io.Writer, level, format string) (log zerolog.Logger, end func()) {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel
	}
	logTo := func(lines io.Writer) zerolog.Logger {
		if format == "console" {
			lines = zerolog.ConsoleWriter{
				Out:        lines,
				NoColor:    os.Getenv("NO_COLOR") != "" || !IsTerminal(w),
				TimeFormat: "15:04:05.000",
			}
		}
		return zerolog.New(lines).Level(parsed).Hook(timeHook{})
	}
	lines := &logLines{to: w, tell: func(dropped int) []byte {
		var line bytes.Buffer
		log := logTo(&line).Level(zerolog.WarnLevel) // also where only errors are asked for
		log.Warn().Int("dropped", dropped).Msg("lines of this log were dropped, for nobody read standard error: read it, or log less with --log-level")
		return line.Bytes()
	}}
	return logTo(lines), func() { lines.end(lastLines) }
}

// timeHook stamps each line with nanoseconds in UTC.
type timeHook struct{}

// Run implements zerolog.Hook.
func (timeHook) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(shapes.TimeFormat))
}
