// Package model is a data directory as plain as it can be: a value in memory that
// records are applied to, and that says what a process recovers from it and what its
// loads answer.
//
// Package sim keeps two of them for each process, what is durable and what is visible,
// and holds Pebble to them; package explore keeps one. What a crash loses is theirs to
// say.
package model
