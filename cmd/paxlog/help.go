package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// writeHelp prints help about the command at path, or about all commands if path
// is empty. Failures to write are remembered by standard output itself.
func writeHelp(w io.Writer, commands []*command, path []*command) {
	var page bytes.Buffer
	if len(path) == 0 {
		overview(&page, commands)
	} else {
		commandHelp(&page, path)
	}
	_, _ = w.Write(page.Bytes())
}

// overview lists all commands by group.
func overview(w io.Writer, commands []*command) {
	fmt.Fprint(w, "paxlog - a replicated log by Multi-Paxos\n\n")
	fmt.Fprint(w, "Usage: paxlog [common flags] COMMAND [flags] [arguments]\n")
	group := ""
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, c := range commands {
		if c.group != group {
			group = c.group
			table.Flush()
			fmt.Fprintf(w, "\n%s:\n", group)
		}
		fmt.Fprintf(table, "  %s\t%s\n", c.name, c.summary)
	}
	table.Flush()
	writeOptions(w, "Common flags", commonOptions)
	fmt.Fprint(w, "\nFlags stand before or after arguments; `--` ends them. A flag overrides its\n"+
		"environment variable, which overrides the cluster file.\n\n"+
		"Try it: `paxlog dev` in one terminal, `paxlog append hello` and `paxlog tail`\nin another. `paxlog COMMAND --help` says more about a command.\n")
}

// commandHelp describes one command.
func commandHelp(w io.Writer, path []*command) {
	c, name := path[len(path)-1], nameOf(path)
	fmt.Fprintf(w, "paxlog %s - %s\n\n", name, c.summary)
	if len(c.subs) > 0 {
		fmt.Fprintf(w, "Usage: paxlog %s COMMAND\n\nCommands:\n", name)
		table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
		for _, sub := range c.subs {
			fmt.Fprintf(table, "  %s\t%s\n", sub.name, sub.summary)
		}
		table.Flush()
	} else {
		usage := "Usage: paxlog " + name + " [flags]"
		if c.args != "" {
			usage += " " + c.args
		}
		fmt.Fprintln(w, usage)
	}
	if c.details != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimSpace(c.details))
	}
	if c.example != "" {
		fmt.Fprintf(w, "\nExample:\n  %s\n", strings.ReplaceAll(strings.TrimSpace(c.example), "\n", "\n  "))
	}
	if len(c.flags) > 0 {
		writeOptions(w, "Flags", c.flags)
	}
	writeOptions(w, "Common flags", commonOptions)
}

// writeOptions lists flags, their defaults and their environment variables.
func writeOptions(w io.Writer, title string, options []option) {
	fmt.Fprintf(w, "\n%s:\n", title)
	table := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, o := range options {
		left := "      " + o.flag()
		if o.short != "" {
			left = "  -" + o.short + ", " + o.flag()
		}
		if o.value != "" {
			left += " " + o.value
		}
		right := o.usage
		if o.preset != "" {
			right += " (default " + o.preset + ")"
		}
		fmt.Fprintf(table, "%s\t%s [%s]\n", left, right, o.env())
	}
	table.Flush()
}
