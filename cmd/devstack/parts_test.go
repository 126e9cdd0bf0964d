//go:build unix

package main_test

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/smtp"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// otherInterface is an address of this machine that is not the one that servers have by
// default.
const otherInterface = "127.0.0.2"

// TestParts starts some of the parts as a container does, on ports that others know, and
// sends mail with the authority's file alone.
func TestParts(t *testing.T) {
	t.Parallel()
	b := setup(t, accounts[0])
	data, file := filepath.Join(b.tmp, "data"), filepath.Join(b.tmp, "stack.env")
	rpc, smtpPort, mailPort := testenv.FreePort(t), testenv.FreePort(t), testenv.FreePort(t)
	args := []string{
		"--only", "stellar,mail", "--all-interfaces", "--stellar-port", rpc, "--smtp-port", smtpPort, "--mail-port", mailPort,
		"--mail-tls", "stack.internal", "--data", data, "--env-file", file,
	}
	r := b.start(t, args...)
	readLineWith(t, r.stderr, "the settings are in")
	env := settings(t.Context(), t, file)
	for name, want := range map[string]string{
		"DATABASE_URL": "", "SOROBAN_RPC_URL": "http://127.0.0.1:" + rpc, "MAIL_HOST": "127.0.0.1", "MAIL_PORT": smtpPort,
		"MAIL_CATCHER_URL": "http://127.0.0.1:" + mailPort, "MAIL_TLS": "mandatory", "MAIL_CA_FILE": filepath.Join(data, "mail-ca.pem"),
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	seed, err := os.ReadFile(filepath.Join(data, "deployer.key"))
	if err != nil || strings.TrimSpace(string(seed)) != env["SOROBAN_CONTRACT_DEPLOYER_SECRET"] {
		t.Errorf("the deployer's key is not in the folder: %v", err)
	}
	sendWithTLS(t, net.JoinHostPort(otherInterface, smtpPort), env["MAIL_CA_FILE"])
	var messages []struct{ Subject string }
	fetch(t, "GET", "http://"+net.JoinHostPort(otherInterface, mailPort)+"/messages", "", &messages)
	if len(messages) != 1 || messages[0].Subject != "hi" {
		t.Errorf("caught %+v", messages)
	}
	var answer struct{ Result struct{ Passphrase string } }
	fetch(t, "POST", "http://"+net.JoinHostPort(otherInterface, rpc), `{"jsonrpc":"2.0","id":1,"method":"getNetwork"}`, &answer)
	if answer.Result.Passphrase != env["SOROBAN_NETWORK_PASSPHRASE"] {
		t.Errorf("passphrase %q", answer.Result.Passphrase)
	}

	_, stderr, status := b.run(t, "--only", "mail", "--data", data)
	if status != 1 || !strings.Contains(stderr, "is in use by another process") {
		t.Errorf("a second stack on the same data: status %d, %s", status, stderr)
	}
	authority, err := os.ReadFile(env["MAIL_CA_FILE"])
	if err != nil {
		t.Fatal(err)
	}
	if status := r.signal(t, syscall.SIGTERM); status != 0 {
		t.Errorf("status %d", status)
	}
	r = b.start(t, args...)
	readLineWith(t, r.stderr, "the settings are in")
	if again, err := os.ReadFile(env["MAIL_CA_FILE"]); err != nil || string(again) != string(authority) {
		t.Errorf("the authority changed with the restart: %v", err)
	}
	sendWithTLS(t, net.JoinHostPort(otherInterface, smtpPort), env["MAIL_CA_FILE"])
	if status := r.signal(t, syscall.SIGTERM); status != 0 {
		t.Errorf("status %d", status)
	}
}

// sendWithTLS sends a mail as a program does that trusts the authority in the file alone.
func sendWithTLS(t *testing.T, address, caFile string) {
	t.Helper()
	authority, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authority) {
		t.Fatalf("%s has no certificate", caFile)
	}
	client, err := smtp.Dial(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := client.Mail("a@b.example"); err == nil {
		t.Error("mail is accepted without TLS")
	}
	if err := client.StartTLS(&tls.Config{RootCAs: roots, ServerName: "stack.internal", MinVersion: tls.VersionTLS12}); err != nil {
		t.Fatal(err)
	}
	if err := client.Mail("a@b.example"); err != nil {
		t.Fatal(err)
	}
	if err := client.Rcpt("c@d.example"); err != nil {
		t.Fatal(err)
	}
	w, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("Subject: hi\r\n\r\nhello\r\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestParts_PostgresOnAllInterfaces connects to an address, and from one, that the server
// does not have by default.
func TestParts_PostgresOnAllInterfaces(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]bool{"Open": true, "ByDefault": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, accounts[0])
			file, port := filepath.Join(b.tmp, "stack.env"), testenv.FreePort(t)
			args := []string{"--only", "postgres", "--postgres-port", port, "--env-file", file}
			if open {
				args = append(args, "--all-interfaces")
			}
			r := b.start(t, args...)
			readLineWith(t, r.stderr, "the settings are in")
			env := settings(t.Context(), t, file)
			if env["DB_PORT"] != port || env["SOROBAN_NETWORK"] != "" || env["MAIL_HOST"] != "" {
				t.Errorf("settings %v", env)
			}
			config, err := pgx.ParseConfig(env["DATABASE_URL"])
			if err != nil {
				t.Fatal(err)
			}
			config.Host = otherInterface
			config.DialFunc = (&net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 3)}}).DialContext
			conn, err := pgx.ConnectConfig(t.Context(), config)
			if open != (err == nil) {
				t.Errorf("connection from another address: %v", err)
			}
			if err == nil {
				_ = conn.Close(t.Context())
				config.Password = "wrong"
				if _, err := pgx.ConnectConfig(t.Context(), config); err == nil {
					t.Error("a wrong password is accepted")
				}
			}
			if status := r.signal(t, syscall.SIGTERM); status != 0 {
				t.Errorf("status %d", status)
			}
		})
	}
}

func TestParts_Usage(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args  []string
		fault string
	}{
		"UnknownPart":    {[]string{"--only", "redis"}, "give some of postgres,stellar,mail"},
		"PartTwice":      {[]string{"--only", "mail,mail"}, "each once"},
		"NoPart":         {[]string{"--only", ""}, "give some of postgres,stellar,mail"},
		"PortZero":       {[]string{"--smtp-port", "0"}, "give a port from 1 to 65535"},
		"PortTooHigh":    {[]string{"--stellar-port", "65536"}, "give a port from 1 to 65535"},
		"TLSWithoutData": {[]string{"--mail-tls", "mail.internal"}, "--mail-tls needs --data DIR"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, stderr, status := setup(t, accounts[0]).run(t, c.args...); status != 2 || !strings.Contains(stderr, c.fault) {
				t.Errorf("status %d, want 2 and %q:\n%s", status, c.fault, stderr)
			}
		})
	}
}
