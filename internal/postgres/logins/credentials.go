// Package logins stores short-lived database logins and creates and drops their roles.
package logins

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/audit"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/postgres/auditlog"
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

// connectRole is the role whose members may connect to the database.
const connectRole = "healthcare_connect"

// sweepWithOpen is how many ended logins are dropped when another one is opened: more
// than one, so that they do not become more, and few, so that it does not take long.
const sweepWithOpen = 5

// OpenCredential creates a login that is a member of the tenant's role.
func (s *Logins) OpenCredential(ctx context.Context, tenantID uuid.UUID, ttl time.Duration) (credentials.Credential, error) {
	const op = "open login"
	if _, err := s.db.ReadyPool(ctx); err != nil {
		return credentials.Credential{}, err
	}
	// Without a worker, only this sweep ends expired sessions. A login that cannot be
	// dropped keeps its row and does not prevent new logins.
	_, _, _ = s.dropBatch(ctx, sweepWithOpen)
	password := rand.Text() + rand.Text()
	verifier, err := scramVerifier(password)
	if err != nil {
		return credentials.Credential{}, errs.Wrap(err, errs.KindPermanent, op, "the password cannot be prepared")
	}
	connConfig := s.db.Pool().Config().ConnConfig
	c := credentials.Credential{
		ID: uuid.Must(uuid.NewV7()), TenantID: tenantID, Password: tenant.Password(password),
		Username: Prefix + strings.ToLower(rand.Text()), Host: connConfig.Host, Port: int(connConfig.Port), Database: connConfig.Database,
	}
	err = s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		t, err := tenantrow.Lock(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		if t.Tenant.Status != tenant.StatusActive {
			return t.Tenant.Status.TransitionError(op, "opening a login for its schema")
		}
		c.SchemaName = t.Tenant.SchemaName
		if err := tx.QueryRow(ctx, `INSERT INTO tenant_credentials (id, tenant_id, username, expires_at)
			VALUES ($1, $2, $3, date_trunc('second', now() + $4::interval)) RETURNING expires_at`,
			c.ID, tenantID, c.Username, ttl).Scan(&c.ExpiresAt); err != nil {
			return err
		}
		if err := createLogin(ctx, tx, t.Tenant, c, verifier); err != nil {
			return err
		}
		return auditlog.Append(ctx, tx, tenantID, audit.ActionOpenCredential, credentialDetail(c.ID, c.Username, c.ExpiresAt))
	})
	if err != nil {
		return credentials.Credential{}, err
	}
	return c, nil
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
	for _, statement := range []string{
		`CREATE ROLE ` + name + ` LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS
			PASSWORD ` + secret + until + `
			IN ROLE ` + pgx.Identifier{t.DatabaseRole}.Sanitize() + `, ` + connectRole,
		`ALTER ROLE ` + name + ` SET search_path TO ` + pgx.Identifier{t.SchemaName}.Sanitize(),
	} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
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

// CloseCredential ends a login and its sessions and then drops it. If it cannot be
// dropped yet, the next sweep tries again; the login has no privileges by then.
func (s *Logins) CloseCredential(ctx context.Context, tenantID, id uuid.UUID) error {
	const op = "close login"
	var username string
	err := s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		username = ""
		locked, err := tenantrow.Lock(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		usernames, err := CloseLogins(ctx, tx, locked.Tenant, &id)
		if err == nil && len(usernames) > 0 {
			username = usernames[0]
		}
		return err
	})
	if err != nil || username == "" {
		return err
	}
	return s.DropLogin(ctx, username)
}

// CloseLogins revokes everything from a locked tenant's logins, or from one of them,
// and returns the names of those to drop. Open sessions lose their privileges with the
// commit.
func CloseLogins(ctx context.Context, tx pgx.Tx, t tenant.Tenant, credentialID *uuid.UUID) ([]string, error) {
	rows, _ := tx.Query(ctx, `SELECT c.id, c.username, c.closed_at IS NOT NULL, r.rolname IS NOT NULL, c.expires_at
		FROM tenant_credentials c LEFT JOIN pg_roles r ON r.rolname = c.username
		WHERE c.tenant_id = $1 AND ($2::uuid IS NULL OR c.id = $2) FOR UPDATE OF c`, t.ID, credentialID)
	type login struct {
		ID            uuid.UUID
		Username      string
		Closed, There bool
		Expires       time.Time
	}
	logins, err := pgx.CollectRows(rows, pgx.RowToStructByPos[login])
	if err != nil {
		return nil, err
	}
	var usernames []string
	for _, l := range logins {
		usernames = append(usernames, l.Username)
		if l.Closed {
			continue
		}
		if l.There {
			if err := revokeLogin(ctx, tx, l.Username); err != nil {
				return nil, err
			}
		}
		if _, err := tx.Exec(ctx, `UPDATE tenant_credentials SET closed_at = now() WHERE id = $1`, l.ID); err != nil {
			return nil, err
		}
		if err := auditlog.Append(ctx, tx, t.ID, audit.ActionCloseCredential, credentialDetail(l.ID, l.Username, l.Expires)); err != nil {
			return nil, err
		}
	}
	return usernames, nil
}

