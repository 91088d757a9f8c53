// Package config reads the cluster file: the names and addresses of every
// process, the quorum sizes, and the timeouts and limits that all of them use.
//
// Load and Parse are strict: a key they do not know, a key given twice, a second
// document or a section that is not supported yet is an error that names the
// file, the line and the key. What the file leaves out gets the default of
// Defaults. A *Cluster that they return has passed Validate.
//
// The package holds no state, reads no environment and starts no goroutine; its
// functions may be called from any goroutine, on clusters that nobody changes
// meanwhile. Every error it returns matches ErrInvalid under errors.Is.
package config
