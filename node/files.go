package node

import "fmt"

// Files that a process may open, of which connections are most. Whoever opens connections must
// not take the files that the store needs: a store that cannot open one ends its process.
const (
	fixedFiles = 16 // standard streams, the listener, pollers, and what is read for a moment
	// storeFiles are what a store has open beside its tables: logs, the manifest, directories,
	// and what merging writes.
	storeFiles  = 24
	leastTables = 24
	mostTables  = 1000
	fewPlaces   = 512 // of connections: so few are worth a warning
)

// places are what a node may have open at once.
type places struct {
	files       int // of the process
	tables      int // of the store
	connections int // accepted, of those who said who they are
	greetings   int // accepted, of those who have not
	wanted      int // files with which limits.connections would fit
}

// placesIn divides the files of a process, 0 if there is no limit, among nodes of which each wants
// most connections, knows so many peers, and has a store or not.
func placesIn(files, nodes, most, peers int, stores bool) (p places, err error) {
	p.files = files
	each := files / nodes
	if files == 0 {
		each = 1 << 30
	}
	rest := each - fixedFiles - peers - 1 // those that it dials
	if stores {
		p.tables = min(max(each/4, leastTables), mostTables)
		rest -= p.tables + storeFiles
	}
	p.greetings = min(max(rest/8, 4), 128)
	rest -= p.greetings
	p.connections = min(most, rest)
	p.wanted = files + nodes*2*(most-p.connections)
	if least := 2*peers + 4; rest < least {
		return p, fmt.Errorf("this process may open %d files, which is too few for its store and %d connections: raise the limit of open files (ulimit -n, LimitNOFILE=) by %d at least",
			files, least, 2*nodes*(least-rest))
	}
	return p, nil
}

// findPlaces looks at what this process may open.
func (n *Node) findPlaces() (err error) {
	c := n.opts.Cluster
	n.places, err = n.placesFor(c.Limits.Connections)
	if err != nil || n.places.connections == c.Limits.Connections {
		return err
	}
	e := n.log.Info()
	if n.places.connections < fewPlaces {
		e = n.log.Warn()
	}
	e.Int("files", n.places.files).Int("connections", n.places.connections).Msg(fmt.Sprintf(
		"it takes fewer connections than limits.connections, %d, for it may not open enough files: raise their limit to %d (ulimit -n, LimitNOFILE=) if more are needed",
		c.Limits.Connections, n.places.wanted))
	return nil
}

// placesFor divides what this process may open where so many connections are wanted.
func (n *Node) placesFor(connections int) (places, error) {
	c := n.opts.Cluster
	peers := len(c.Acceptors) + len(c.Proposers) + len(c.Learners)
	return placesIn(n.opts.files(), 1+n.opts.Beside, connections, peers, n.opts.Dir != "")
}

// files is how many files this process may open, 0 if there is no limit.
func (o *Options) files() int {
	if o.Files > 0 {
		return o.Files
	}
	return openFiles()
}
