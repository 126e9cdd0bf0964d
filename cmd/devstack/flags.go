//go:build unix

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/buildinfo"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stellarnet"
)

// version is set by the release build.
var version = ""

const usage = `Usage: devstack [flags] [-- command [args...]]

Starts PostgreSQL, a local Stellar network and a mail catcher on free ports of
this machine. With a command: runs it with the settings in its environment,
stops everything when it ends, and exits with its status. Without one: runs
until it is interrupted, and writes the settings to standard output, or to the
file of --env-file.

Flags:
  --data DIR               keep PostgreSQL's data, the ledger and the deployer's
                           key in DIR, for the next start
  --env-file PATH          write the settings to PATH, as lines export NAME='value',
                           once everything is ready; removed at exit
  --ledger-close DURATION  time between two ledgers (default 1s; public
                           networks take 5s to 6s)
  --help, --version

Examples:
  devstack -- terraform apply
  devstack --env-file stack.env &      then, once the file is there: . ./stack.env
  devstack --ledger-close 5s -- go test ./...

The command's environment has DATABASE_URL and the DB_ variables, SOROBAN_NETWORK,
SOROBAN_RPC_URL, SOROBAN_NETWORK_PASSPHRASE, SOROBAN_CONTRACT_DEPLOYER_SECRET (an
account with funds), FRIENDBOT_URL, the MAIL_ variables, MAIL_CATCHER_URL (open it
in a browser; GET /messages for JSON) and APP_URL.

POST $SOROBAN_RPC_URL/control/close?ledgers=N closes N ledgers of the Stellar network
at once, up to millions, to test effects of time.

DEVSTACK_POSTGRES_MIRROR is the base address of a Maven repository from which
PostgreSQL is downloaded instead of Maven Central, when this machine has none.
`

// errHelpPrinted is returned by parse after it has printed help or version.
var errHelpPrinted = errors.New("help printed")

type flags struct {
	dataDir, envFile string
	ledgerClose      time.Duration
	command          []string
}

func parseFlags(args []string, stdout, stderr io.Writer) (flags, error) {
	var (
		f           flags
		showVersion bool
		set         = flag.NewFlagSet("devstack", flag.ContinueOnError)
	)
	set.SetOutput(io.Discard) // The errors are printed here, in one format.
	set.StringVar(&f.dataDir, "data", "", "")
	set.StringVar(&f.envFile, "env-file", "", "")
	set.DurationVar(&f.ledgerClose, "ledger-close", stellarnet.DefaultLedgerClose, "")
	set.BoolVar(&showVersion, "version", false, "")
	err := set.Parse(args)
	f.command = set.Args()
	switch {
	case errors.Is(err, flag.ErrHelp):
		_, _ = fmt.Fprint(stdout, usage)
		return f, errHelpPrinted
	case err == nil && showVersion:
		_, _ = fmt.Fprintf(stdout, "devstack %s (%s, %s/%s)\n", buildVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return f, errHelpPrinted
	case err == nil && f.ledgerClose <= 0:
		err = fmt.Errorf("--ledger-close is %v; give a time such as 1s", f.ledgerClose)
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "devstack: %v\nRun devstack --help for its options.\n", err)
	}
	return f, err
}

func buildVersion() string { return buildinfo.Version(version) }
