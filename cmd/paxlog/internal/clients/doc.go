// Package clients holds the commands that use a log: append, tail, read, status and
// resolve. Each has a file, which turns its options into a typed value and does the
// work; appender.go streams entries in, lines.go cuts the input, output.go prints.
package clients
