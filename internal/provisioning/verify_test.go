package provisioning_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/contracts"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/verification"
)

// ledger is a network with the responses that the test sets.
type ledger struct {
	answer func(t tenant.Tenant) error
	anchor contracts.Anchor
	asked  []uuid.UUID
}

func (l *ledger) VerifyContract(_ context.Context, t tenant.Tenant) (contracts.Anchor, error) {
	if t.ContractID == "" { // The registry's own chain, which is anchored in none of these tests.
		return contracts.Anchor{}, errs.Errorf(errs.KindNotFound, "verify", "there is no contract")
	}
	l.asked = append(l.asked, t.ID)
	if l.answer == nil {
		return l.anchor, nil
	}
	return l.anchor, l.answer(t)
}

func (w *world) verifier(l verification.ContractChecker) *verification.Verifier {
	w.t.Helper()
	v, err := verification.New(verification.Options{Tenants: w.db, Registry: w.db, Contracts: l, Clock: &skippingClock{}})
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

// skippingClock is a clock whose pauses return immediately and move it forward.
type skippingClock struct {
	mu      sync.Mutex
	skipped time.Duration
}

func (c *skippingClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.skipped)
}

func (c *skippingClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.skipped += d
	return ctx.Err()
}

// clinics creates live tenants.
func (w *world) clinics(n int) (all []tenant.Tenant) {
	w.t.Helper()
	for i := range n {
		in := clinic()
		in.Name = fmt.Sprintf("Clinic %d", i)
		out, err := w.process().service(provisioning.PipelineOptions{}).Provision(w.t.Context(), in)
		if err != nil {
			w.t.Fatal(err)
		}
		all = append(all, out.Tenant)
	}
	return all
}

func TestVerifier_Tenant(t *testing.T) {
	t.Parallel()
	t.Run("CorrectTenantHasNoFindings", func(t *testing.T) {
		t.Parallel()
		w, l := newWorld(t), &ledger{}
		id := w.clinics(1)[0].ID
		if findings, err := w.verifier(l).Tenant(t.Context(), id); err != nil || len(findings) != 0 || len(l.asked) != 1 {
			t.Errorf("%+v, %v, read %v", findings, err, l.asked)
		}
		if findings, err := w.verifier(nil).Tenant(t.Context(), id); err != nil || len(findings) != 0 {
			t.Errorf("without a ledger: %+v, %v", findings, err)
		}
	})
	t.Run("JoinsDatabaseAndLedger", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.clinics(1)[0].ID
		w.registry.ChangeEvent(id.String(), 1)
		findings, err := w.verifier(&ledger{answer: func(tenant.Tenant) error {
			return errs.Wrap(errors.New("cause"), errs.KindPermanent, "verify", "its admin is another one")
		}}).Tenant(t.Context(), id)
		if err != nil || len(findings) != 2 || findings[0].Subject != verification.SubjectAudit ||
			findings[1] != (verification.Finding{TenantID: id, Subject: verification.SubjectContract, Message: "its admin is another one"}) {
			t.Errorf("%+v, %v", findings, err)
		}
	})
	t.Run("UnresponsiveLedgerIsNoFinding", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		id := w.clinics(1)[0].ID
		findings, err := w.verifier(&ledger{answer: func(tenant.Tenant) error {
			return errs.Errorf(errs.KindTransient, "verify", "the network does not answer")
		}}).Tenant(t.Context(), id)
		if errs.KindOf(err) != errs.KindTransient || len(findings) != 0 {
			t.Errorf("%+v, %v", findings, err)
		}
	})
	t.Run("NotFound", func(t *testing.T) {
		t.Parallel()
		if _, err := newWorld(t).verifier(&ledger{}).Tenant(t.Context(), uuid.New()); errs.KindOf(err) != errs.KindNotFound {
			t.Errorf("%v", err)
		}
	})
	t.Run("RejectsMissingParts", func(t *testing.T) {
		t.Parallel()
		if _, err := verification.New(verification.Options{}); errs.KindOf(err) != errs.KindInvalid {
			t.Errorf("%v", err)
		}
	})
}

