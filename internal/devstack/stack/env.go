//go:build unix

package stack

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/devstack/pgserver"
)

// The variables that only a stack sets.
const (
	FriendbotURL   = "FRIENDBOT_URL"    // Funds accounts: GET ?addr=G...
	MailCatcherURL = "MAIL_CATCHER_URL" // The caught mail, see package mailcatcher.
)

// removedVariables are variables that do not work with a stack, such as a login for
// mail.
var removedVariables = []string{
	config.MailUser, config.MailPassword, config.MailCAFile,
	config.MailOAuthTokenURL, config.MailOAuthClientID, config.MailOAuthSecret, config.MailOAuthScope,
}

// Env returns the product's settings for the parts of this stack, as NAME=value.
func (s *Stack) Env() []string {
	var env []string
	if s.Postgres != nil {
		env = append(env,
			config.DatabaseURL+"="+s.Postgres.OwnerURL(Database),
			config.DatabaseHost+"=127.0.0.1",
			config.DatabasePort+"="+strconv.Itoa(s.Postgres.Port()),
			config.DatabaseUser+"="+pgserver.Owner,
			config.DatabasePassword+"="+s.Postgres.Password(),
			config.DatabaseName+"="+Database,
			config.DatabaseSSLMode+"=disable",
		)
	}
	if s.Stellar != nil {
		env = append(env,
			config.SorobanNetwork+"=local",
			config.SorobanRPCURL+"="+onLoopback(s.Stellar.RPCURL()),
			config.SorobanPassphrase+"="+s.Stellar.Passphrase(),
			config.SorobanDeployerSecret+"="+s.Deployer.Seed(),
			FriendbotURL+"="+onLoopback(s.Stellar.FriendbotURL()),
		)
	}
	if s.MailCatcher != nil {
		env = append(env, s.mailEnv()...)
	}
	return append(env, config.AppURL+"=http://127.0.0.1:3000")
}

func (s *Stack) mailEnv() []string {
	env := []string{
		config.MailHost + "=" + onLoopback(s.MailCatcher.SMTPHost()),
		config.MailPort + "=" + strconv.Itoa(s.MailCatcher.SMTPPort()),
		config.MailFrom + "=Healthcare Platform <no-reply@platform.example>",
		MailCatcherURL + "=" + onLoopback(s.MailCatcher.URL()),
	}
	if s.mailTLS == nil {
		return append(env, config.MailTLS+"="+config.TLSNone)
	}
	return append(env, config.MailTLS+"="+config.TLSMandatory, config.MailCAFile+"="+s.mailTLS.caFile)
}

// onLoopback replaces the address of all interfaces in an address or a URL, because
// nobody connects to it.
func onLoopback(address string) string {
	if address == "::" {
		return "127.0.0.1"
	}
	return strings.NewReplacer("[::]", "127.0.0.1", "0.0.0.0", "127.0.0.1").Replace(address)
}

// EnvOver returns an environment in which the stack's settings replace others of the
// same name, and those that name a file with the setting, without the removedVariables.
func (s *Stack) EnvOver(environment []string) []string {
	env := s.Env()
	replaced := slices.Clone(removedVariables)
	for _, setting := range env {
		name, _, _ := strings.Cut(setting, "=")
		replaced = append(replaced, name)
	}
	remaining := slices.DeleteFunc(slices.Clone(environment), func(setting string) bool {
		name, _, _ := strings.Cut(setting, "=")
		return slices.Contains(replaced, strings.TrimSuffix(name, config.FileSuffix))
	})
	return append(remaining, env...)
}

// Export formats settings as lines for a POSIX shell: export NAME='value'.
func Export(env []string) string {
	var b strings.Builder
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`))
	}
	return b.String()
}
