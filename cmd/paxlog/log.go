package main

import (
	"io"
	"os"
	"time"

	"github.com/rs/zerolog"
)

// newLogger returns a logger that writes to w. level is debug, info, warn or
// error; format is json, an object a line, or console, for people. The console
// is coloured only on a terminal, and never if NO_COLOR is set.
func newLogger(w io.Writer, level, format string) zerolog.Logger {
	parsed, err := zerolog.ParseLevel(level)
	if err != nil {
		parsed = zerolog.InfoLevel
	}
	if format == "console" {
		w = zerolog.ConsoleWriter{
			Out:        w,
			NoColor:    os.Getenv("NO_COLOR") != "" || !isTerminal(w),
			TimeFormat: "15:04:05.000",
		}
	}
	return zerolog.New(zerolog.SyncWriter(w)).Level(parsed).Hook(timeHook{})
}

// timeHook stamps each line with nanoseconds in UTC.
type timeHook struct{}

// Run implements zerolog.Hook.
func (timeHook) Run(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().UTC().Format(timeFormat))
}
