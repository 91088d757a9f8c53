// Package bench is the command bench: it puts a load on a cluster, or reads its log, or
// watches a learner catch up, and prints throughput and latencies. The load itself is
// that of internal/load.
package bench
