package operate

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/internal/shapes"
)

// rightsOptions say who is to have what.
type rightsOptions struct {
	options
	Name   client.Principal
	Rights client.Rights
}

var rightsFlags = []command.Option{yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption}

// Grant is the command grant.
func Grant() *command.Command {
	return &command.Command{
		Name:    "grant",
		Args:    "NAME append,read,admin",
		Group:   command.GroupOperating,
		Summary: "grant rights to a client, by the name in its certificate",
		Details: "The log itself holds who may do what. NAME is the name in the certificate of a client,\n" +
			"or anonymous: what that has, everybody has, and at first it has everything. So a\n" +
			"grant takes nothing from anybody: `paxlog revoke anonymous ...` does. It takes admin.",
		Example: "paxlog grant ops append,read,admin\npaxlog grant feeder append",
		Flags:   rightsFlags,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readRights(in, env, true)
			if err != nil {
				return err
			}
			plan := fmt.Sprintf("%s may %s from now on.", who(opts.Name), opts.Rights)
			return opts.change(ctx, env, plan, (*client.Client).Grant)
		},
	}
}

// Revoke is the command revoke.
func Revoke() *command.Command {
	return &command.Command{
		Name:    "revoke",
		Args:    "NAME [append,read,admin]",
		Group:   command.GroupOperating,
		Summary: "take rights from a client, or all that it was granted",
		Details: "What anonymous has, everybody has: take it from that to keep others out. It is refused\n" +
			"where nobody would have admin any more, and where who asks would not: so whoever\n" +
			"closes the door has the key. Whoever can sign a client certificate can give itself\n" +
			"the name of somebody who has admin. What is under way may still be done.",
		Example: "paxlog revoke feeder\npaxlog revoke anonymous append,admin --yes",
		Flags:   rightsFlags,
		Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
			opts, err := readRights(in, env, false)
			if err != nil {
				return err
			}
			plan := fmt.Sprintf("%s may not %s any more, but as everybody may.", who(opts.Name), opts.Rights)
			if opts.Name == client.Anonymous {
				plan = fmt.Sprintf("Whoever is not granted it may not %s any more.", opts.Rights)
			}
			return opts.change(ctx, env, plan, (*client.Client).Revoke)
		},
	}
}

// Grants is the command grants.
func Grants() *command.Command {
	return &command.Command{
		Name:    "grants",
		Group:   command.GroupOperating,
		Summary: "who has which rights",
		Example: "paxlog grants -o json",
		Flags:   rightsFlags[1:],
		Action: shows(func(ctx context.Context, env *command.Environment, c *client.Client, opts options) error {
			list, err := c.Grants(ctx)
			return opts.printGrants(env, list, err)
		}),
	}
}

// who names a principal in a plan.
func who(p client.Principal) string {
	if p == client.Anonymous {
		return "Everybody"
	}
	return string(p)
}

// readRights reads a name and rights: all of them if none are given, unless they must be.
func readRights(in *command.Input, env *command.Environment, must bool) (opts rightsOptions, err error) {
	args := in.Args
	switch {
	case len(args) == 1 && !must:
		opts.Rights = client.RightAppend | client.RightRead | client.RightAdmin
	case len(args) == 2:
		if opts.Rights, err = client.ParseRights(args[1]); err != nil {
			return opts, command.Usagef("%v", err)
		}
	case must:
		return opts, command.Usagef("grant takes NAME and rights, as append,read,admin")
	default:
		return opts, command.Usagef("revoke takes NAME, and rights if not all, as append,read,admin")
	}
	if opts.Name = client.Principal(args[0]); !opts.Name.IsValid() {
		return opts, command.Usagef("%.64q is no name of a client: it has 1 to 64 letters, digits, and characters out of `-_.`", args[0])
	}
	opts.options, err = readOptions(in, env)
	opts.Yes = in.On("yes")
	return opts, err
}

// change changes rights. Its errors ask for ExitFailed, ExitUnavailable or ExitNotPermitted.
func (o *rightsOptions) change(ctx context.Context, env *command.Environment, plan string,
	do func(*client.Client, context.Context, client.Principal, client.Rights) ([]client.Permission, error)) error {
	return o.connected(ctx, func(ctx context.Context, c *client.Client) error {
		if err := o.agree(env, plan); err != nil {
			return err
		}
		list, err := do(c, ctx, o.Name, o.Rights)
		return o.printGrants(env, list, err)
	})
}

// printGrants prints who has which rights.
func (o *options) printGrants(env *command.Environment, list []client.Permission, err error) error {
	if err != nil {
		return explain(err)
	}
	if o.JSON {
		return shapes.NewEncoder(env.Stdout).Encode(shapes.GrantsOf(list))
	}
	t := tabwriter.NewWriter(env.Stdout, 0, 8, 2, ' ', 0)
	for _, p := range list {
		everybody := ""
		if p.Name == client.Anonymous {
			everybody = "\teverybody has that"
		}
		fmt.Fprintf(t, "%s\t%s%s\n", p.Name, p.Rights, everybody)
	}
	return t.Flush()
}
