package operate

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/paxlog/paxlog/client"
	"github.com/paxlog/paxlog/cmd/paxlog/internal/command"
	"github.com/paxlog/paxlog/config"
	"github.com/paxlog/paxlog/internal/shapes"
	"github.com/paxlog/paxlog/paxos"
)

// The keys of what `paxlog retention` sets, too.
const (
	ageKey     = "retention.age"
	bytesKey   = "retention.bytes"
	entriesKey = "retention.entries"
)

// setting is a KEY=VALUE that was asked for.
type setting struct {
	Key     string
	Text    string // of the value
	Value   uint64 // 0: no bound
	Default bool   // as when the log began
}

// settingsOptions say what is to be set.
type settingsOptions struct {
	options
	List []setting
}

var settingsFlags = []command.Option{yesOption, command.OutputOption("plain", "json"), command.LogIDOption, command.TimeoutOption}

// Settings is the command settings.
func Settings() *command.Command {
	return &command.Command{
		Name:    "settings",
		Group:   command.GroupOperating,
		Summary: "what the log itself decides: sessions, quotas, retention",
		Details: "The log holds them, so they are the same everywhere from the same entry on, and at\n" +
			"processes that come later.",
		Example: "paxlog settings show\npaxlog settings set quota.connections=100 quota.bytes.feeder=64MiB",
		Subs: []*command.Command{
			{
				Name:    "show",
				Summary: "what is in force",
				Details: "With -o json, one object a line.",
				Example: "paxlog settings show -o json",
				Flags:   settingsFlags[1:],
				Action: shows(func(ctx context.Context, env *command.Environment, c *client.Client, opts options) error {
					are, err := settingsOf(ctx, c)
					if err != nil {
						return err
					}
					return opts.printSettings(env, are)
				}),
			},
			{
				Name:    "set",
				Args:    "KEY=VALUE...",
				Summary: "decide something from now on",
				Details: "  sessions            how many client sessions are remembered; a repeated append of\n" +
					"                      one that is not is refused\n" +
					"  quota.sessions      of these, those of one principal: more expire its own\n" +
					"  quota.bytes         of its appends under way: more wait at the client\n" +
					"  quota.connections   of its connections to each process: more are refused, those\n" +
					"                      that there are stay\n" +
					"  retention.age, retention.bytes, retention.entries: as `paxlog retention set`\n" +
					"A quota is of each principal that a certificate names; one such as quota.bytes.feeder is\n" +
					"that principal's, and quota.bytes.anonymous that of all clients without a certificate\n" +
					"together. VALUE is a number or a size, none, or default, which takes back what was set.\n" +
					"It takes admin (`paxlog grants`).",
				Example: "paxlog settings set quota.sessions=1000 quota.sessions.feeder=none --yes\npaxlog settings set sessions=default",
				Flags:   settingsFlags,
				Action: func(ctx context.Context, env *command.Environment, in *command.Input) error {
					opts, err := readSettings(in, env)
					if err != nil {
						return err
					}
					return opts.set(ctx, env)
				},
			},
		},
	}
}

// readSettings reads what is to be set.
func readSettings(in *command.Input, env *command.Environment) (opts settingsOptions, err error) {
	args, err := in.SomeArguments()
	if err != nil {
		return opts, err
	}
	for _, arg := range args {
		key, text, is := strings.Cut(arg, "=")
		if !is {
			return opts, command.Usagef("settings set: %.100q is not of the form KEY=VALUE", arg)
		}
		s, problem := readSetting(key, text)
		if problem != "" {
			return opts, command.Usagef("settings set: %.100q: %s", arg, problem)
		}
		if slices.ContainsFunc(opts.List, func(o setting) bool { return o.Key == key }) {
			return opts, command.Usagef("settings set: %s is given twice", key)
		}
		opts.List = append(opts.List, s)
	}
	opts.options, err = readOptions(in, env)
	opts.Yes = in.On("yes")
	return opts, err
}

// readSetting reads one, or returns what is wrong with it.
func readSetting(key, text string) (s setting, problem string) {
	s = setting{Key: key, Text: text, Default: text == "default"}
	x, known := paxos.ParseSettingKey(key)
	keeps := slices.Contains([]string{ageKey, bytesKey, entriesKey}, key)
	ok, form := false, "a number"
	switch n := 0; {
	case !known && !keeps:
		return s, "there is no such setting: `paxlog settings set --help` lists them"
	case s.Default, text == "none" && x.Key != paxos.SettingSessions:
		return s, ""
	case key == ageKey:
		var age time.Duration
		age, ok = command.ParseAge(text)
		s.Value, form = uint64(age.Milliseconds()), "a duration of a second or more, such as 36h or 7d"
	case key == bytesKey, x.Key == paxos.QuotaBytes:
		n, ok = config.ParseSize(text)
		s.Value, form = uint64(n), "a number of bytes, such as 64MiB"
	default:
		v, err := strconv.ParseUint(text, 10, 64)
		s.Value, ok = v, err == nil
	}
	if known && x.Key != paxos.SettingSessions && ok && s.Value == 0 {
		return s, "0 would be no bound, which is written none; `paxlog revoke` keeps somebody out"
	}
	if x.Value = s.Value; !ok || known && !x.IsValid() {
		if x.Key == paxos.SettingSessions {
			return s, fmt.Sprintf("must be a number from 1 to %d, or default", paxos.MaxSessions)
		}
		return s, fmt.Sprintf("must be %s, none or default", form)
	}
	return s, ""
}

