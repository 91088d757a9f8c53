package wal

import (
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/sstable/block"

	"github.com/paxlog/paxlog/paxos"
)

// memTableOf is the size of a store's memtables. The commit that finds one full makes the
// next one and its log, which takes tens of milliseconds at times. Acceptors write the
// same: with one size all of them did that in the same instance, and no two others were
// there to decide without the one that waited. So each acceptor's are a little smaller
// than those of the one before it.
//
// On a volume of less than 2 GiB they are a part of it: each may take its size several times, in
// logs that are kept to be used again and in the table that it becomes.
func memTableOf(id Identity, total uint64) int64 {
	const steps, share = 8, 16
	most := int64(maxMemTable)
	if total > 0 {
		most = min(most, max(firstMemTable, int64(total/memTableShare)))
	}
	if id.Role != paxos.RoleAcceptor.String() {
		return most
	}
	return most - int64(max(0, slices.Index(id.Members.Acceptors, id.ID))%steps)*(most/share)
}

// tune sets what makes Pebble write a log once; the package doc has the figures.
func tune(o *pebble.Options, memTable int64) {
	o.Experimental.SpanPolicyFunc = apart

	o.MemTableSize = uint64(memTable)
	// The first is of tables that memtables become, and thus of most of the log. The
	// others are of what is compacted. Pebble adds to a compaction what lies beside it,
	// up to 25 times the second, so that must be small.
	o.TargetFileSizes = [...]int64{8 << 20, 2 << 20, 4 << 20, 8 << 20, 16 << 20, 32 << 20, 64 << 20}

	// What sessions did is merged from 8 memtables at a time.
	o.L0CompactionThreshold = 16
	o.L0StopWritesThreshold = 32
	o.L0CompactionFileThreshold = 8 << 10

	// The one that Pebble makes looks ten times a second whether something may be compacted.
	// One compaction runs at a time here, and when it ends, or a memtable was flushed, the
	// next is looked for anyway.
	o.Experimental.CompactionScheduler = pebble.NewConcurrencyLimitSchedulerWithNoPeriodicGrantingForTest()

	o.Levels[0].BlockSize = 32 << 10
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.UniformDBCompressionSettings(&ifItPays) })
}

// ifItPays compresses while a sample of one block in ten says that it saves an eighth.
var ifItPays = block.CompressionProfile{
	Name:       "Fastest",
	DataBlocks: block.FastestCompression.DataBlocks, ValueBlocks: block.FastestCompression.ValueBlocks, OtherBlocks: block.NoCompression.OtherBlocks,
	MinReductionPercent: 12, AdaptiveReductionCutoffPercent: 12,
}

// apart keeps v, c and x, whose keys only grow, out of the tables of other keys. A
// table with both spans those between, so that each memtable's would overlap the one
// before, and values be rewritten with every promise.
func apart(start []byte) (policy pebble.SpanPolicy, end []byte, err error) {
	for _, grows := range []byte{keyChosen, keyVote, keyIndex} { // in key order
		switch first := start[0]; {
		case first < grows:
			return policy, []byte{grows}, nil
		case first == grows:
			return policy, []byte{grows + 1}, nil
		}
	}
	return policy, nil, nil
}
