//go:build unix

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/buildinfo"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/stack"
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
  --only PARTS             start these parts alone: some of postgres,stellar,mail
  --all-interfaces         let other machines connect, as from other containers; the
                           settings name this machine all the same
  --postgres-port, --stellar-port, --smtp-port, --mail-port PORT
                           use this port instead of a free one; --mail-port is the
                           catcher's page
  --mail-tls HOST          require STARTTLS with a certificate for HOST; its
                           authority is in DIR/mail-ca.pem, for MAIL_CA_FILE
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
	stack   stack.Options
	envFile string
	command []string
}

func parseFlags(args []string, stdout, stderr io.Writer) (flags, error) {
	var (
		f           flags
		showVersion bool
		set         = flag.NewFlagSet("devstack", flag.ContinueOnError)
	)
	set.SetOutput(io.Discard) // The errors are printed here, in one format.
	set.StringVar(&f.stack.DataDir, "data", "", "")
	set.StringVar(&f.envFile, "env-file", "", "")
	set.DurationVar(&f.stack.LedgerClose, "ledger-close", stellarnet.DefaultLedgerClose, "")
	set.Func("only", "", func(text string) (err error) {
		f.stack.Parts, err = parseParts(text)
		return err
	})
	set.BoolVar(&f.stack.AllInterfaces, "all-interfaces", false, "")
	for name, port := range map[string]*int{
		"postgres-port": &f.stack.PostgresPort, "stellar-port": &f.stack.StellarPort, "smtp-port": &f.stack.SMTPPort, "mail-port": &f.stack.MailPort,
	} {
		set.Func(name, "", func(text string) (err error) {
			*port, err = parsePort(text)
			return err
		})
	}
	set.StringVar(&f.stack.MailTLSHost, "mail-tls", "", "")
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
	case err == nil && f.stack.LedgerClose <= 0:
		err = fmt.Errorf("--ledger-close is %v; give a time such as 1s", f.stack.LedgerClose)
	case err == nil && f.stack.MailTLSHost != "" && f.stack.DataDir == "":
		err = errors.New("--mail-tls needs --data DIR, where its certificate is stored")
	}
	if err != nil {
		_, _ = fmt.Fprintf(stderr, "devstack: %v\nRun devstack --help for its options.\n", err)
	}
	return f, err
}

// parseParts reads a list of parts.
func parseParts(text string) ([]stack.Part, error) {
	var parts []stack.Part
	for name := range strings.SplitSeq(text, ",") {
		part := stack.Part(strings.TrimSpace(name))
		if !slices.Contains(stack.AllParts(), part) || slices.Contains(parts, part) {
			return nil, errors.New("give some of postgres,stellar,mail, each once")
		}
		parts = append(parts, part)
	}
	return parts, nil
}

func parsePort(text string) (int, error) {
	port, err := strconv.ParseUint(text, 10, 16)
	if err != nil || port == 0 {
		return 0, errors.New("give a port from 1 to 65535")
	}
	return int(port), nil
}

func buildVersion() string { return buildinfo.Version(version) }
