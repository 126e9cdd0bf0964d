package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/postgrestest"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/testenv"
)

// wantMessage checks kind and message of an error, and that it has no secret.
func wantMessage(t *testing.T, err error, kind errs.Kind, parts ...string) {
	t.Helper()
	postgrestest.WantKind(t, err, kind)
	m := errs.SafeMessage(err)
	for _, part := range parts {
		if !strings.Contains(m, part) {
			t.Errorf("message %q, want %q", m, part)
		}
	}
	for _, secret := range []string{"s3cret", "SELECT", "127.0.0.1"} {
		if strings.Contains(m, secret) {
			t.Errorf("message %q has %s", m, secret)
		}
	}
}

// TestClassify_Messages has the errors as pgx gives them.
func TestClassify_Messages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     pgconn.PgError
		kind    errs.Kind
		message string
	}{
		"Cancelled":        {pgconn.PgError{Code: "57014"}, errs.KindTransient, "statement_timeout"},
		"Shutdown":         {pgconn.PgError{Code: "57P01"}, errs.KindTransient, "starting or stopping"},
		"ChangedPlan":      {pgconn.PgError{Code: "0A000", Routine: "RevalidateCachedQuery", Message: "im Cache gespeicherter Plan"}, errs.KindTransient, "prepares them again"},
		"NotSupported":     {pgconn.PgError{Code: "0A000"}, errs.KindPermanent, "0A000"},
		"Concurrent":       {pgconn.PgError{Code: "XX000", Routine: "simple_heap_update", Message: "Tupel"}, errs.KindTransient, "busy"},
		"MissingFile":      {pgconn.PgError{Code: "58P01", Message: "s3cret"}, errs.KindPermanent, "a library of an extension"},
		"DiskFull":         {pgconn.PgError{Code: "53100"}, errs.KindTransient, "disk is full"},
		"ReadOnly":         {pgconn.PgError{Code: "25006"}, errs.KindTransient, "standby"},
		"NoStatement":      {pgconn.PgError{Code: "26000"}, errs.KindPermanent, "DATABASE_DIRECT_URL"},
		"StatementExists":  {pgconn.PgError{Code: "42P05"}, errs.KindPermanent, "DATABASE_DIRECT_URL"},
		"OtherStatement":   {pgconn.PgError{Code: "08P01", Message: `bind message supplies 1 parameters, but prepared statement "s3cret" requires 2`}, errs.KindPermanent, "DATABASE_DIRECT_URL"},
		"StartParameter":   {pgconn.PgError{Code: "08P01", Message: "unsupported startup parameter: work_mem"}, errs.KindPermanent, "parameter work_mem; remove it"},
		"OptionsParameter": {pgconn.PgError{Code: "08P01", Message: "unsupported startup parameter in options: work_mem"}, errs.KindPermanent, "parameter work_mem; remove it"},
		"HostileParameter": {pgconn.PgError{Code: "08P01", Message: "unsupported startup parameter: s3cret s3cret"}, errs.KindTransient, "pooler"},
		"StatementMode":    {pgconn.PgError{Code: "08P01", Message: "transaction blocks not allowed in statement pooling mode"}, errs.KindPermanent, "statement mode"},
		"PoolerFull":       {pgconn.PgError{Code: "08P01", Message: "no more connections allowed (max_client_conn)"}, errs.KindTransient, "pooler is out of connections"},
		"PoolerWait":       {pgconn.PgError{Code: "08P01", Message: "query_wait_timeout"}, errs.KindTransient, "pooler is out of connections"},
		"PoolerLogin":      {pgconn.PgError{Code: "08P01", Message: "no such user: s3cret"}, errs.KindPermanent, "the pooler refused the login"},
		"PoolerServer":     {pgconn.PgError{Code: "08P01", Message: "server login has been failing, try again later (server_login_retry)"}, errs.KindTransient, "the pooler cannot connect"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantMessage(t, pgdb.Classify(errors.Join(&c.err), "test"), c.kind, c.message)
		})
	}
}

