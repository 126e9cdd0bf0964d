// Package logins stores short-lived database logins and creates and drops their roles.
//
// A login goes through four states: open, closed (or expired), ended and dropped. It is
// ended once it cannot connect and has no session; that comes first, for all that are due.
// Dropping its role can fail for a long time, and is tried again with a growing delay.
package logins

import (
	"context"
	"crypto/rand"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/dbroles"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/pgdb"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/tenantrow"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Logins creates, renews and drops short-lived database logins.
type Logins struct{ db *pgdb.DB }

// New returns the logins of a database.
func New(db *pgdb.DB) *Logins { return &Logins{db} }

// Prefix begins the names of all logins. Roles belong to the whole server,
// so what follows is random.
const Prefix = "healthcare_login_"

// maxConnections is how many sessions one login can have at a time, so that it cannot take
// all connections of the server.
const maxConnections = 20

// dropWithOpen is how many ended logins are dropped when another one is opened: more
// than one, so that they do not become more, and few, so that it does not take long.
const dropWithOpen = 5

// OpenCredential creates a login that has the privileges of the tenant's role.
func (s *Logins) OpenCredential(ctx context.Context, tenantID uuid.UUID, r credentials.Request) (credentials.Credential, error) {
	const op = "open login"
	if _, err := s.db.ReadyPool(ctx); err != nil {
		return credentials.Credential{}, err
	}
	// Without a worker, only this ends expired sessions. A login that cannot be ended or
	// dropped is tried again later and does not prevent new logins.
	_ = s.endDue(ctx)
	_, _, _ = s.dropDue(ctx, dropWithOpen)
	l, err := newLogin(tenantID, tenant.Password(rand.Text()+rand.Text()))
	if err != nil {
		return credentials.Credential{}, err
	}
	l.reason = r.Reason
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		t, err := tenantrow.Lock(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		if t.Tenant.Status != tenant.StatusActive {
			return t.Tenant.TransitionError(op, "opening a login for its schema")
		}
		return s.open(ctx, tx, t.Tenant, &l, r.TTL)
	})
	if err != nil {
		return credentials.Credential{}, err
	}
	return l.Credential, nil
}

// login is a login that is being opened.
type login struct {
	credentials.Credential
	verifier  string     // Of the password.
	webhookID *uuid.UUID // Of the own step that it is for; nil: a caller opens it.
	step      string     // The name of that step.
	reason    string     // Of the caller; "": none was given.
}

func newLogin(tenantID uuid.UUID, password tenant.Password) (login, error) {
	verifier, err := scramVerifier(password.Reveal())
	if err != nil {
		return login{}, errs.Wrap(err, errs.KindPermanent, "open login", "the password cannot be prepared")
	}
	return login{verifier: verifier, Credential: credentials.Credential{
		ID: uuid.Must(uuid.NewV7()), TenantID: tenantID, Password: password, Username: Prefix + strings.ToLower(rand.Text()),
	}}, nil
}

// open records and creates a login of a locked tenant.
func (s *Logins) open(ctx context.Context, tx pgx.Tx, t tenant.Tenant, l *login, ttl time.Duration) error {
	s.locate(tx, t, &l.Credential)
	if err := tx.QueryRow(ctx, `INSERT INTO tenant_credentials (id, tenant_id, username, expires_at, webhook_id)
		VALUES ($1, $2, $3, date_trunc('second', now() + $4::interval), $5) RETURNING expires_at`,
		l.ID, t.ID, l.Username, ttl, l.webhookID).Scan(&l.ExpiresAt); err != nil {
		return err
	}
	if err := createLogin(ctx, tx, t, l.Credential, l.verifier); err != nil {
		return err
	}
	detail := credentialDetail(l.ID, l.Username, l.ExpiresAt)
	for name, text := range map[string]string{"reason": l.reason, "step": l.step} {
		if text != "" {
			detail[name] = text
		}
	}
	return auditlog.Append(ctx, tx, t.ID, audit.ActionOpenCredential, detail)
}

// locate notes where a login connects.
func (s *Logins) locate(tx pgx.Tx, t tenant.Tenant, c *credentials.Credential) {
	c.SchemaName, c.Database = t.SchemaName, tx.Conn().Config().Database
	c.Host, c.Port = s.db.Address(tx.Conn())
}

func createLogin(ctx context.Context, tx pgx.Tx, t tenant.Tenant, c credentials.Credential, verifier string) error {
	name := pgx.Identifier{c.Username}.Sanitize()
	secret, err := literal(tx, verifier)
	if err != nil {
		return err
	}
	until, err := validUntil(tx, c.ExpiresAt)
	if err != nil {
		return err
	}
	connectRole, err := dbroles.ConnectRole(ctx, tx)
	if err != nil {
		return err
	}
	for _, statement := range []string{
		`CREATE ROLE ` + name + ` LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT ` +
			strconv.Itoa(maxConnections) + ` PASSWORD ` + secret + until,
		`ALTER ROLE ` + name + ` SET search_path TO ` + pgx.Identifier{t.SchemaName}.Sanitize(),
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return dbroles.Grant(ctx, tx, c.Username, t.DatabaseRole, connectRole)
}

// validUntil is the clause for the end of a login.
func validUntil(tx pgx.Tx, end time.Time) (string, error) {
	text, err := literal(tx, end.UTC().Format(time.RFC3339))
	return ` VALID UNTIL ` + text, err
}

// literal quotes a value for a statement that takes no parameters, such as CREATE ROLE.
func literal(tx pgx.Tx, value string) (string, error) {
	text, err := tx.Conn().PgConn().EscapeString(value)
	return `'` + text + `'`, err
}

func credentialDetail(id uuid.UUID, username string, expiresAt time.Time) map[string]any {
	return map[string]any{"credentialId": id, "username": username, "expiresAt": expiresAt.UTC().Format(time.RFC3339)}
}

// RenewCredential extends a login that has not expired.
func (s *Logins) RenewCredential(ctx context.Context, tenantID, id uuid.UUID, ttl time.Duration) (time.Time, error) {
	const op = "renew login"
	var expiresAt time.Time
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		if _, err := tenantrow.Lock(ctx, tx, tenantID); err != nil {
			return err
		}
		var username string
		err := tx.QueryRow(ctx, `UPDATE tenant_credentials SET expires_at = date_trunc('second', now() + $3::interval)
			WHERE id = $1 AND tenant_id = $2 AND closed_at IS NULL AND expires_at > now() RETURNING username, expires_at`,
			id, tenantID, ttl).Scan(&username, &expiresAt)
		if errors.Is(err, pgx.ErrNoRows) {
			return errs.Errorf(errs.KindNotFound, op, "the login has expired; open another one")
		}
		if err != nil {
			return err
		}
		until, err := validUntil(tx, expiresAt)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `ALTER ROLE `+pgx.Identifier{username}.Sanitize()+until); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, tenantID, audit.ActionRenewCredential, credentialDetail(id, username, expiresAt))
	})
	return expiresAt, err
}
