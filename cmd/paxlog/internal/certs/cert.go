package certs

import (
	"cmp"
	"context"
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/paxlog/paxlog/cmd/paxlog/internal/clusterfile"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/credentials/issue"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// options say what to make.
type options struct {
	Cluster *config.Cluster
	File    string // the cluster file
	Dir     issue.Dir
	Days    int
	Renew   bool
	JSON    bool
	names   []string
	role    paxos.Role // of names that the cluster file does not have
}

// Validities in days, unless --days says otherwise.
const (
	caDays   = 3650
	certDays = 365
	mostDays = 36500
)

var (
	dirOption   = command.Option{Name: "dir", Value: "DIR", Usage: "where certificates and keys are; else tls beside the cluster file", Files: true}
	daysOption  = command.Option{Name: "days", Value: "N", Usage: "how long it is valid; else 365, an authority 3650"}
	renewOption = command.Option{Name: "renew", Usage: "make a new certificate for the key that is there"}
	roleOption  = command.Option{Name: "role", Value: "ROLE", Usage: "of a name that the cluster file does not have: acceptor, proposer or learner", Values: []string{"acceptor", "proposer", "learner"}}
)

// Cert is the command cert.
func Cert() *command.Command {
	output := command.OutputOption("plain", "json")
	return &command.Command{
		Name:    "cert",
		Group:   command.GroupOperating,
		Summary: "make certificates for the processes and clients of the cluster file",
		Subs: []*command.Command{
			{
				Name: "ca", Summary: "make the authorities, one for processes and one for clients",
				Details: "Writes two authorities and an empty list of revocations into DIR, and prints the\n" +
					"section tls for the cluster file, if that has none. Whoever has peer-ca.key can make a process of the\n" +
					"cluster, and break its log; whoever has client-ca.key, any client. Keep both off the\n" +
					"hosts where processes run. Nothing is written over.",
				Example: "paxlog cert ca >> paxlog.yaml",
				Flags:   []command.Option{dirOption, daysOption, output},
				Action:  action(makeAuthorities),
			},
			{
				Name: "node", Args: "[NAME...]", Summary: "make the certificates of processes",
				Details: "Without NAME of all processes of the cluster file that have none yet (with --renew,\n" +
					"of all). Each host needs NAME.crt and NAME.key of its own processes, peer-ca.crt,\n" +
					"client-ca.crt and revoked.pem. A running process takes what is new within seconds.",
				Example: "paxlog cert node\npaxlog cert node a1 --renew",
				Flags:   []command.Option{dirOption, daysOption, renewOption, roleOption, output},
				Action:  action(makeNodes),
			},
			{
				Name: "client", Args: "[NAME...]", Summary: "make the certificates of clients",
				Details: "NAME is who the client is to the log; `client` unless it is given, whose files are\n" +
					"those that client commands look for. A client needs NAME.crt, NAME.key and\n" +
					"peer-ca.crt: --tls-cert, --tls-key and --tls-ca, or the section tls of its cluster file.",
				Example: "paxlog cert client billing",
				Flags:   []command.Option{dirOption, daysOption, renewOption, output},
				Action:  action(makeClients),
			},
			{
				Name: "revoke", Args: "NAME...", Summary: "add certificates to the list of what was revoked",
				Details: "Revokes the certificate of NAME, and those before it that --renew took the place of,\n" +
					"which NAME.former holds. Writes revoked.pem, which has to be copied to every host of the cluster: processes\n" +
					"read it within seconds, and end the connections of whoever was revoked.",
				Example: "paxlog cert revoke billing",
				Flags:   []command.Option{dirOption, output},
				Action:  action(revoke),
			},
		},
	}
}

// result is what a command has done.
type result struct {
	Wrote   []string `json:"wrote"`
	Kept    []string `json:"kept,omitempty"`    // names that have a certificate already
	Revoked []string `json:"revoked,omitempty"` // serial numbers, in hex
	Section string   `json:"tls,omitempty"`     // for the cluster file
}

// action reads the flags, has f make what is asked for, and prints it.
func action(f func(*options) (result, error)) func(context.Context, *command.Environment, *command.Input) error {
	return func(_ context.Context, env *command.Environment, in *command.Input) error {
		opts, err := readOptions(in, env)
		if err != nil {
			return err
		}
		done, err := f(opts)
		if printErr := opts.print(env, done); err == nil {
			err = printErr
		}
		return err
	}
}

func readOptions(in *command.Input, env *command.Environment) (*options, error) {
	opts := &options{names: in.Args}
	if in.Name == "cert ca" {
		if err := in.NoArguments(); err != nil {
			return nil, err
		}
	}
	format, err := in.Output()
	if err != nil {
		return nil, err
	}
	opts.JSON = format == "json"
	if opts.Cluster, opts.File, err = clusterfile.Load(env); err != nil {
		return nil, err
	}
	dir := cmp.Or(in.Text("dir"), filepath.Join(filepath.Dir(opts.File), "tls"))
	opts.Dir = issue.Dir{Path: dir, Cluster: opts.Cluster.Name, Now: env.Now}
	if in.Name == "cert revoke" {
		_, err := in.SomeArguments()
		return opts, err
	}
	opts.Days = certDays
	if in.Name == "cert ca" {
		opts.Days = caDays
	} else {
		opts.Renew = in.On("renew")
	}
	if text := in.Text("days"); text != "" {
		if opts.Days, err = strconv.Atoi(text); err != nil || opts.Days < 1 || opts.Days > mostDays {
			return nil, in.Bad("days", "must be a number from 1 to %d", mostDays)
		}
	}
	if in.Name == "cert node" {
		if err := in.CheckValue("role"); err != nil {
			return nil, err
		}
		for _, r := range processRoles {
			if in.Text("role") == r.String() {
				opts.role = r
			}
		}
	}
	return opts, nil
}

var processRoles = []paxos.Role{paxos.RoleAcceptor, paxos.RoleProposer, paxos.RoleLearner}

func makeAuthorities(o *options) (done result, err error) {
	if done.Wrote, err = o.Dir.Authorities(o.Days); err != nil {
		return done, err
	}
	done.Section, err = o.section()
	return done, err
}

// section is what to put into the cluster file, "" if it has one.
func (o *options) section() (string, error) {
	if o.Cluster.TLS.Mode != "" {
		return "", nil
	}
	path := o.Dir.Path
	if rel, err := filepath.Rel(filepath.Dir(o.File), path); err == nil && filepath.IsLocal(rel) {
		path = rel
	}
	return issue.Section(config.TLSAccept, path).Text()
}

// makeNodes makes those that are named, or all of the cluster file that have none.
func makeNodes(o *options) (done result, err error) {
	type process struct {
		role paxos.Role
		id   string
	}
	var all []process
	for _, name := range o.names {
		role, _, ok := o.Cluster.Lookup(paxos.NodeID(name))
		switch {
		case !ok && o.role == 0:
			return done, command.Usagef("%s: cluster %q has no process %q: for one that joins say --role, for a client `paxlog cert client %s`", o.File, o.Cluster.Name, name, name)
		case !ok:
			role = o.role
		}
		all = append(all, process{role, name})
	}
	if len(o.names) == 0 {
		for _, role := range processRoles {
			for _, n := range o.Cluster.Nodes(role) {
				if o.Dir.Has(string(n.ID)) && !o.Renew {
					done.Kept = append(done.Kept, string(n.ID))
				} else {
					all = append(all, process{role, string(n.ID)})
				}
			}
		}
	}
	for _, p := range all {
		if err := o.one(&done, p.role, p.id); err != nil {
			return done, err
		}
	}
	if len(all) == 0 {
		return done, command.Exitf(command.ExitFailed, "all processes of the cluster file have a certificate in %s: --renew makes new ones", o.Dir.Path)
	}
	return done, nil
}

func makeClients(o *options) (done result, err error) {
	if len(o.names) == 0 {
		o.names = []string{"client"}
	}
	for _, name := range o.names {
		if role, _, ok := o.Cluster.Lookup(paxos.NodeID(name)); ok {
			return done, command.Usagef("%s names a process of the cluster file (%s): give the client another name", name, role)
		}
		if err := o.one(&done, paxos.RoleClient, name); err != nil {
			return done, err
		}
	}
	return done, nil
}

// one makes or renews one certificate.
func (o *options) one(done *result, role paxos.Role, id string) error {
	how := o.Dir.Make
	if o.Renew {
		how = o.Dir.Renew
	}
	wrote, err := how(role, id, o.Days)
	done.Wrote = append(done.Wrote, wrote...)
	return err
}

func revoke(o *options) (done result, err error) {
	for _, name := range o.names {
		file, certs, err := o.Dir.Revoke(name)
		if err != nil {
			return done, err
		}
		done.Wrote = []string{file}
		for _, c := range certs {
			done.Revoked = append(done.Revoked, serialOf(c))
		}
	}
	return done, nil
}

func serialOf(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }

// print says what was done, also if not all of it could be.
func (o *options) print(env *command.Environment, done result) error {
	if o.JSON {
		if len(done.Wrote) == 0 {
			return nil
		}
		return shapes.NewEncoder(env.Stdout).Encode(done)
	}
	mark := ""
	if done.Section != "" {
		mark = "# " // so that all of it can be put behind a cluster file
	}
	for _, file := range done.Wrote {
		if _, err := fmt.Fprintf(env.Stdout, "%s%s\n", mark, file); err != nil {
			return err
		}
	}
	if len(done.Kept) > 0 {
		fmt.Fprintf(env.Stderr, "kept, since they were there: %v\n", done.Kept)
	}
	if len(done.Revoked) > 0 {
		fmt.Fprintf(env.Stderr, "revoked: serial %v; copy %s to every host of the cluster\n", done.Revoked, done.Wrote[0])
	}
	if done.Section == "" {
		return nil
	}
	_, err := fmt.Fprint(env.Stdout, done.Section)
	return err
}
