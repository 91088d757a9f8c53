package command

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/paxlog/paxlog/internal/shapes"
)

// NewLogger returns a logger that writes to w until end is called. level is debug,
// info, warn or error; format is json, an object a line, or console, for people.
// The console is coloured only on a terminal, and never if NO_COLOR is set.
func NewLogger(w io.Writer, level, format string) (log zerolog.Logger, end func()) {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel
	}
	if format == "console" {
		w = zerolog.ConsoleWriter{
			Out:        w,
			NoColor:    os.Getenv("NO_COLOR") != "" || !IsTerminal(w),
			TimeFormat: "15:04:05.000",
		}
	}
	lines := &logWriter{to: w}
	return zerolog.New(lines).Level(parsed).Hook(timeHook{}), lines.end
}

// logWriter writes the lines of a log, none after its end.
type logWriter struct {
	mu    sync.Mutex
	to    io.Writer
	ended bool
}

// Write implements io.Writer.
func (w *logWriter) Write(line []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ended {
		return len(line), nil
	}
	return w.to.Write(line)
}

func (w *logWriter) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended = true
}

// timeHook stamps each line with nanoseconds in UTC.
type timeHook struct{}

// Run implements zerolog.Hook.
func (timeHook) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(shapes.TimeFormat))
}
