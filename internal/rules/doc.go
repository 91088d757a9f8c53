// Package rules holds the tests of the repository's own house rules, such as which
// package may import which. It has no code of its own and nothing imports it.
package rules
