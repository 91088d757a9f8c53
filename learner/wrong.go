package learner

import (
	"slices"

	"github.com/paxlog/paxlog/paxos"
)

// condemn ends this learner's service for good: what it has is not what follows from what was
// chosen, as far as instance i shows. That is written before anything else is told, so that a
// restart does not forget it.
func (l *Learner) condemn(why string, i paxos.Instance) {
	if l.wrong != "" {
		return
	}
	l.wrong = why
	l.Write(paxos.SetWrong{Why: why})
	l.Out.Sync = true
	l.checkpoint = checkpointing{}
	l.abandonReplay()
	l.endAudit()
	l.sayWrong(i)
}

// sayWrong says what a wrong learner is good for. It does so at each start, too.
func (l *Learner) sayWrong(i paxos.Instance) {
	l.Warn("this learner is wrong: "+l.wrong+"; it serves nobody any more. Keep its directory if you want to find out why, and make another one "+
		"(`paxlog init`), so that it learns again from the others", "instance", uint64(i))
}

// silence takes back what a wrong learner was about to tell clients and whoever copies from
// it (R2). What operators ask it answers.
func (l *Learner) silence() {
	if l.wrong == "" {
		return
	}
	l.Out.SendNow = slices.DeleteFunc(l.Out.SendNow, func(e paxos.Envelope) bool {
		switch e.Msg.(type) {
		case *paxos.StatusReply, *paxos.Drained, *paxos.Poll, *paxos.Fetch:
			return false
		}
		return true
	})
}