func TestVerifier_All(t *testing.T) {
	t.Parallel()
	t.Run("ChecksPlatformAndEveryTenant", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		all := w.clinics(3)
		// More than a page, without provisioning them all.
		w.registry.AddFailed(120)
		w.registry.ChangeEvent(all[1].ID.String(), 1)
		unresponsive := all[2].ID
		l := &ledger{answer: func(t tenant.Tenant) error {
			if t.ID == unresponsive {
				return errs.Errorf(errs.KindTransient, "verify", "the network does not answer")
			}
			return nil
		}}
		seen, broken, unchecked := map[uuid.UUID]int{}, []uuid.UUID(nil), []uuid.UUID(nil)
		err := w.verifier(l).All(t.Context(), func(id uuid.UUID, findings []verification.Finding, err error) {
			seen[id]++
			if len(findings) > 0 {
				broken = append(broken, id)
			}
			if err != nil {
				unchecked = append(unchecked, id)
			}
		})
		if errs.KindOf(err) != errs.KindTransient {
			t.Errorf("%v", err)
		}
		if len(seen) != 124 || seen[uuid.Nil] != 1 || len(broken) != 1 || broken[0] != all[1].ID || len(unchecked) != 1 || unchecked[0] != unresponsive {
			t.Errorf("%d seen, broken %v, unchecked %v", len(seen), broken, unchecked)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was checked %d times", id, n)
			}
		}
	})
	t.Run("ReportsNotCheckedIfNetworkIsDown", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.clinics(9)
		asked, unchecked := 0, 0
		l := &ledger{answer: func(tenant.Tenant) error {
			asked++
			return errs.Errorf(errs.KindTransient, "verify", "the network does not answer")
		}}
		err := w.verifier(l).All(t.Context(), func(_ uuid.UUID, _ []verification.Finding, err error) {
			if err != nil {
				unchecked++
			}
		})
		// Three until the circuit breaker opens, then three probes.
		if asked != 6 || unchecked != 9 || errs.KindOf(err) != errs.KindTransient {
			t.Errorf("%d calls, %d not checked: %v", asked, unchecked, err)
		}
	})
	t.Run("ChecksEveryContractAfterNetworkRecovers", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		all, asked := w.clinics(6), 0
		wrong := all[0].ID // The last tenant of the run.
		l := &ledger{answer: func(t tenant.Tenant) error {
			if asked++; asked <= 3 {
				return errs.Errorf(errs.KindTransient, "verify", "the network does not answer")
			}
			if t.ID == wrong {
				return errs.Errorf(errs.KindPermanent, "verify", "its admin is another one")
			}
			return nil
		}}
		seen, found := map[uuid.UUID]int{}, []uuid.UUID(nil)
		err := w.verifier(l).All(t.Context(), func(id uuid.UUID, findings []verification.Finding, err error) {
			seen[id]++
			if err != nil {
				t.Errorf("%s was not checked: %v", id, err)
			}
			for _, f := range findings {
				found = append(found, f.TenantID)
			}
		})
		if err != nil || len(seen) != 7 || len(found) != 1 || found[0] != wrong || asked != 9 {
			t.Errorf("%v: seen %v, findings about %v, %d calls", err, seen, found, asked)
		}
		for id, n := range seen {
			if n != 1 {
				t.Errorf("%s was reported %d times", id, n)
			}
		}
	})
	t.Run("RetryEndsWithContext", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.clinics(4)
		ctx, cancel := context.WithCancel(t.Context())
		asked := 0
		l := &ledger{answer: func(tenant.Tenant) error {
			if asked++; asked == 4 { // The first probe.
				cancel()
			}
			return errs.Errorf(errs.KindTransient, "verify", "the network does not answer")
		}}
		err := w.verifier(l).All(ctx, func(uuid.UUID, []verification.Finding, error) {})
		if asked != 4 || !errors.Is(err, context.Canceled) {
			t.Errorf("asked %d times: %v", asked, err)
		}
	})
	t.Run("StopsOnRequest", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.clinics(3)
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		err := w.verifier(&ledger{}).All(ctx, func(id uuid.UUID, _ []verification.Finding, _ error) {
			if n++; id != uuid.Nil {
				cancel()
			}
		})
		if n != 2 || !errors.Is(err, context.Canceled) {
			t.Errorf("%d checks, %v", n, err)
		}
	})
}