// TestDB_ServerMessages has errors of the real server.
func TestDB_ServerMessages(t *testing.T) {
	t.Parallel()
	t.Run("ChangedPlanIsPreparedAgain", func(t *testing.T) {
		b := setup(t)
		b.Exec(`CREATE TABLE changing (a int)`)
		conn, err := b.Pool().Acquire(t.Context())
		b.Must(err)
		defer conn.Release()
		read := func() error {
			rows, _ := conn.Query(t.Context(), `SELECT * FROM changing WHERE a > $1`, 0)
			_, err := pgx.CollectRows(rows, pgx.RowToMap)
			return err
		}
		b.Must(read())
		b.Exec(`ALTER TABLE changing ADD COLUMN b int`)
		wantMessage(t, pgdb.Classify(read(), "read"), errs.KindTransient, "prepares them again")
		b.Must(read())
	})
	for name, c := range map[string]struct {
		statements string
		kind       errs.Kind
		message    string
	}{
		"NoStatement":     {`EXECUTE nope`, errs.KindPermanent, "DATABASE_DIRECT_URL"},
		"StatementExists": {`PREPARE p AS SELECT 1; PREPARE p AS SELECT 1`, errs.KindPermanent, "DATABASE_DIRECT_URL"},
		"MissingLibrary":  {`CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'n0where'`, errs.KindPermanent, "a library of an extension"},
		"Cancelled":       {`SET statement_timeout = 1; SELECT pg_sleep(10)`, errs.KindTransient, "statement_timeout"},
		"ReadOnly":        {`BEGIN READ ONLY; CREATE TABLE x ()`, errs.KindTransient, "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := testenv.Connect(t, testenv.SuperuserURL(t, testenv.EmptyDatabase(t)))
			_, err := conn.PgConn().Exec(t.Context(), c.statements).ReadAll()
			wantMessage(t, pgdb.Classify(err, "test"), c.kind, c.message)
		})
	}
}

// authority makes certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	certificate := a.issue(template)
	key, ok := certificate.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("a key of type %T", certificate.PrivateKey)
	}
	a.cert, a.key = certificate.Leaf, key
	return a
}

