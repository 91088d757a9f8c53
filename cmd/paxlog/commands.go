package main

import (
	"github.com/paxlog/paxlog/cmd/paxlog/internal/backups"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/bench"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/certs"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/clients"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/daemons"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/operate"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/tools"
)

// commandTable lists every command, in the order of help.
func commandTable() []*command.Command {
	table := []*command.Command{
		daemons.Init(),
		daemons.Acceptor(),
		daemons.Proposer(),
		daemons.Learner(),
		daemons.Dev(),
		clients.Append(),
		clients.Tail(),
		clients.Read(),
		clients.Status(),
		clients.Resolve(),
		bench.Command(),
		operate.Leader(),
		operate.Drain(),
		operate.Undrain(),
		operate.CanIStop(),
		operate.Trim(),
		operate.Retention(),
		operate.Hold(),
		operate.Settings(),
		operate.Member(),
		operate.Grant(),
		operate.Revoke(),
		operate.Grants(),
		operate.UpgradeCommand(),
		certs.Cert(),
		backups.Backup(),
		backups.Restore(),
		tools.Inspect(),
		tools.Sim(),
		tools.Config(),
		tools.Version(),
	}
	return append(table, command.Completion(&table))
}
