package stellarnet_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/txnbuild"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

func (b *fixture) save() []byte {
	b.t.Helper()
	var out bytes.Buffer
	b.must(b.net.Save(b.ctx, &out))
	return out.Bytes()
}

// restartFromSnapshot is a second network that begins where a snapshot ends.
func (b *fixture) restartFromSnapshot(snapshot []byte, change ...func(*stellarnet.Options)) *fixture {
	b.t.Helper()
	c := setupUnfunded(b.t, append(change, func(o *stellarnet.Options) {
		o.Snapshot, o.Now = bytes.NewReader(snapshot), b.clock.Now
	})...)
	c.account, c.clock = b.account, b.clock
	return c
}

func TestNetwork_Save(t *testing.T) {
	t.Parallel()
	slowly := func(o *stellarnet.Options) { o.LedgerClose = 5 * time.Second }
	b := setup(t, slowly)
	id, first, second := b.emitEvents()
	payer := b.payer()
	bumped := b.runEnvelope(b.bump(b.build(tx{ops: []txnbuild.Operation{b.payment(payer.Address(), "1")}}).ToXDR(), 5000, payer))
	b.must(b.net.Faults().ExpireEntry(codeKey()))
	b.closeLedgers(20)
	snapshot := b.save()
	c := b.restartFromSnapshot(snapshot, slowly)

	t.Run("RestoresAllState", func(t *testing.T) {
		b, c := b.withT(t), c.withT(t)
		for _, hash := range []string{first.TransactionHash, second.TransactionHash, bumped.TransactionHash} {
			want, got := b.getByHash(hash), c.getByHash(hash)
			if fmt.Sprint(want.TransactionDetails) != fmt.Sprint(got.TransactionDetails) || want.LedgerCloseTime != got.LedgerCloseTime {
				t.Errorf("transaction %s: got %+v, want %+v", hash, got, want)
			}
		}
		keys := []xdr.LedgerKey{instanceKey(id), codeKey()}
		want, got := b.entries(keys...), c.entries(keys...)
		for i := range want {
			if want[i].DataXDR != got[i].DataXDR || *want[i].LiveUntilLedgerSeq != *got[i].LiveUntilLedgerSeq {
				t.Errorf("entry %d: got %+v, want %+v", i, got[i], want[i])
			}
		}
		before, err := b.client.GetLedgers(b.ctx, protocol.GetLedgersRequest{StartLedger: 1})
		b.must(err)
		after, err := c.client.GetLedgers(c.ctx, protocol.GetLedgersRequest{StartLedger: 1})
		c.must(err)
		if n := len(before.Ledgers); n < 25 || fmt.Sprint(before.Ledgers) != fmt.Sprint(after.Ledgers[:n]) {
			t.Errorf("%d ledgers differ from %d", len(after.Ledgers), n)
		}
		if fmt.Sprint(b.events(protocol.GetEventsRequest{StartLedger: 1}).Events) != fmt.Sprint(c.events(protocol.GetEventsRequest{StartLedger: 1}).Events) {
			t.Error("events differ")
		}
		feesBefore, err := b.client.GetFeeStats(b.ctx)
		b.must(err)
		feesAfter, err := c.client.GetFeeStats(c.ctx)
		c.must(err)
		if feesBefore.SorobanInclusionFee.Max != feesAfter.SorobanInclusionFee.Max || feesBefore.InclusionFee.Max != feesAfter.InclusionFee.Max {
			t.Errorf("fees were %+v, are %+v", feesBefore, feesAfter)
		}
	})

	t.Run("ContinuesFromSnapshot", func(t *testing.T) {
		c := c.withT(t)
		before := c.health()
		c.wantSuccess(c.runAtLedgerTime(&txnbuild.RestoreFootprint{}, footprint(nil, []xdr.LedgerKey{codeKey()})))
		c.must(c.net.Fund(c.account.Address(), xlm))
		if after := c.health(); after.LatestLedger != before.LatestLedger+2 || after.LatestLedgerCloseTime < before.LatestLedgerCloseTime {
			t.Errorf("from %+v to %+v", before, after)
		}
	})

	t.Run("EqualStatesHaveEqualSnapshots", func(t *testing.T) {
		if !bytes.Equal(b.withT(t).save(), snapshot) {
			t.Error("two snapshots of one state differ")
		}
	})

	t.Run("ShorterWindow", func(t *testing.T) {
		d := b.withT(t).restartFromSnapshot(snapshot, slowly, func(o *stellarnet.Options) { o.Retention = 3 })
		if health := d.health(); health.OldestLedger != health.LatestLedger-2 {
			t.Errorf("window %+v", health)
		}
		if got := d.getByHash(first.TransactionHash); got.Status != protocol.TransactionStatusNotFound {
			t.Errorf("a transaction of before the window is %s", got.Status)
		}
	})

	t.Run("SnapshotDropsQueue", func(t *testing.T) {
		b := setup(t)
		waiting := b.build(tx{ops: []txnbuild.Operation{b.payment(b.account.Address(), "1")}})
		b.wantStatus(b.send(waiting), "PENDING")
		d := b.restartFromSnapshot(b.save())
		if n := d.net.Faults().QueueSize(); n != 0 {
			t.Errorf("%d transactions wait", n)
		}
		d.wantSuccess(d.sendAndApply(waiting))
	})

	t.Run("LastChangeMarksDueSnapshot", func(t *testing.T) {
		b := setup(t)
		before := b.net.LastChange()
		b.closeLedger()
		b.closeLedgers(1000)
		if emptyLedgers := b.net.LastChange(); emptyLedgers != before {
			t.Errorf("ledgers without a transaction changed %d to %d", before, emptyLedgers)
		}
		b.must(b.net.Fund(b.account.Address(), xlm))
		if latest := b.health().LatestLedger; b.net.LastChange() != latest {
			t.Errorf("last change in %d, want %d", b.net.LastChange(), latest)
		}
	})

	t.Run("WriterFails", func(t *testing.T) {
		reader, writer := io.Pipe()
		_ = reader.CloseWithError(errors.New("disk full"))
		if err := b.net.Save(t.Context(), writer); err == nil || !strings.Contains(err.Error(), "disk full") {
			t.Errorf("got %v", err)
		}
		final, cancel := context.WithCancel(t.Context())
		cancel()
		if err := b.net.Save(final, io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestStart_RejectsInvalidSnapshot(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := b.save()
	flipped := bytes.Clone(good)
	flipped[len(good)/2] ^= 1
	newer := bytes.Replace(good, []byte("snapshot 1\n"), []byte("snapshot 2\n"), 1)
	for name, c := range map[string]struct {
		snapshot   []byte
		passphrase string
		says       string
	}{
		"Empty":        {nil, "", "not a snapshot of a local Stellar network"},
		"Foreign":      {[]byte("PGDMP\n and so on"), "", "not a snapshot of a local Stellar network"},
		"Flipped":      {flipped, "", "damaged"},
		"Cut":          {good[:len(good)-1], "", "damaged"},
		"CutToItsName": {good[:30], "", "damaged"},
		"Newer":        {newer, "", `version "2"`},
		"OtherNetwork": {good, "Another Network", `it belongs to the network "Standalone Network ; February 2017"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := stellarnet.Start(t.Context(), stellarnet.Options{
				Manual: true, Host: testenv.SorobanHost(t), Passphrase: c.passphrase, Snapshot: bytes.NewReader(c.snapshot),
			})
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
		})
	}
}