// issue signs a certificate; the first one, which is the authority's, with its own key.
func (a *authority) issue(template *x509.Certificate) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// file stores the authority's certificate for sslrootcert.
func (a *authority) file() string {
	a.t.Helper()
	path := filepath.Join(a.t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	return path
}

// withTLS is the URL of a database behind a proxy that speaks TLS with a certificate.
func withTLS(t *testing.T, database string, certificate tls.Certificate) *url.URL {
	t.Helper()
	listener, u, target := testenv.ListenBefore(t, database)
	serve := func(raw net.Conn) {
		defer func() { _ = raw.Close() }()
		if _, err := io.ReadFull(raw, make([]byte, 8)); err != nil { // The request for TLS.
			return
		}
		if _, err := raw.Write([]byte("S")); err != nil {
			return
		}
		client := tls.Server(raw, &tls.Config{Certificates: []tls.Certificate{certificate}})
		server, err := net.Dial("tcp", target)
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(server, client); _ = server.Close() }()
		_, _ = io.Copy(client, server)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return u
}

func TestDB_TLSMessages(t *testing.T) {
	t.Parallel()
	database := testenv.Database(t)
	ca, other := newAuthority(t), newAuthority(t)
	certificate := func(ends time.Time, name string) tls.Certificate {
		return ca.issue(&x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: ends, DNSNames: []string{name}})
	}
	valid := certificate(time.Now().Add(time.Hour), "localhost")
	for name, c := range map[string]struct {
		certificate tls.Certificate
		query       string
		kind        errs.Kind
		message     string
	}{
		"Works":           {valid, "sslmode=verify-full&sslrootcert=" + ca.file(), "", ""},
		"WrongAuthority":  {valid, "sslmode=verify-full&sslrootcert=" + other.file(), errs.KindPermanent, "not from an authority that is trusted here; give the authority's certificate in sslrootcert"},
		"OnlyAuthority":   {valid, "sslmode=verify-ca&sslrootcert=" + other.file(), errs.KindPermanent, "not from an authority that is trusted here"},
		"NoAuthority":     {valid, "sslmode=verify-full", errs.KindPermanent, "not from an authority that is trusted here"},
		"WrongHost":       {certificate(time.Now().Add(time.Hour), "db.example"), "sslmode=verify-full&sslrootcert=" + ca.file(), errs.KindPermanent, "for another host name"},
		"Expired":         {certificate(time.Now().Add(-time.Hour), "localhost"), "sslmode=verify-full&sslrootcert=" + ca.file(), errs.KindPermanent, "has expired"},
		"MissingCAFile":   {valid, "sslmode=verify-full&sslrootcert=/n0where/ca.pem", errs.KindInvalid, "/n0where/ca.pem"},
		"MissingKeyFile":  {valid, "sslmode=require&sslcert=" + ca.file() + "&sslkey=/n0where/key.pem", errs.KindInvalid, "/n0where/key.pem"},
		"DirectoryAsFile": {valid, "sslmode=verify-full&sslrootcert=" + t.TempDir(), errs.KindInvalid, "sslrootcert"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := withTLS(t, database, c.certificate)
			u.Host = "localhost:" + u.Port()
			u.RawQuery = c.query
			db, err := postgres.Open(t.Context(), pgdb.Options{URL: u.String()})
			if err == nil {
				t.Cleanup(db.Close)
				_, err = db.List(t.Context(), tenant.ListQuery{Limit: 1})
			}
			wantMessage(t, err, c.kind, c.message)
		})
	}
}

// signalHandler closes a channel with the first record.
type signalHandler struct {
	slog.Handler
	logged chan string
}

func (h signalHandler) Enabled(context.Context, slog.Level) bool { return true }

func (h signalHandler) Handle(_ context.Context, r slog.Record) error {
	select {
	case h.logged <- r.Message:
	default:
	}
	return nil
}

// TestDB_WaitsForConnection: at a start, a server without a free connection is waited for.
func TestDB_WaitsForConnection(t *testing.T) {
	t.Parallel()
	open := func(t *testing.T, answer time.Duration) (*postgres.DB, *pgx.Conn, <-chan string) {
		t.Helper()
		database := testenv.Database(t)
		user := createLoginRole(t, "CONNECTION LIMIT 1", database)
		connection := openAs(t, database, user, nil).Pool().Config().ConnString()
		taken := testenv.Connect(t, connection)
		logged := make(chan string, 1)
		db, err := postgres.Open(t.Context(), pgdb.Options{
			URL: connection, AnswerTimeout: answer, ManualMigrate: true,
			Logger: slog.New(signalHandler{slog.DiscardHandler, logged}),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(db.Close)
		return db, taken, logged
	}
	t.Run("UntilOneIsFree", func(t *testing.T) {
		t.Parallel()
		db, taken, logged := open(t, time.Minute)
		first := make(chan error, 1)
		go func() {
			_, err := db.List(context.WithoutCancel(t.Context()), tenant.ListQuery{Limit: 1})
			first <- err
		}()
		select {
		case m := <-logged:
			if !strings.Contains(m, "out of connections") {
				t.Errorf("logged %q", m)
			}
		case err := <-first:
			t.Fatalf("it did not wait: %v", err)
		}
		if err := taken.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-first; errs.KindOf(err) == errs.KindTransient {
			t.Error(err)
		}
	})
	t.Run("NotForEver", func(t *testing.T) {
		t.Parallel()
		db, _, _ := open(t, 500*time.Millisecond)
		_, err := db.List(t.Context(), tenant.ListQuery{Limit: 1})
		wantMessage(t, err, errs.KindTransient, "out of connections", "none became free in 1s")
	})
}
