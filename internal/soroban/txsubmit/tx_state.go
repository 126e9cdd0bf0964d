package txsubmit

import (
	"fmt"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// txState is the known state of a stored transaction.
type txState int

const (
	// stateDrafted: it is stored. No send of it can have been accepted.
	stateDrafted txState = iota
	// stateUnknown: a send may have been accepted. The response was lost, or an earlier
	// run sent it.
	stateUnknown
	// statePending: the network has accepted it and not applied it yet.
	statePending
	// stateBumpDrafted: it was accepted, and a fee bump of it is stored but not
	// accepted.
	stateBumpDrafted
	// stateBumpPending: the network has accepted the fee bump.
	stateBumpPending
	// stateRefused: the network rejects it, but may have accepted it before.
	stateRefused

	// The final states. Nothing is sent in them.

	stateConfirmed  // It is in a ledger, successful.
	stateFailed     // It is in a ledger, failed, and its fee is charged.
	stateRejected   // The network rejected it, and never accepted it.
	stateExpired    // It was not applied before the end of its validity.
	stateSuperseded // Another transaction used its sequence number.

	txStateCount
)

// final reports whether the result is known.
func (s txState) final() bool { return s >= stateConfirmed }

func (s txState) String() string {
	return [txStateCount]string{
		"drafted", "unknown", "pending", "bump drafted", "bump pending", "refused",
		"confirmed", "failed", "rejected", "expired", "superseded",
	}[s]
}

// txEvent is the outcome of a txTracker's last action.
type txEvent int

const (
	// The responses of sendTransaction.

	sendAccepted   txEvent = iota // PENDING or DUPLICATE.
	sendRefused                   // ERROR, with a result code.
	sendUnreadable                // The server cannot decode the transaction.
	sendDeferred                  // TRY_AGAIN_LATER: the queue is full, or holds another one of the account.
	sendLost                      // No usable response: the server may have accepted it.

	// The responses of getTransaction. When the server no longer has the record, the
	// ledger's entries are read.

	querySucceeded     // SUCCESS.
	queryFailed        // FAILED.
	queryNotFound      // NOT_FOUND, and it may still be applied.
	queryExpired       // Not applied, and its validity has ended.
	querySuperseded    // Not applied, and its sequence number is used.
	queryEffectSeen    // Its record is gone, and the ledger shows its effect.
	queryEffectMissing // Its record is gone, its number is used, and the ledger does not show its effect.
	queryLost          // No usable response.

	// The outcomes of a pause.

	waitOver // It is time to query the transaction.
	waitIdle // Nothing new.
	waitLost // The source account could not be read.

	// What an accepted but not yet applied transaction needs.

	dueBump     // A fee bump.
	dueResubmit // The network may have dropped it.
	dueNothing

	// The outcomes of a fee bump.

	bumpStored
	bumpImpossible // The ceiling allows no higher bid.

	txEventCount
)

func (e txEvent) String() string {
	return [txEventCount]string{
		"send accepted", "send refused", "send unreadable", "send deferred", "send lost",
		"query succeeded", "query failed", "query not found", "query expired", "query superseded",
		"query effect seen", "query effect missing", "query lost",
		"wait over", "wait idle", "wait lost", "due bump", "due resubmit", "due nothing", "bump stored", "bump impossible",
	}[e]
}

// txAction is the next action of a txTracker.
type txAction int

const (
	actNone       txAction = iota // No entry of the table has it.
	actImpossible                 // The event cannot happen in that state.
	actSend                       // Send the stored envelope.
	actWait                       // Pause, then see whether a query is due.
	actQuery                      // Query the transaction.
	actCheck                      // Decide whether an accepted transaction needs something.
	actBump                       // Store a fee bump.
	actStop                       // The result is known.
)

func (a txAction) String() string {
	return [...]string{"none", "impossible", "send", "wait", "query", "check", "bump", "stop"}[a]
}

// transition is an entry of the table.
type transition struct {
	next   txState
	action txAction
}

// impossible is the entry of a pair that cannot happen.
var impossible = transition{action: actImpossible}

// after returns the transition for an event. It returns an error for an event that
// cannot happen: a defect of this program, which leaves the result unknown.
func (s txState) after(e txEvent) (transition, error) {
	t := transitions[s][e]
	if t.action == actImpossible || t.action == actNone {
		return t, errs.Wrap(fmt.Errorf("event %q in state %q", e, s), errs.KindPermanent, "track transaction",
			"a transaction reached a state that is not possible; the log has the details")
	}
	return t, nil
}

// transitions are the rules:
//   - Only a rejection in stateDrafted is final: in every other state the transaction
//     may have been accepted before, and an applied one gets txBAD_SEQ.
//   - The same bytes are sent again until the network accepts them. After a rejection
//     nothing is sent.
//   - A rejected fee bump leads back to the transaction without it, which may still be
//     queued at the network.
var transitions = [txStateCount][txEventCount]transition{
	stateDrafted: {
		sendAccepted:       {statePending, actWait},
		sendRefused:        {stateRejected, actStop},
		sendUnreadable:     {stateRejected, actStop},
		sendDeferred:       {stateDrafted, actWait},
		sendLost:           {stateUnknown, actWait},
		querySucceeded:     {stateConfirmed, actStop},
		queryFailed:        {stateFailed, actStop},
		queryNotFound:      {stateDrafted, actSend},
		queryExpired:       {stateExpired, actStop},
		querySuperseded:    impossible, // Query for another one only after a rejection.
		queryEffectSeen:    {stateConfirmed, actStop},
		queryEffectMissing: {stateFailed, actStop},
		queryLost:          {stateDrafted, actSend},
		waitOver:           {stateDrafted, actQuery},
		waitIdle:           impossible, // After a send that was not accepted each pause ends with a query.
		waitLost:           impossible,
		dueBump:            impossible, // It was not accepted yet.
		dueResubmit:        impossible,
		dueNothing:         impossible,
		bumpStored:         impossible,
		bumpImpossible:     impossible,
	},
	stateUnknown: {
		sendAccepted:       {statePending, actWait},
		sendRefused:        {stateRefused, actWait},
		sendUnreadable:     {stateRefused, actWait},
		sendDeferred:       {stateUnknown, actWait},
		sendLost:           {stateUnknown, actWait},
		querySucceeded:     {stateConfirmed, actStop},
		queryFailed:        {stateFailed, actStop},
		queryNotFound:      {stateUnknown, actSend},
		queryExpired:       {stateExpired, actStop},
		querySuperseded:    impossible,
		queryEffectSeen:    {stateConfirmed, actStop},
		queryEffectMissing: {stateFailed, actStop},
		queryLost:          {stateUnknown, actSend},
		waitOver:           {stateUnknown, actQuery},
		waitIdle:           impossible,
		waitLost:           impossible,
		dueBump:            impossible,
		dueResubmit:        impossible,
		dueNothing:         impossible,
		bumpStored:         impossible,
		bumpImpossible:     impossible,
	},
	statePending: {
		sendAccepted:       {statePending, actWait},
		sendRefused:        {stateRefused, actWait},
		sendUnreadable:     {stateRefused, actWait},
		sendDeferred:       {statePending, actWait},
		sendLost:           {statePending, actWait},
		querySucceeded:     {stateConfirmed, actStop},
		queryFailed:        {stateFailed, actStop},
		queryNotFound:      {statePending, actCheck},
		queryExpired:       {stateExpired, actStop},
		querySuperseded:    impossible,
		queryEffectSeen:    {stateConfirmed, actStop},
		queryEffectMissing: {stateFailed, actStop},
		queryLost:          {statePending, actCheck},
		waitOver:           {statePending, actQuery},
		waitIdle:           {statePending, actCheck},
		waitLost:           {statePending, actCheck},
		dueBump:            {statePending, actBump},
		dueResubmit:        {statePending, actSend},
		dueNothing:         {statePending, actWait},
		bumpStored:         {stateBumpDrafted, actSend},
		bumpImpossible:     {statePending, actCheck},
	},
	stateBumpDrafted: {
		sendAccepted:       {stateBumpPending, actWait},
		sendRefused:        {statePending, actWait}, // Without the fee bump, as it was accepted.
		sendUnreadable:     {stateRefused, actWait},
		sendDeferred:       {stateBumpDrafted, actWait},
		sendLost:           {stateBumpDrafted, actWait},
		querySucceeded:     {stateConfirmed, actStop},
		queryFailed:        {stateFailed, actStop},
		queryNotFound:      {stateBumpDrafted, actSend},
		queryExpired:       {stateExpired, actStop},
		querySuperseded:    impossible,
		queryEffectSeen:    {stateConfirmed, actStop},
		queryEffectMissing: {stateFailed, actStop},
		queryLost:          {stateBumpDrafted, actSend},
		waitOver:           {stateBumpDrafted, actQuery},
		waitIdle:           impossible,
		waitLost:           impossible,
		dueBump:            impossible, // Nothing is due while the bump waits to be accepted.
		dueResubmit:        impossible,
		dueNothing:         impossible,
		bumpStored:         impossible,
		bumpImpossible:     impossible,
	},
	stateBumpPending: {
		sendAccepted:       {stateBumpPending, actWait},
		sendRefused:        {statePending, actWait},
		sendUnreadable:     {stateRefused, actWait},
		sendDeferred:       {stateBumpPending, actWait},
		sendLost:           {stateBumpPending, actWait},
		querySucceeded:     {stateConfirmed, actStop},
		queryFailed:        {stateFailed, actStop},
		queryNotFound:      {stateBumpPending, actCheck},
		queryExpired:       {stateExpired, actStop},
		querySuperseded:    impossible,
		queryEffectSeen:    {stateConfirmed, actStop},
		queryEffectMissing: {stateFailed, actStop},
		queryLost:          {stateBumpPending, actCheck},
		waitOver:           {stateBumpPending, actQuery},
		waitIdle:           {stateBumpPending, actCheck},
		waitLost:           {stateBumpPending, actCheck},
		dueBump:            {stateBumpPending, actBump},
		dueResubmit:        {stateBumpPending, actSend},
		dueNothing:         {stateBumpPending, actWait},
		bumpStored:         {stateBumpDrafted, actSend},
		bumpImpossible:     {stateBumpPending, actCheck},
	},
	stateRefused: {
		sendAccepted:       impossible, // Nothing is sent.
		sendRefused:        impossible,
		sendUnreadable:     impossible,
		sendDeferred:       impossible,
		sendLost:           impossible,
		querySucceeded:     {stateConfirmed, actStop},
		queryFailed:        {stateFailed, actStop},
		queryNotFound:      {stateRefused, actWait},
		queryExpired:       {stateExpired, actStop},
		querySuperseded:    {stateSuperseded, actStop},
		queryEffectSeen:    {stateConfirmed, actStop},
		queryEffectMissing: {stateFailed, actStop},
		queryLost:          {stateRefused, actWait},
		waitOver:           {stateRefused, actQuery},
		waitIdle:           impossible, // Each pause ends with a query.
		waitLost:           {stateRefused, actWait},
		dueBump:            impossible,
		dueResubmit:        impossible,
		dueNothing:         impossible,
		bumpStored:         impossible,
		bumpImpossible:     impossible,
	},
	stateConfirmed: noEvents(), stateFailed: noEvents(), stateRejected: noEvents(), stateExpired: noEvents(), stateSuperseded: noEvents(),
}

// noEvents is the row of a final state.
func noEvents() (row [txEventCount]transition) {
	for e := range row {
		row[e] = impossible
	}
	return row
}
