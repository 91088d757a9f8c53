// Package backups holds the commands backup and restore. backup.go makes backups and verifies
// them, restore.go makes a cluster of them; place.go is where they lie (in files, or through package
// buckets), source.go what they are
// made from. What a backup is, package backup of the module says.
package backups
