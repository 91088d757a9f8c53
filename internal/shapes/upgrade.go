package shapes

// Upgrade is what `upgrade status -o json` prints.
type Upgrade struct {
	Log       *string           `json:"log"`   // its id, null if it has none
	Level     uint64            `json:"level"` // in force
	To        uint64            `json:"to"`    // the level that finalize would raise it to
	Ready     bool              `json:"ready"` // nothing is in the way
	Processes []UpgradedProcess `json:"processes"`
	Changes   []string          `json:"changes"`   // what finalize would change
	Obstacles []string          `json:"obstacles"` // what is in the way
}

// UpgradedProcess is what a process's program knows; null where it does not say it.
type UpgradedProcess struct {
	Process
	Role     string  `json:"role"`
	Program  *string `json:"program"`
	Oldest   *uint64 `json:"protocol_oldest"`
	Newest   *uint64 `json:"protocol_newest"`
	Knows    *uint64 `json:"knows_level"`
	Level    *uint64 `json:"level"`        // of the log, as it knows it
	Format   *uint64 `json:"format"`       // of its data directory
	Converts *uint64 `json:"format_after"` // what that is once the log has a level
}

// Finalized is what `upgrade finalize -o json` prints.
type Finalized struct {
	Log       string   `json:"log"`
	Before    uint64   `json:"before"`
	After     uint64   `json:"after"`
	Instance  *uint64  `json:"instance"`  // above which it is in force; null if it was before
	Converted []string `json:"converted"` // processes whose directories have another format now
	Behind    []string `json:"behind"`    // processes that do not know it yet
	Down      []string `json:"down"`      // processes that were not reached
}