// revokeLogin removes password and memberships of a login.
func revokeLogin(ctx context.Context, tx pgx.Tx, username string) error {
	name := pgx.Identifier{username}.Sanitize()
	rows, _ := tx.Query(ctx, `SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
		JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = $1`, username)
	roles, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return err
	}
	if _, err := tx.Exec(ctx, `ALTER ROLE `+name+` NOLOGIN PASSWORD NULL`); err != nil {
		return err
	}
	for _, granted := range roles {
		if _, err := tx.Exec(ctx, `REVOKE `+pgx.Identifier{granted}.Sanitize()+` FROM `+name); err != nil {
			return err
		}
	}
	return nil
}

// DropLogin ends the sessions of a closed login and drops it with its objects, such as
// temporary tables, and its row. It does not change a login that is not closed: its
// sessions are still valid.
func (s *Logins) DropLogin(ctx context.Context, username string) error {
	const op = "drop login"
	// Sessions that this user may not end remain: they have no privileges, and soon no
	// role.
	_, _ = s.db.Pool().Exec(ctx, `SELECT pg_terminate_backend(a.pid) FROM pg_stat_activity a
		JOIN tenant_credentials c ON c.username = a.usename WHERE c.username = $1 AND c.closed_at IS NOT NULL`, username)
	return s.db.InTx(ctx, op, func(tx pgx.Tx) error {
		var exists bool
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = username)
			FROM tenant_credentials WHERE username = $1 AND closed_at IS NOT NULL FOR UPDATE`, username).Scan(&exists)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil // Another process dropped it.
		}
		if err != nil {
			return err
		}
		if exists {
			if err := DropOwnedRole(ctx, tx, username); err != nil {
				return err
			}
		}
		_, err = tx.Exec(ctx, `DELETE FROM tenant_credentials WHERE username = $1`, username)
		return err
	})
}

// Delays before another try to drop an expired login: they double from the first to
// the longest.
const (
	firstDropBackoff = `interval '1 minute'`
	maxDropBackoff   = `interval '1 hour'`
)

// DropExpiredLogins ends and drops all logins that expired or were only partly
// dropped, in batches. A login that cannot be dropped does not delay others: it comes
// after those that have not failed, and its delay grows with each failure.
func (s *Logins) DropExpiredLogins(ctx context.Context, batch int) (int64, error) {
	var (
		dropped  int64
		failures []error
	)
	for {
		found, n, err := s.dropBatch(ctx, batch)
		dropped += n
		failures = append(failures, err)
		if found == 0 {
			return dropped, errors.Join(failures...)
		}
	}
}

// dropBatch drops logins that are due, at most limit. found is how many were due; 0 also
// when the registry does not answer.
func (s *Logins) dropBatch(ctx context.Context, limit int) (found int, dropped int64, err error) {
	due, err := s.dueCredentials(ctx, limit)
	if err != nil {
		return 0, 0, err
	}
	var failures []error
	for _, d := range due {
		err := s.CloseCredential(ctx, d.Tenant, d.ID)
		if err == nil {
			dropped++
			continue
		}
		failures = append(failures, err)
		// Without a delay it would be due again at once, and the sweep would not end.
		if err := s.deferDrop(ctx, d.ID); err != nil {
			return 0, dropped, errors.Join(append(failures, err)...)
		}
	}
	return len(due), dropped, errors.Join(failures...)
}

// dueCredential is a login to end or drop.
type dueCredential struct{ Tenant, ID uuid.UUID }

func (s *Logins) dueCredentials(ctx context.Context, limit int) ([]dueCredential, error) {
	const op = "list expired logins"
	pool, err := s.db.ReadyPool(ctx)
	if err != nil {
		return nil, err
	}
	rows, _ := pool.Query(ctx, `SELECT tenant_id, id FROM tenant_credentials
		WHERE coalesce(closed_at, expires_at) < clock_timestamp() AND (retry_at IS NULL OR retry_at < clock_timestamp())
		ORDER BY failures, coalesce(closed_at, expires_at) LIMIT $1`, limit)
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[dueCredential])
	return due, pgdb.Classify(err, op)
}

func (s *Logins) deferDrop(ctx context.Context, id uuid.UUID) error {
	_, err := s.db.Pool().Exec(ctx, `UPDATE tenant_credentials SET failures = failures + 1,
			retry_at = clock_timestamp() + least(`+firstDropBackoff+` * 2 ^ least(failures, 10), `+maxDropBackoff+`)
		WHERE id = $1`, id)
	return pgdb.Classify(err, "defer expired login")
}

// DropOwnedRole drops a role with all that it owns or may access in this database.
// DROP OWNED needs the role's own privileges, which the role's creator must grant
// itself unless it is a superuser.
func DropOwnedRole(ctx context.Context, tx pgx.Tx, name string) error {
	role := pgx.Identifier{name}.Sanitize()
	for _, statement := range []string{`GRANT ` + role + ` TO CURRENT_USER`, `DROP OWNED BY ` + role, `DROP ROLE ` + role} {
		if _, err := tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
