package booth

import "time"

// Staff's pages about what leaves and enters by network.
const (
	PageSync    StaffPage = "sync"    // the queue, its oldest packet, the last error, try now
	PageRetakes StaffPage = "retakes" // whom to call back today
	PagePayCode StaffPage = "paycode" // the eight digits of a student who paid while central is away
)

// SyncView is what the page about the queue shows. It says nothing about
// students.
type SyncView struct {
	Lamp     Lamp // whether central answered with its signature
	Heard    Text // when it last did
	Pending  int
	Bytes    int64     // of what waits
	Oldest   time.Time // when the oldest of it was saved; zero = nothing waits
	Failing  bool      // the last exchange failed
	LastErr  Text      // why, in words, with what to do; empty = nothing is wrong
	Delivery Text      // how many are delivered and opened
	Queue    []QueueRow
}

// QueueRow is one packet that waits or that central would not take.
type QueueRow struct {
	ID    string // short form for people
	Saved time.Time
	Bytes int64
	State Text
	Level Level
}

// SyncChanged brings the page about the queue up to date.
type SyncChanged struct{ Sync SyncView }

func (SyncChanged) event() {}
