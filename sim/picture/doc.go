// Package picture shows exchanges of messages to people: a Ladder collects them, one
// line for each message and sender, and Picture draws it with a column for each role.
// Describe says one message in the notation of the design.
//
// It knows messages and names of nodes only, so whatever makes messages can be drawn:
// simulated runs, explorations, and tests of one machine.
package picture
