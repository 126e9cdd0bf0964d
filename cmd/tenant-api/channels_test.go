//go:build unix

package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// channelList is the output of "channels --json".
type channelList struct {
	Deployer   string
	Configured int
	Channels   []struct {
		Index               int
		Surplus             bool
		Address, State      string
		DisabledReason      string
		BalanceStroops      int64
		OpenTransactions    int
		TransactionsApplied int
	}
}

func (w *testEnv) channels(args ...string) (list channelList) {
	w.t.Helper()
	text := w.mustRun(append([]string{"channels", "--json"}, args...)...).out
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		w.t.Fatalf("%v: %s", err, text)
	}
	return list
}

func TestChannels(t *testing.T) {
	w := setup(t)
	w.mustRun("channels").want(t, 0, "No channel accounts: SOROBAN_CHANNELS is 0")
	w.mustRun("channels", "reconcile").want(t, 0, "No channel accounts", "0 created, 0 topped up, 0 XLM paid in fees", "has 100000 XLM")
	w.run("channels", "--channels", "1001").want(t, 2, `--channels (SOROBAN_CHANNELS) is "1001"; give a whole number from 0 to 1000`)
	w.run("channels", "reconcil").want(t, 2, `tenant-api channels has no command "reconcil"`, `did you mean "reconcile"?`)
	w.run("channels", "reconcile", "now").want(t, 2, `tenant-api channels reconcile: it takes no argument "now"`)

	w.env["SOROBAN_CHANNELS"] = "3"
	w.mustRun("channels").want(t, 0, "No channel accounts are known yet. tenant-api channels reconcile creates 3")
	if got := w.channels(); got.Configured != 3 || got.Channels == nil || len(got.Channels) != 0 || !strings.HasPrefix(got.Deployer, "G") {
		t.Errorf("%+v", got)
	}
	w.mustRun("channels", "reconcile").want(t, 0, "CHANNEL", "APPLIED", "OPEN TXS", "STATE", "5 XLM", "free", "3 of 3 channels can be used", "3 created, 0 topped up", "has 99984.99997 XLM")
	w.mustRun("channels", "reconcile").want(t, 0, "3 of 3 channels can be used", "0 created, 0 topped up, 0 XLM paid in fees")

	got := w.channels()
	if len(got.Channels) != 3 {
		t.Fatalf("%+v", got)
	}
	for i, c := range got.Channels {
		if c.Index != i || c.State != "free" || c.BalanceStroops != 50_000_000 || c.Surplus || c.OpenTransactions != 0 || len(c.Address) != 56 {
			t.Errorf("%+v", c)
		}
	}
	// With a smaller number the others stay and are marked as surplus.
	if fewer := w.channels("--channels", "1"); len(fewer.Channels) != 3 || fewer.Configured != 1 || fewer.Channels[0].Surplus || !fewer.Channels[1].Surplus {
		t.Errorf("%+v", fewer)
	}
	w.mustRun("channels", "--channels", "1").want(t, 0, "free; surplus", "1 of 1 channels can be used")
	w.registry.DisableChannel(0, "its key was taken away")
	w.registry.QuarantineChannel(1, time.Date(2099, 1, 1, 12, 34, 56, 0, time.UTC))
	w.registry.LeaseChannel(2, time.Date(2099, 1, 1, 1, 2, 3, 0, time.UTC))
	w.mustRun("channels").want(t, 0, string(txlog.ChannelDisabled)+": its key was taken away", string(txlog.ChannelQuarantined)+" until 12:34:56", string(txlog.ChannelInUse)+" until 01:02:03", "2 of 3 channels can be used")
	w.registry.EndAccountLeases()
	w.registry.EndQuarantines()
	w.mustRun("channels", "reconcile").want(t, 0, "3 of 3 channels can be used") // It works on the ledger.
}

