package paxos

import (
	"strings"
	"testing"
)

// rightsOf says once more, apart from the table, which rights a client must have one of to send a
// message. What is not here no client may send, whatever it has.
var rightsOf = map[string]Rights{
	"Append":      RightAppend | RightAdmin, // a fence
	"Attach":      RightAppend,
	"Locate":      RightRead,
	"Read":        RightRead,
	"Copy":        RightRead,
	"Lookup":      AllRights,
	"Settle":      AllRights, // it only asks
	"Member":      AllRights,
	"Permit":      AllRights,
	"Adjust":      AllRights,
	"Transfer":    RightAdmin,
	"Drain":       RightAdmin,
	"Order":       RightAdmin,
	"Retain":      RightAdmin,
	"Raise":       RightAdmin,
	"StatusQuery": public,
	"Detach":      public,
	"Withdraw":    public,
}

// TestRightsOfEveryMessage: for each message, each role and each set of rights. Whoever is a client
// and has none of the rights that a message needs may not send it, to anybody.
func TestRightsOfEveryMessage(t *testing.T) {
	seen := 0
	for _, r := range Messages.Rows() {
		m := r.Zero()
		need, client := rightsOf[r.Name]
		if client {
			seen++
		}
		for has := range AllRights + 1 {
			want := need == public || need&has != 0
			if got := Messages.Permits(m, has); got != want {
				t.Errorf("%s, by a client that has %v: %v", r.Name, has, got)
			}
		}
		for to := range Role(255) {
			if got, want := Messages.MayStep(RoleClient, to, m), client && r.To.Has(to); got != want {
				t.Errorf("%s from a client to role %d: %v", r.Name, to, got)
			}
		}
		if (r.Right != "") != client {
			t.Errorf("%s: the table says that it takes %q", r.Name, r.Right)
		}
	}
	if seen != len(rightsOf) {
		t.Errorf("%d of %d messages of clients are there", seen, len(rightsOf))
	}
	for _, m := range []Message{&Settle{Set: true}, &Member{Order: MemberRemove}, &Member{Order: MemberAdd, Plan: true}, &Permit{Grant: RightRead}, &Permit{Revoke: RightRead}, &Adjust{Set: true}, &Adjust{Unset: true}} {
		if Messages.Permits(m, RightAppend|RightRead) || !Messages.Permits(m, RightAdmin) {
			t.Errorf("%T changes something, and takes admin", m)
		}
	}
	if m := (&Append{First: 1}); Messages.Permits(m, RightAdmin|RightRead) || !Messages.Permits(m, RightAppend) {
		t.Error("entries take append")
	}
}

// TestUnknownMessage: a row without a right is of nobody, also where clients may send it.
func TestUnknownMessage(t *testing.T) {
	table := NewTable(NewRow[StatusQuery](RolesOf(RoleClient), RolesOf(RoleLearner), "nothing is said of rights"))
	if table.Permits(&StatusQuery{}, AllRights) || table.MayStep(RoleClient, RoleLearner, &StatusQuery{}) {
		t.Error("who forgets to say which right a message takes lets everybody send it")
	}
}

// TestRights: their form for people, and back.
func TestRights(t *testing.T) {
	for r := range AllRights + 1 {
		if r == 0 {
			continue
		}
		if got, err := ParseRights(r.String()); err != nil || got != r {
			t.Errorf("%s is read as %s, %v", r, got, err)
		}
	}
	if got, err := ParseRights("read, append"); err != nil || got != RightAppend|RightRead {
		t.Errorf("%v, %v", got, err)
	}
	for _, text := range []string{"", "none", "write", "append,", "append;read", "Admin"} {
		if _, err := ParseRights(text); err == nil || !strings.Contains(err.Error(), "append, read and admin") {
			t.Errorf("%q: %v", text, err)
		}
	}
	for name, valid := range map[Principal]bool{"a": true, "app-1.eu_x": true, "": false, "a b": false, "é": false, Principal(strings.Repeat("x", 64)): true, Principal(strings.Repeat("x", 65)): false, "a\n": false} {
		if name.IsValid() != valid {
			t.Errorf("%q", name)
		}
	}
}
