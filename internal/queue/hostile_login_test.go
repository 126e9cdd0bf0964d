package queue_test

import (
	"context"
	"net/url"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/credentials"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// riverChannels are the channels of River's own notifications.
var riverChannels = []string{"river_control", "river_leadership", "river_insert"}

// tenantLogin connects with a login of a tenant's own.
func (f *fixture) tenantLogin(t tenant.Tenant) *pgx.Conn {
	f.t.Helper()
	c, err := f.db.OpenCredential(f.t.Context(), t.ID, credentials.Request{TTL: time.Hour})
	if err != nil {
		f.t.Fatal(err)
	}
	u := url.URL{Scheme: "postgres", User: url.UserPassword(c.Username, c.Password.Reveal()), Host: c.Host + ":" + strconv.Itoa(c.Port), Path: "/" + c.Database}
	conn, err := pgx.Connect(f.t.Context(), u.String())
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(f.t.Context())) })
	return conn
}

// execAs runs a statement as another login.
func (f *fixture) execAs(conn *pgx.Conn, statement string, args ...any) {
	f.t.Helper()
	if _, err := conn.Exec(f.t.Context(), statement, args...); err != nil {
		f.t.Fatalf("%s: %v", statement, err)
	}
}

// TestQueue_HostileLogin: a tenant's login can send on every channel and listen to it. Neither
// does anything: workers do not listen, and nothing is sent.
func TestQueue_HostileLogin(t *testing.T) {
	w := setup(t)
	first := w.startWorker(w.newProcess())
	own := w.submit("Own")
	w.waitForStatus(own, tenant.StatusActive)
	hostile := w.tenantLogin(own.Tenant)
	for _, channel := range riverChannels {
		w.execAs(hostile, `LISTEN `+pgx.Identifier{"public." + channel}.Sanitize())
	}

	p := w.newProcess()
	deploying, released := make(chan struct{}), make(chan struct{})
	release := sync.OnceFunc(func() { close(released) })
	defer release() // Otherwise a failure would block the worker's end.
	p.onDeploy = func(ctx context.Context, t tenant.Tenant) error {
		if t.Name == "Held" {
			close(deploying)
			<-released
		}
		return ctx.Err() // A cancelled job would end here.
	}
	if err := first.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := w.startWorker(p)
	held := w.submit("Held")
	<-deploying
	for _, m := range [][2]string{
		{"river_control", `{"action": "pause", "queue": "*"}`},
		{"river_control", `{"action": "pause", "queue": "provisioning"}`},
		{"river_control", `{"action": "cancel", "queue": "provisioning", "job_id": ` + held.JobID + `}`},
		{"river_leadership", `{"action": "request_resign"}`},
		{"river_leadership", `{"action": "resigned", "leader_id": "x"}`},
		{"river_insert", `{"queue": "provisioning"}`},
		{"river_insert", `no JSON`},
	} {
		w.execAs(hostile, `SELECT pg_notify('public.' || $1, $2)`, m[0], m[1])
	}
	all := append(w.submitMany(3), own, held) // A paused queue would not run them.
	for _, s := range all[:3] {
		w.waitForStatus(s, tenant.StatusActive)
	}
	release()
	w.waitForStatus(held, tenant.StatusActive)
	if n := value[int](w, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'healthcare-queue' AND query ILIKE 'LISTEN%'`); n != 0 {
		t.Errorf("%d connections of the queue listen", n)
	}
	w.waitFor("River is done", func() bool { return w.riverState(held.JobID) == "completed" })
	if err := second.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.assertInvariants(all...)
	w.rescueAll()
	if value[bool](w, `SELECT EXISTS (SELECT FROM river_queue WHERE paused_at IS NOT NULL)`) {
		t.Error("a queue is paused")
	}
	for _, n := range w.notifications(hostile) {
		if n.PID != hostile.PgConn().PID() {
			t.Errorf("the queue sent %q on %s", n.Payload, n.Channel)
		}
	}
}

// notifications returns what a connection has received until now, in the order of commits.
func (f *fixture) notifications(conn *pgx.Conn) (all []*pgconn.Notification) {
	f.t.Helper()
	const last = "the last one"
	f.execAs(conn, `SELECT pg_notify('public.river_insert', $1)`, last)
	ctx, cancel := context.WithTimeout(f.t.Context(), time.Minute)
	defer cancel()
	for {
		n, err := conn.WaitForNotification(ctx)
		if err != nil {
			f.t.Fatal(err)
		}
		if n.Payload == last {
			return all
		}
		all = append(all, n)
	}
}

// rescueAll replaces the jobs of a worker that died.
func (f *fixture) rescueAll() {
	f.t.Helper()
	f.exec(`UPDATE river_job SET state = 'running', attempted_at = now() - interval '1 minute', finalized_at = NULL`)
	err := pgx.BeginFunc(f.t.Context(), f.db.Pool(), func(tx pgx.Tx) error {
		rows, _ := tx.Query(f.t.Context(), `SELECT id FROM river_job`)
		jobs, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		for _, job := range jobs {
			if err == nil {
				_, err = f.queue.RescueJob(f.t.Context(), tx, job, uuid.New(), time.Second)
			}
		}
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
}
