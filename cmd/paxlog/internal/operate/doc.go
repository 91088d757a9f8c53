// Package operate holds the commands of those who run a cluster: leader transfer, drain,
// undrain, can-i-stop, trim and upgrade. Each has a file. judge.go decides, from nothing but the state of
// the processes, what a cluster can do without.
package operate
