// Package booth is the student's visit as a state machine: pure logic that
// turns inputs (what people ask for, what the machinery reports) into the next
// [View] and a list of [Effect]s for others to carry out.
//
// It knows no window, no camera, no disk, no network and no clock of its own:
// the time comes in with each input. Whatever is asynchronous carries the id of
// the session it was started for, and an answer for another session is dropped,
// so that one student's picture, number or payment can never reach the next.
package booth
