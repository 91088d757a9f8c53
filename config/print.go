package config

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// YAML writes every value in force, so that Parse reads an equal cluster back.
// It fails only if the YAML library does.
func (c *Cluster) YAML() ([]byte, error) { return c.write(func(limitField) bool { return true }) }

// FileYAML is YAML for a file that processes of earlier releases read, too: what they do not know is
// left out where it has its default.
func (c *Cluster) FileYAML() ([]byte, error) {
	defaults := Defaults()
	return c.write(func(f limitField) bool {
		return !slices.Contains(youngLimits, f.key) || *f.at(&c.Limits) != *f.at(&defaults.Limits)
	})
}

func (c *Cluster) write(shows func(limitField) bool) ([]byte, error) {
	m := c.Membership()
	root := mappingNode()
	add(root, "cluster", textNode(c.Name))
	for _, role := range roles {
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for _, n := range c.Nodes(role) {
			item := mappingNode()
			item.Style = yaml.FlowStyle
			add(item, "id", textNode(string(n.ID)))
			add(item, "addr", textNode(n.Addr))
			list.Content = append(list.Content, item)
		}
		add(root, role.String()+"s", list)
	}
	quorum := mappingNode()
	quorum.Style = yaml.FlowStyle
	add(quorum, "phase1", plainNode(strconv.Itoa(m.Phase1)))
	add(quorum, "phase2", plainNode(strconv.Itoa(m.Phase2)))
	add(root, "quorum", quorum)
	timeouts := mappingNode()
	for _, f := range durationFields {
		add(timeouts, f.key, plainNode(f.at(&c.Timeouts).String()))
	}
	add(root, "timeouts", timeouts)
	limits := mappingNode()
	for _, f := range limitFields {
		if shows(f) {
			add(limits, f.key, plainNode(f.format(*f.at(&c.Limits))))
		}
	}
	add(root, "limits", limits)
	if section := c.TLS.yaml(); section != nil {
		add(root, "tls", section)
	}
	if c.LogLevel != "" { // earlier releases do not know it
		add(root, "log_level", textNode(c.LogLevel))
	}

	return encode(root)
}

func encode(root *yaml.Node) ([]byte, error) {
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(root); err != nil {
		return nil, fmt.Errorf("writing the cluster file: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return nil, fmt.Errorf("writing the cluster file: %w", err)
	}
	return out.Bytes(), nil
}

func mappingNode() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"} }

// textNode is a string, quoted where YAML would take it for something else.
func textNode(text string) *yaml.Node {
	var n yaml.Node
	n.SetString(text)
	return &n
}

// plainNode is a number, a duration or a size, written as it is.
func plainNode(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: text} }

func add(mapping *yaml.Node, key string, value *yaml.Node) {
	mapping.Content = append(mapping.Content, textNode(key), value)
}
