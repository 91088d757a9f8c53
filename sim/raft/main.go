package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

func main() {
	switch err := run(os.Args[1:], os.Stdout, os.Stderr); {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "raft:", err)
		os.Exit(1)
	}
}

// arguments are what the command was asked for.
type arguments struct {
	list, ladder, figures, beside bool
	scenario, only, output        string
	seed, runs                    uint64
}

func parse(args []string, errors io.Writer) (a arguments, err error) {
	flags := flag.NewFlagSet("raft", flag.ContinueOnError)
	flags.SetOutput(errors)
	flags.BoolVar(&a.list, "list", false, "list the scenarios")
	flags.StringVar(&a.scenario, "scenario", "", "play this `scenario` on both protocols")
	flags.BoolVar(&a.ladder, "ladder", false, "print its messages as ladders, and not only what comes of it")
	flags.BoolVar(&a.beside, "beside", false, "both protocols in two columns, as without -only")
	flags.StringVar(&a.only, "only", "", "one `protocol`, in one column: paxlog or raft")
	flags.BoolVar(&a.figures, "figures", false, "the comparison in figures")
	flags.Uint64Var(&a.runs, "runs", 100, "with -figures: how many seeds; the long run is of 10000")
	flags.Uint64Var(&a.seed, "seed", 1, "the first `seed`")
	flags.StringVar(&a.output, "o", "plain", "`format`: plain or json")
	if err := flags.Parse(args); err != nil {
		return a, err
	}
	switch {
	case flags.NArg() > 0:
		return a, fmt.Errorf("%q is too much: a scenario is named by -scenario", flags.Arg(0))
	case a.output != "plain" && a.output != "json":
		return a, fmt.Errorf("-o %s: it must be plain or json", a.output)
	case a.only != "" && a.only != "paxlog" && a.only != "raft":
		return a, fmt.Errorf("-only %s: it must be paxlog or raft", a.only)
	case a.only != "" && a.beside:
		return a, fmt.Errorf("-only and -beside contradict each other: leave one out")
	case a.runs == 0:
		return a, fmt.Errorf("-runs must be a number from 1")
	}
	return a, nil
}

// run does what the arguments say.
func run(args []string, out, errors io.Writer) error {
	a, err := parse(args, errors)
	if err != nil {
		return err
	}
	switch {
	case a.list:
		for _, s := range stories {
			if _, err := fmt.Fprintf(out, "%-12s %s\n", s.name, s.summary); err != nil {
				return err
			}
		}
		return nil
	case a.figures:
		// Little is alive at any time and much is garbage soon: collect it less often.
		defer debug.SetGCPercent(debug.SetGCPercent(800))
		columns, err := compare(a.seed, a.runs, func(contender, row string) {
			fmt.Fprintf(errors, "measured: %s: %s\n", contender, row)
		})
		switch {
		case err != nil:
			return err
		case a.output == "json":
			return json.NewEncoder(out).Encode(columns)
		}
		return printTable(out, columns, a.seed, a.runs)
	}
	return tell(a, out)
}

// tell plays a scenario.
func tell(a arguments, out io.Writer) error {
	sc, ok := findStory(a.scenario)
	if !ok {
		return fmt.Errorf("there is no scenario %q: -list lists them, -scenario names one, -figures compares", a.scenario)
	}
	st, err := playStory(sc, a.seed)
	if err != nil {
		return fmt.Errorf("scenario %s, seed %d: %w", sc.name, a.seed, err)
	}
	if a.output == "json" {
		return json.NewEncoder(out).Encode(st.report(sc.name, a.only))
	}
	if a.ladder {
		if _, err := io.WriteString(out, st.picture(a.only)); err != nil {
			return err
		}
	}
	_, err = io.WriteString(out, st.told(a.only))
	return err
}
