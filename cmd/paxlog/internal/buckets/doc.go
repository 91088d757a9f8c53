// Package buckets reads and writes single objects in buckets: those of Amazon S3, and of all that
// speaks its protocol. It knows nothing of what is in them.
//
// What gocloud.dev promises of all buckets is less than a backup needs, so this much is added:
//
//   - An object is there when all of it was written and Keep has returned nil, and not before. What
//     ends in another way is cancelled, and a cancelled upload is never completed: neither by a
//     process that fails half-way, nor by one that is killed. Its parts are given back where the
//     process lives long enough to do so.
//   - Nothing is replaced. Whether the object is there is looked at first, and asked of the bucket
//     once more in the request that makes it (If-None-Match), so of two writers one fails.
//   - A connection that breaks while an object is read is not its end. The rest is asked for again,
//     of an object that is still the same.
//   - An error is one sentence, which says what the person at the keyboard can do about it.
package buckets
