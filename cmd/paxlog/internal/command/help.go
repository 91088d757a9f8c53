package command

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeHelp prints help about the command at path, or about all commands if path
// is empty. Failures to write are remembered by standard output itself.
func writeHelp(w io.Writer, commands []*Command, path []*Command) {
	var page bytes.Buffer
	if len(path) == 0 {
		overview(&page, commands)
	} else {
		commandHelp(&page, path)
	}
	_, _ = w.Write(page.Bytes())
}

// overview lists all commands by group.
func overview(w io.Writer, commands []*Command) {
	fmt.Fprint(w, "paxlog - a replicated log by Multi-Paxos\n\n")
	fmt.Fprint(w, "Usage: paxlog [common flags] COMMAND [flags] [arguments]\n")
	group := ""
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range commands {
		if c.Group != group {
			group = c.Group
			table.Flush()
			fmt.Fprintf(w, "\n%s:\n", group)
		}
		fmt.Fprintf(table, "  %s\t%s\n", c.Name, c.Summary)
	}
	table.Flush()
	writeOptions(w, "Common flags", commonOptions)
	fmt.Fprint(w, "\nFlags stand before or after arguments; `--` ends them. A flag overrides its\n"+
		"environment variable, which overrides the cluster file.\n\n"+
		"Try it: `paxlog dev` in one terminal, `paxlog append hello` and `paxlog tail`\nin another. `paxlog COMMAND --help` says more about a command.\n")
}

// commandHelp describes one command.
func commandHelp(w io.Writer, path []*Command) {
	c, name := path[len(path)-1], nameOf(path)
	fmt.Fprintf(w, "paxlog %s - %s\n\n", name, c.Summary)
	if len(c.Subs) > 0 {
		fmt.Fprintf(w, "Usage: paxlog %s COMMAND\n\nCommands:\n", name)
		table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		for _, sub := range c.Subs {
			fmt.Fprintf(table, "  %s\t%s\n", sub.Name, sub.Summary)
		}
		table.Flush()
	} else {
		usage := "Usage: paxlog " + name + " [flags]"
		if c.Args != "" {
			usage += " " + c.Args
		}
		fmt.Fprintln(w, usage)
	}
	if c.Details != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.Details))
	}
	if c.Example != "" {
		fmt.Fprintf(w, "\nExample:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(c.Example), "\n", "\n  "))
	}
	if len(c.Flags) > 0 {
		writeOptions(w, "Flags", c.Flags)
	}
	writeOptions(w, "Common flags", commonOptions)
}

// writeOptions lists flags, their defaults and their environment variables.
func writeOptions(w io.Writer, title string, options []Option) {
	fmt.Fprintf(w, "\n%s:\n", title)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, o := range options {
		left := "      " + o.Flag()
		if o.Short != "" {
			left = "  -" + o.Short + ", " + o.Flag()
		}
		if o.Value != "" {
			left += " " + o.Value
		}
		right := o.Usage
		if o.Preset != "" {
			right += " (default " + o.Preset + ")"
		}
		fmt.Fprintf(table, "%s\t%s [%s]\n", left, right, o.Env())
	}
	table.Flush()
}
