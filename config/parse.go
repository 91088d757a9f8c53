package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/paxlog/paxlog/paxos"
)

// maxFileBytes bounds a cluster file; 64 acceptors take about 4 KiB.
const maxFileBytes = mib

// Load reads, completes and validates the cluster file at path. Its errors match
// ErrInvalid; that of a missing file matches fs.ErrNotExist too.
func Load(path string) (*Cluster, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, unreadable(path, err)
	}
	c, err := Parse(path, data)
	if err == nil {
		c.TLS.Base = filepath.Dir(path)
	}
	return c, err
}

// unreadable says why the file at path cannot be read.
func unreadable(path string, err error) error {
	problem := "cannot be read"
	var cause *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		problem = "there is no such cluster file: check the path"
	case errors.As(err, &cause):
		problem = fmt.Sprintf("the cluster file cannot be read: %v", cause.Err)
	}
	return &Error{File: path, Problem: problem, Err: err}
}

// Parse reads, completes and validates a cluster file. name stands for it in
// errors, which match ErrInvalid.
func Parse(name string, data []byte) (*Cluster, error) {
	if len(data) > maxFileBytes {
		return nil, &Error{File: name, Problem: fmt.Sprintf("more than %s: this is no cluster file", formatSize(maxFileBytes))}
	}
	root, err := document(name, data)
	if err != nil {
		return nil, err
	}
	p := &parser{file: name, lines: map[string]int{}}
	c := Defaults()
	if err := p.cluster(root, c); err != nil {
		return nil, err
	}
	c.fillQuorum()
	if l := &c.Limits; l.ClientQueueBytes == Defaults().Limits.ClientQueueBytes {
		l.ClientQueueBytes = max(l.ClientQueueBytes, l.ConnQueueBytes)
	}
	if err := c.validate(p.at); err != nil {
		return nil, err
	}
	return c, nil
}

// document returns the only YAML document in data.
func document(name string, data []byte) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	var doc, next yaml.Node
	err := decoder.Decode(&doc)
	switch {
	case errors.Is(err, io.EOF):
		return nil, &Error{File: name, Problem: "the file is empty: it must name a cluster, its acceptors, proposers and learners"}
	case err != nil:
		return nil, syntaxError(name, data, err)
	}
	switch err := decoder.Decode(&next); {
	case err == nil:
		return nil, &Error{File: name, Line: max(next.Line, 1), Problem: "a second document begins here: keep one cluster in a file"}
	case !errors.Is(err, io.EOF):
		return nil, syntaxError(name, data, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, &Error{File: name, Problem: "the file holds no YAML document"}
	}
	root := doc.Content[0]
	if root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return nil, &Error{File: name, Problem: "the file is empty: it must name a cluster, its acceptors, proposers and learners"}
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// bareIPv6 is an address of IPv6 that is not quoted.
var bareIPv6 = regexp.MustCompile(`addr:[ \t]*(\[[0-9A-Fa-f:.%\w]*\](?::\d+)?|:[0-9A-Fa-f:]+)`)

// syntaxError words an error of the YAML library as this package does.
func syntaxError(name string, data []byte, err error) error {
	text := strings.ReplaceAll(err.Error(), "\n", " ")
	e := &Error{File: name, Err: err}
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
		text = text[len(m[0]):]
	}
	e.Problem = "this is not YAML: " + text
	if strings.Contains(text, "did not find expected") { // the library names where the list or mapping begins
		e.Problem += "; the slip may be in a later line"
	}
	for i, line := range bytes.Split(data, []byte{'\n'}) {
		if m := bareIPv6.FindSubmatch(line); m != nil {
			e.Line = i + 1
			e.Problem = fmt.Sprintf("this is not YAML: the address %s needs quotes, because YAML gives [ and : a meaning of its own: write addr: %q", m[1], m[1])
			break
		}
	}
	return e
}

// parser walks one document and remembers the line of every key.
type parser struct {
	file  string
	lines map[string]int // by path, such as acceptors[1].addr
}

// fail returns an error at n's line.
func (p *parser) fail(n *yaml.Node, format string, args ...any) error {
	return &Error{File: p.file, Line: n.Line, Problem: fmt.Sprintf(format, args...)}
}

