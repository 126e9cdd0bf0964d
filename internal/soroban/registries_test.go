package soroban_test

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stellar/go-stellar-sdk/keypair"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/soroban"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/txlog"
)

// TestDeployer_TwoRegistries: two platforms may have one deployer without knowing of each
// other. Their channels differ, each fee is in one transaction log, and each transaction in
// one, also when both upload the code at the same time.
func TestDeployer_TwoRegistries(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ tenants, channels int }{
		"HundredTenantsInEach": {100, 12},
		"WithoutChannels":      {6, 0},
	} {
		t.Run(name, func(t *testing.T) {
			first := setup(t)
			second := first.inAnotherRegistry()
			var both sync.WaitGroup
			for _, b := range []*testBundle{first, second} {
				both.Go(func() { b.deployPatiently(c.tenants, b.deployer(channels(c.channels))) })
			}
			both.Wait()
			fees, left, uploads := int64(0), int64(first.account().Balance), 0
			addresses, hashes := map[string]bool{}, map[string]bool{}
			for _, b := range []*testBundle{first, second} {
				log := b.registry.TransactionLog()
				if n := len(log.Of(txlog.PurposeCreate).In(txlog.StateSucceeded).Contracts()); n != c.tenants || len(log.In(txlog.StateSigned)) != 0 {
					t.Errorf("%d contracts of %d tenants; %v", n, c.tenants, b.count())
				}
				uploads += len(log.Of(txlog.PurposeUpload).In(txlog.StateSucceeded))
				fees += log.Fees()
				for _, x := range log {
					hashes[x.Hash] = true
				}
				for i := range c.channels {
					address := b.channelKey(i).Address()
					addresses[address] = true
					left += int64(b.accountOf(address).Balance)
				}
			}
			if uploads != 1 || len(addresses) != 2*c.channels {
				t.Errorf("%d uploads, %d channels", uploads, len(addresses))
			}
			if all := len(first.registry.TransactionLog()) + len(second.registry.TransactionLog()); len(hashes) != all {
				t.Errorf("%d transactions, %d in the logs", len(hashes), all)
			}
			if paid := funding - left; paid != fees {
				t.Errorf("deployer and channels paid %d stroops, %d are in the two logs", paid, fees)
			}
		})
	}
}

// deployPatiently deploys for that many tenants at once and repeats what failed for a while, as
// the queue does: without channels the registries compete for the deployer's sequence numbers.
func (b *testBundle) deployPatiently(tenants int, d *soroban.Deployer) {
	var all sync.WaitGroup
	for range tenants {
		run := b.begin()
		all.Go(func() {
			var err error
			for range 20 {
				if _, err = d.Deploy(b.t.Context(), run.Tenant, b.db.TransactionLog(run)); errs.KindOf(err) != errs.KindTransient {
					break
				}
			}
			if err != nil {
				b.t.Error(err)
			}
		})
	}
	all.Wait()
}

// inAnotherRegistry is the same network and deployer with another registry.
func (b *testBundle) inAnotherRegistry() *testBundle {
	b.t.Helper()
	other := *b
	other.names = new(atomic.Int64)
	other.openRegistry(testenv.EmptyDatabase(b.t)) // The template of Database is one registry.
	return &other
}

// TestGuide_ChannelKey: the guide's program prints the key that is used.
func TestGuide_ChannelKey(t *testing.T) {
	b := setup(t)
	python, err := exec.LookPath("python3")
	if err != nil {
		testenv.SkipUnlessCI(t, "python3 is not installed")
	}
	guide, err := os.ReadFile("../../docs/guides/stellar-operations.md")
	b.must(err)
	_, program, _ := strings.Cut(string(guide), "```python\n")
	program, _, _ = strings.Cut(program, "```")
	registry, err := b.db.SystemLog().RegistryID(t.Context())
	b.must(err)
	command := exec.CommandContext(t.Context(), python, "-c", program, "3")
	command.Env = []string{"SOROBAN_CONTRACT_DEPLOYER_SECRET=" + b.key.Seed(), "REGISTRY_ID=" + registry.String()}
	printed, err := command.Output()
	b.must(err)
	if key, err := keypair.ParseFull(strings.TrimSpace(string(printed))); err != nil || key.Address() != b.channelKey(3).Address() {
		t.Errorf("another key, or none (%v)", err)
	}
}
