package command

import (
	"strings"
	"testing"
)

// sampleTable has commands with each kind of flag.
func sampleTable() []*Command {
	value := func(name, short string) Option { return Option{Name: name, Short: short, Value: "VALUE"} }
	return []*Command{
		{Name: "append", AnyText: true, Flags: []Option{value("file", "f"), {Name: "quiet", Short: "q"}, OutputOption("plain", "json"), TimeoutOption}},
		{Name: "tail", Flags: []Option{{Name: "follow", Short: "f"}, value("from", ""), value("count", "n"), OutputOption("raw", "json")}},
		{Name: "read", Flags: []Option{NullOption}},
		{Name: "config", Subs: []*Command{{Name: "check"}, {Name: "print"}}},
	}
}

func TestParseArguments(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"append a b", "append -- a b"},
		{"append a -o json b", "append --output=json -- a b"},
		{"-o json --config x append a", "append --output=json --config=x -- a"},
		{"--timeout=5s append a --config x", "append --timeout=5s --config=x -- a"},
		{"append help", "append -- help"},
		{"append append", "append -- append"},
		{"append -- -5 --help -- x", "append -- -5 --help -- x"},
		{"append a -- -o json", "append -- a -o json"},
		{"append -", "append -- -"},
		{"append -q a", "append --quiet=true -- a"},
		{"append --quiet a", "append --quiet=true -- a"},
		{"append --quiet=false a", "append --quiet=false -- a"},
		{"append -f -", "append --file=- --"},
		{"append -qf x", "append --quiet=true --file=x --"},
		{"append -fq", "append --file=q --"},
		{"tail --from -10", "tail --from=-10 --"},
		{"tail --from @-10m -f", "tail --from=@-10m --follow=true --"},
		{"tail --from=@-10m", "tail --from=@-10m --"},
		{"tail -n 5", "tail --count=5 --"},
		{"tail -n5", "tail --count=5 --"},
		{"tail -n=5", "tail --count=5 --"},
		{"tail -fn5 -ojson", "tail --follow=true --count=5 --output=json --"},
		{"tail --from a=b", "tail --from=a=b --"},
		{"--config x config --log-level warn print", "config print --config=x --log-level=warn --"},
		{"-- append -- -x", "append -- -- -x"},
		{"read 5 --null", "read --null=true -- 5"},
	} {
		inv, err := parseArguments(sampleTable(), strings.Fields(test.line))
		if err != nil {
			t.Errorf("%s: %v", test.line, err)
			continue
		}
		if got := strings.Join(inv.argv()[1:], " "); got != test.want {
			t.Errorf("%s\ngot  %s\nwant %s", test.line, got, test.want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"form", "from", 1}, {"tail", "tali", 1}, {"read", "resolve", 5}} {
		if got := editDistance(test.a, test.b); got != test.want {
			t.Errorf("%q to %q: got %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
