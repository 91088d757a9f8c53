package clients

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
)

// progressWidth is the width of the bar itself, in columns.
const progressWidth = 24

// progress draws what was appended on one line of a terminal. A nil *progress
// draws nothing. It is used by one goroutine.
type progress struct {
	to      io.Writer
	total   int64 // bytes of the input; 0 if unknown
	started time.Time
	drawn   time.Time // when it was drawn last

	entries, bytes int64
	index          uint64 // of the last entry
}

// progress returns the progress bar of an append, nil unless standard error is a
// terminal, the input is a stream that nobody types, and nothing else is printed
// on the same terminal.
func (opts appendOptions) progress(env *command.Environment) *progress {
	typed := opts.Input == "-" && command.IsTerminal(env.Stdin)
	mixed := command.IsTerminal(env.Stdout) && !opts.Quiet
	if opts.Values != nil || typed || mixed || !command.IsTerminal(env.Stderr) {
		return nil
	}
	p := &progress{to: env.Stderr, started: time.Now()}
	if opts.Input != "-" {
		if info, err := os.Stat(opts.Input); err == nil && info.Mode().IsRegular() {
			p.total = info.Size()
		}
	}
	return p
}

// add counts an entry that was appended.
func (p *progress) add(index uint64, entryBytes int) {
	if p == nil {
		return
	}
	p.entries++
	p.bytes += int64(entryBytes)
	p.index = index
	if now := time.Now(); now.Sub(p.drawn) >= command.ProgressInterval {
		p.drawn = now
		fmt.Fprintf(p.to, "\r%s\x1b[K", p.line(now))
	}
}

// line is what is drawn.
func (p *progress) line(now time.Time) string {
	bar := ""
	if p.total > 0 {
		// Each entry took its separator from the input, too.
		share := min(1, float64(p.bytes+p.entries)/float64(p.total))
		full := int(share * progressWidth)
		bar = fmt.Sprintf("[%s%s] %3.0f%%  ", strings.Repeat("#", full), strings.Repeat(" ", progressWidth-full), share*100)
	}
	rate := float64(p.entries) / max(now.Sub(p.started).Seconds(), 0.001)
	return fmt.Sprintf("%s%d entries, %.1f MB, %.0f/s, index %d", bar, p.entries, float64(p.bytes)/1e6, rate, p.index)
}

// stop removes the bar. It may be called twice.
func (p *progress) stop() {
	if p != nil && !p.drawn.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.drawn = time.Time{}
	}
}