// set sets them one after the other. Its errors ask for ExitFailed, ExitUnavailable or ExitNotPermitted.
func (o *settingsOptions) set(ctx context.Context, env *command.Environment) error {
	return o.connected(ctx, func(ctx context.Context, c *client.Client) error {
		var plan, done []string
		for _, s := range o.List {
			plan = append(plan, s.Key+"="+s.Text)
		}
		if err := o.agree(env, fmt.Sprintf("From now on, in the whole cluster: %s. Sessions beyond what is to be remembered expire, and entries beyond what is to be kept are deleted, for good.", strings.Join(plan, ", "))); err != nil {
			return err
		}
		are, err := settingsOf(ctx, c)
		if err != nil {
			return err
		}
		for i, s := range o.List {
			if err := s.set(ctx, c, &are); err != nil {
				if err = explain(err); i > 0 {
					err = fmt.Errorf("%w (%s: set; %s: not)", err, strings.Join(done, ", "), strings.Join(plan[i:], ", "))
				}
				return err
			}
			done = append(done, plan[i])
		}
		o.tellOfNobody(env)
		return o.printSettings(env, are) // without asking again: a quota of connections may be why nobody would answer
	})
}

// tellOfNobody says that a quota which was set counts nobody, if no client here shows a certificate.
func (o *settingsOptions) tellOfNobody(env *command.Environment) {
	for _, s := range o.List {
		x, known := paxos.ParseSettingKey(s.Key)
		if known && x.Key != paxos.SettingSessions && x.Name == "" && s.Value > 0 && !o.Cluster.TLS.On() {
			fmt.Fprintf(env.Stderr, "paxlog: %s is of each client that shows a certificate; tls.mode is off in this cluster file, and that of all others together is %s.%s\n", s.Key, s.Key, paxos.Anonymous)
		}
	}
}

// inForce is what the log decides.
type inForce struct {
	client.Settings
	client.Retention
}

// settingsOf asks the leader what is in force.
func settingsOf(ctx context.Context, c *client.Client) (are inForce, err error) {
	if are.Settings, err = c.Settings(ctx); err != nil {
		return are, explain(err)
	}
	r, err := c.Retention(ctx)
	if err != nil {
		return are, explain(err)
	}
	are.Retention = r.Retention
	return are, nil
}

// set sets one.
func (s *setting) set(ctx context.Context, c *client.Client, are *inForce) (err error) {
	if _, known := paxos.ParseSettingKey(s.Key); known {
		if s.Default {
			are.Settings, err = c.UnsetSetting(ctx, s.Key)
		} else {
			are.Settings, err = c.SetSetting(ctx, client.Setting{Key: s.Key, Value: s.Value})
		}
		return err
	}
	r := &are.Retention
	switch s.Key {
	case ageKey:
		r.Age = time.Duration(s.Value) * time.Millisecond
	case bytesKey:
		r.Bytes = s.Value
	case entriesKey:
		r.Entries = s.Value
	}
	_, err = c.SetRetention(ctx, *r)
	return err
}

// printSettings prints what is in force.
func (o *options) printSettings(env *command.Environment, are inForce) error {
	lines := settingLines(are.Settings, are.Retention)
	if o.JSON {
		out := shapes.NewEncoder(env.Stdout)
		for _, l := range lines {
			if err := out.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}
	t := tabwriter.NewWriter(env.Stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "KEY\tVALUE")
	for _, l := range lines {
		fmt.Fprintf(t, "%s\t%s\n", l.Key, settingText(l))
	}
	return t.Flush()
}

// settingLines are all settings, those too that nobody has set.
func settingLines(s client.Settings, r client.Retention) (lines []shapes.Setting) {
	line := func(key string, value uint64, set bool) {
		l := shapes.Setting{Key: shapes.Printable(key), IsSet: set}
		if value > 0 {
			l.Value = &value
		}
		lines = append(lines, l)
	}
	for _, key := range []string{"sessions", "quota.sessions", "quota.bytes", "quota.connections"} {
		i := slices.IndexFunc(s.List, func(x client.Setting) bool { return x.Key == key })
		switch {
		case key == "sessions":
			line(key, s.Sessions, i >= 0)
		case i < 0:
			line(key, 0, false)
		default:
			line(key, s.List[i].Value, true)
		}
		for _, x := range s.List {
			if strings.HasPrefix(x.Key, key+".") {
				line(x.Key, x.Value, true)
			}
		}
	}
	line(ageKey, uint64(r.Age.Milliseconds()), r.Age > 0)
	line(bytesKey, r.Bytes, r.Bytes > 0)
	line(entriesKey, r.Entries, r.Entries > 0)
	return lines
}

// settingText is a value as `settings set` takes it.
func settingText(l shapes.Setting) string {
	switch {
	case l.Value == nil:
		return "none"
	case l.Key == ageKey:
		return formatAge(time.Duration(*l.Value) * time.Millisecond)
	case l.Key == bytesKey || strings.HasPrefix(l.Key, "quota.bytes"):
		return strings.ReplaceAll(strings.TrimSuffix(formatSize(*l.Value), " bytes"), " ", "")
	}
	return strconv.FormatUint(*l.Value, 10)
}