func TestChannels_InsufficientBalance(t *testing.T) {
	w := setup(t)
	poor := keypair.MustRandom()
	w.env["SOROBAN_CONTRACT_DEPLOYER_SECRET"], w.env["SOROBAN_CHANNELS"] = poor.Seed(), "50"
	w.run("channels", "reconcile").want(t, 1, "the deployer account "+poor.Address()+" does not exist on this network; fund it")
	if err := w.net.Fund(poor.Address(), 100*10_000_000); err != nil {
		t.Fatal(err)
	}
	w.run("channels", "reconcile").want(t, 1, "has 100 XLM, but the funding of 50 channel accounts with 250 XLM needs", "send it at least")
	w.mustRun("channels", "reconcile", "--channels", "10").want(t, 0, "10 created", "10 of 10 channels can be used")
}

// TestServe_Channels_OneLedger: as many tenants as there are channels get into one ledger.
func TestServe_Channels_OneLedger(t *testing.T) {
	w := setup(t)
	w.env["SOROBAN_CHANNELS"] = "12"
	p := w.start(w.createKey("admin"), "serve")
	p.call(http.MethodPost, "/admin/tenants", clinic("The first")).want(t, http.StatusAccepted)
	w.waitFor("the first tenant", w.hasActive(1)) // Code and channels exist.
	if log := p.log.String(); !strings.Contains(log, "workers=12 channels=12") {
		t.Errorf("the log lacks the number of workers and channels: %s", log)
	}

	w.net.Faults().HoldQueue(true)
	accepted := p.postTenants(24, nil)
	if len(accepted.ids) != 24 {
		t.Fatalf("%d were accepted", len(accepted.ids))
	}
	w.waitFor("a transaction of each channel", func() bool { return w.net.Faults().QueueSize() == 12 })
	if n := w.registry.TransactionLog().In(txlog.StateSigned).Sources(); n != 12 {
		t.Errorf("%d channels applied the 12 transactions", n)
	}
	w.net.Faults().HoldQueue(false)
	w.waitFor("all tenants", w.hasActive(25))
	created := map[uint32]int{} // By ledger.
	for _, x := range w.registry.TransactionLog().Of(txlog.PurposeCreate).In(txlog.StateSucceeded) {
		created[x.Ledger]++
	}
	if n := slices.Max(slices.Collect(maps.Values(created))); n != 12 {
		t.Errorf("at most %d tenants in a ledger, want 12", n)
	}
	w.assertInvariants()
	if code := p.terminate(); code != 0 {
		t.Errorf("exit code %d", code)
	}
	applied := 0
	for _, c := range w.channels().Channels {
		applied += c.TransactionsApplied
		if c.State != "free" || c.OpenTransactions != 0 || c.TransactionsApplied == 0 {
			t.Errorf("%+v", c)
		}
	}
	if want := w.registry.Transactions(txlog.PurposeCreate, ""); applied != want {
		t.Errorf("channels applied %d transactions of %d", applied, want)
	}
}

// TestServe_Channels_ManyProcesses: five servers share the channels of one deployer.
func TestServe_Channels_ManyProcesses(t *testing.T) {
	w := setup(t)
	w.env["SOROBAN_CHANNELS"] = "4"
	token := w.createKey("admin")
	first := w.start(token, "serve")
	for range 4 {
		w.start("", "worker", "--workers", "3")
	}
	first.postTenants(40, nil)
	w.waitFor("all tenants", w.hasActive(40))
	w.assertInvariants()
	if got := w.channels(); len(got.Channels) != 4 {
		t.Errorf("%+v", got)
	}
	if n := w.registry.Transactions(txlog.PurposeUpload, txlog.StateSucceeded); n != 1 {
		t.Errorf("%d uploads", n)
	}
	if n := w.registry.Transactions(txlog.PurposeFund, txlog.StateSucceeded); n != 1 {
		t.Errorf("%d transactions created the channels: %s", n, fmt.Sprint(w.channels()))
	}
}