// at returns the file and the line of path, or of the nearest key around it.
func (p *parser) at(path string) (string, int) {
	for path != "" {
		if line, ok := p.lines[path]; ok {
			return p.file, line
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return p.file, 0
}

// join makes the path of key inside path.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// field reads the value of one key.
type field struct {
	key  string
	read func(path string, n *yaml.Node) error
}

// mapping reads n, a mapping at path that may hold the given fields.
func (p *parser) mapping(path string, n *yaml.Node, fields []field) error {
	what := path
	if what == "" {
		what = "the file"
	}
	if n.Kind != yaml.MappingNode {
		return p.fail(n, "%s must hold keys and values, not %s", what, describe(n))
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Kind != yaml.ScalarNode {
			return p.fail(key, "a key must be a word, not %s", describe(key))
		}
		here := join(path, key.Value)
		if line, ok := seen[key.Value]; ok {
			return p.fail(key, "%q is given twice, first on line %d: keep one of them", here, line)
		}
		seen[key.Value] = key.Line
		f := slices.IndexFunc(fields, func(f field) bool { return f.key == key.Value })
		if f < 0 {
			var known []string
			for _, f := range fields {
				known = append(known, f.key)
			}
			return p.fail(key, "unknown key %q: %s may hold %s", here, what, strings.Join(known, ", "))
		}
		p.lines[here] = key.Line
		if err := fields[f].read(here, value); err != nil {
			return err
		}
	}
	return nil
}

// describe says in a person's words what kind of thing n is.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "a reference to another place"
	case yaml.ScalarNode:
		if n.Tag == "!!null" {
			return "nothing"
		}
		return strconv.Quote(n.Value)
	}
	return "this"
}

// scalar returns the text of n, which must be one value.
func (p *parser) scalar(path string, n *yaml.Node) (string, error) {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		hint := ""
		if n.Kind == yaml.SequenceNode && strings.HasSuffix(path, ".addr") {
			hint = ": an address of IPv6 needs quotes, as in \"[::1]:7101\""
		}
		return "", p.fail(n, "%s must be one value, not %s%s", path, describe(n), hint)
	}
	return n.Value, nil
}

// text returns a reader of a string into to.
func (p *parser) text(to *string) func(string, *yaml.Node) error {
	return func(path string, n *yaml.Node) (err error) {
		*to, err = p.scalar(path, n)
		return err
	}
}

// count returns a reader of a number into to.
func (p *parser) count(to *int, parse func(string) (int, bool), form string) func(string, *yaml.Node) error {
	return func(path string, n *yaml.Node) error {
		text, err := p.scalar(path, n)
		if err != nil {
			return err
		}
		value, ok := parse(text)
		if !ok {
			return p.fail(n, "%s: %q is not %s", path, text, form)
		}
		*to = value
		return nil
	}
}

// duration returns a reader of a duration into to.
func (p *parser) duration(to *time.Duration) func(string, *yaml.Node) error {
	return func(path string, n *yaml.Node) error {
		text, err := p.scalar(path, n)
		if err != nil {
			return err
		}
		value, err := time.ParseDuration(text)
		if err != nil {
			return p.fail(n, "%s: %q is not a duration such as 150ms or 3s", path, text)
		}
		*to = value
		return nil
	}
}

// nodes returns a reader of a list of processes into to.
func (p *parser) nodes(to *[]Node) func(string, *yaml.Node) error {
	return func(path string, n *yaml.Node) error {
		if n.Kind != yaml.SequenceNode {
			return p.fail(n, "%s must be a list of {id: …, addr: …}, not %s", path, describe(n))
		}
		for i, item := range n.Content {
			here := fmt.Sprintf("%s[%d]", path, i)
			p.lines[here] = item.Line
			var id, addr string
			err := p.mapping(here, item, []field{{"id", p.text(&id)}, {"addr", p.text(&addr)}})
			if err != nil {
				return err
			}
			*to = append(*to, Node{ID: paxos.NodeID(id), Addr: addr})
		}
		return nil
	}
}

// cluster reads the whole file.
func (p *parser) cluster(root *yaml.Node, c *Cluster) error {
	quorum := []field{
		{"phase1", p.count(&c.Quorum.Phase1, parseCount, "a number of acceptors")},
		{"phase2", p.count(&c.Quorum.Phase2, parseCount, "a number of acceptors")},
	}
	var timeouts, limits []field
	for _, f := range durationFields {
		timeouts = append(timeouts, field{f.key, p.duration(f.at(&c.Timeouts))})
	}
	for _, f := range limitFields {
		read := p.count(f.at(&c.Limits), parseCount, "a whole number such as 64")
		if f.bytes {
			read = p.count(f.at(&c.Limits), ParseSize, "a number of bytes such as 65536, 64KiB or 1MiB")
		}
		limits = append(limits, field{f.key, read})
	}
	section := func(fields []field) func(string, *yaml.Node) error {
		return func(path string, n *yaml.Node) error { return p.mapping(path, n, fields) }
	}
	return p.mapping("", root, []field{
		{"cluster", p.text(&c.Name)},
		{"acceptors", p.nodes(&c.Acceptors)},
		{"proposers", p.nodes(&c.Proposers)},
		{"learners", p.nodes(&c.Learners)},
		{"quorum", section(quorum)},
		{"timeouts", section(timeouts)},
		{"limits", section(limits)},
		{"tls", p.tls(&c.TLS)},
		{"log_level", p.text(&c.LogLevel)},
	})
}
