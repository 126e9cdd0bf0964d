//go:build unix

package stack_test

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stellar/go-stellar-sdk/clients/rpcclient"
	protocol "github.com/stellar/go-stellar-sdk/protocols/rpc"
	"github.com/stellar/go-stellar-sdk/xdr"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
)

func start(t *testing.T, o stack.Options) *stack.Stack {
	t.Helper()
	s, err := stack.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// configSource reads settings as the product does.
func configSource(env []string) config.Source {
	return func(variable string) string {
		for _, setting := range env {
			if name, value, _ := strings.Cut(setting, "="); name == variable {
				return value
			}
		}
		return ""
	}
}

func TestStack(t *testing.T) {
	t.Parallel()
	parts := make(chan stack.Component, 3)
	s := start(t, stack.Options{LedgerClose: 100 * time.Millisecond, OnStarted: func(p stack.Component) { parts <- p }})
	close(parts)
	var names []string
	for p := range parts {
		names = append(names, p.Name)
		if p.Address == "" || p.Duration <= 0 {
			t.Errorf("part %+v", p)
		}
	}
	if slices.Sort(names); !slices.Equal(names, []string{"Mail catcher", "PostgreSQL", "Stellar network"}) {
		t.Errorf("parts %v", names)
	}
	t.Run("SettingsMatchProduct", func(t *testing.T) {
		t.Parallel()
		_, databaseErr := config.ReadDatabase(configSource(s.Env()))
		soroban, sorobanErr := config.ReadSoroban(configSource(s.Env()))
		_, mailErr := config.ReadMail(configSource(s.Env()))
		if err := errors.Join(databaseErr, sorobanErr, mailErr); err != nil {
			t.Error(err)
		}
		if soroban.RPCURL != s.Stellar.RPCURL() || soroban.Passphrase != s.Stellar.Passphrase() {
			t.Errorf("network %+v", soroban)
		}
	})
	t.Run("DeployerHasFunds", func(t *testing.T) {
		t.Parallel()
		if balance := deployerBalance(t, s); balance != stack.DeployerFunds {
			t.Errorf("the deployer has %d stroops, want %d", balance, int64(stack.DeployerFunds))
		}
	})
}

func deployerBalance(t *testing.T, s *stack.Stack) int64 {
	t.Helper()
	account := xdr.MustAddress(s.Deployer.Address())
	key, err := account.LedgerKey()
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := key.MarshalBinaryBase64()
	if err != nil {
		t.Fatal(err)
	}
	client := rpcclient.NewClient(s.Stellar.RPCURL(), nil)
	defer func() { _ = client.Close() }()
	answer, err := client.GetLedgerEntries(t.Context(), protocol.GetLedgerEntriesRequest{Keys: []string{encoded}})
	if err != nil || len(answer.Entries) != 1 {
		t.Fatalf("%d entries, error %v", len(answer.Entries), err)
	}
	var entry xdr.LedgerEntryData
	if err := xdr.SafeUnmarshalBase64(answer.Entries[0].DataXDR, &entry); err != nil {
		t.Fatal(err)
	}
	return int64(entry.MustAccount().Balance)
}

func TestStart_ReportsFailure(t *testing.T) {
	t.Parallel()
	if _, err := stack.Start(t.Context(), stack.Options{LedgerClose: -1}); err == nil {
		t.Error("a negative ledger time was accepted")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stack.Start(ctx, stack.Options{}); err == nil {
		t.Error("it started although the context has ended")
	}
}

func TestStack_EnvOver(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Options{})
	env := s.EnvOver([]string{"PATH=/bin", "DATABASE_URL=other", "MAIL_PASSWORD=x", "MAIL_USER=y", "DATABASE_URL_FILE=/x", "MAIL_PASSWORD_FILE=/x", "SOROBAN_MAX_FEE=7", "EMPTY="})
	for name, want := range map[string]string{"PATH": "/bin", "DATABASE_URL": s.Postgres.OwnerURL(stack.Database), "MAIL_PASSWORD": "", "MAIL_USER": "", "DATABASE_URL_FILE": "", "MAIL_PASSWORD_FILE": "", "SOROBAN_MAX_FEE": "7"} {
		if got := configSource(env)(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(s.Postgres.OwnerURL(stack.Database), pgserver.Owner) {
		t.Error("the user is missing")
	}
}

func TestExport_QuotesForShell(t *testing.T) {
	t.Parallel()
	value := "it's $HOME `x` \\ \"quoted\"\nand two lines"
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", stack.Export([]string{"A=" + value})+`printf %s "$A"`).Output()
	if err != nil || string(out) != value {
		t.Errorf("a shell reads %q, error %v, want %q", out, err, value)
	}
}
