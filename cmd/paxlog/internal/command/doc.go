// Package command is what every command of paxlog has in common: how a command line
// is read, where options come from, how help and errors look, what signals and a
// closed standard output do, and how a run ends in an exit code. It knows no command.
//
// A command is one entry of a table (Command). The parser of arguments, the help and
// the shell completions are read off the table, so a command declares its name, its
// flags and its help once. Its Action gets an Environment (streams, log, clock) and an
// Input (options and arguments), and ends by returning an error; CodeOf says which exit
// code an error asks for.
//
// # What urfave/cli does, and why that is not all
//
// urfave/cli finds the command and its subcommand, reads the values of flags, and takes
// those that are not given from the environment. The rest of the contract it does not
// keep, each point in the file named:
//
//   - Flags stand before or after arguments, and common flags also before the command.
//     urfave stops at the first argument: `append a -o json` would append three entries.
//     args.go puts a command line into the one order that urfave understands.
//   - `append help` appends the word help. urfave gives every command a command and a
//     flag named help. help.go prints help, on request to standard output, with the
//     default and the environment variable of each flag.
//   - An error is one line on standard error, and wrong usage is exit code 2. urfave
//     prints the help after it, and on standard output. exit.go has the codes.
//   - A mistyped name is answered with the name that was meant, if one is near. urfave
//     proposes its best match however far it is. suggest.go measures.
//   - Completion scripts work without running the program, and also complete values.
//     completion.go writes them for three shells from the table.
//   - A command can tell whether the command line or the environment gave an option, for
//     the command line wins where two contradict each other, and an error names the
//     place to mend. urfave mixes both, and speaks of its own Go types if a switch in
//     the environment is neither true nor false. options.go tells them apart.
//   - Signals end clients and daemons in ways of their own (signals.go), and a standard
//     output that fails or is closed goes unnoticed by nobody (stdout.go).
package command
