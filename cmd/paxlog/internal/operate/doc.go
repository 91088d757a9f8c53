// Package operate holds the commands of those who run a cluster. Each has a file:
//
//	member.go                  who the processes of the log are, and how that changes (member_run.go);
//	                           rehearse.go plays a change first
//	leader.go, drain.go        another leader; a process that is to be stopped
//	can_i_stop.go              what the log can do without
//	trim.go, retention.go      the oldest entries are deleted, once or as the log grows
//	hold.go                    what is not deleted, since somebody has yet to read it
//	upgrade.go                 the level of the log
//	rights.go                  grant, revoke, grants
//	options.go                 what they have in common
//
// judge.go decides, from nothing but the state of the processes, what a cluster can do without, and
// upgrade_judge.go what an upgrade would change and what is in its way.
package operate
