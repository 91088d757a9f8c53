// Package tools holds the commands that need no running cluster: sim runs the machines
// in the simulator, inspect reads a data directory, config checks and prints the cluster
// file, version tells what this program is.
package tools
