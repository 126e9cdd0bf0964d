package postgres

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
)

// logRows are step records as parallel arrays: any number of them is one statement.
type logRows struct {
	steps, statuses, results, errors []string
	durations                        []float64
}

func newLogRows(records []provisioning.StepRecord) logRows {
	var l logRows
	for _, r := range records {
		result := ""
		if r.Result != nil {
			encoded, err := json.Marshal(r.Result)
			if err != nil { // Only a value that is no JSON, such as NaN; the step succeeded all the same.
				encoded = []byte(`{}`)
			}
			result = string(encoded)
		}
		l.steps = append(l.steps, string(r.Step))
		l.statuses = append(l.statuses, string(r.Status))
		l.results = append(l.results, result)
		l.errors = append(l.errors, r.Error)
		l.durations = append(l.durations, float64(r.Duration.Microseconds())/1000)
	}
	return l
}

func (l logRows) args() []any { return []any{l.steps, l.statuses, l.results, l.errors, l.durations} }

// logInput is the FROM item that unfolds the arrays in parameters n to n+4.
func logInput(n int) string {
	return fmt.Sprintf(`unnest($%d::text[], $%d::text[], $%d::text[], $%d::text[], $%d::float8[])
		AS new (step, status, result, error, duration_ms)`, n, n+1, n+2, n+3, n+4)
}

// logUpsert begins the INSERT that takes its rows from a relation "moved", which
// has the tenant's id and attempt, and from logInput. A step that ended without
// a duration of its own took as long as this statement has been running.
const logUpsert = `INSERT INTO provisioning_logs (tenant_id, attempt, step, status, result, error, duration_ms)
		SELECT moved.id, moved.attempt, new.step::provisioning_step, new.status::provisioning_step_status,
		       nullif(new.result, '')::jsonb, nullif(new.error, ''),
		       CASE WHEN new.status = 'IN_PROGRESS' THEN NULL WHEN new.duration_ms > 0 THEN new.duration_ms
		            ELSE extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 END`

// logRecord writes down that the attempts of the tenants in a relation have a
// record. It took as long as this statement has been running.
func logRecord(from string) string {
	return `INSERT INTO provisioning_logs (tenant_id, attempt, step, status, duration_ms)
		SELECT id, attempt, 'CREATE_TENANT_RECORD', 'COMPLETED',
		       extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 FROM ` + from
}

// logDuration is the duration of a log's row, as scanLog reads it.
const logDuration = `coalesce(duration_ms, 0) * interval '1 millisecond'`

// durationColumns are the steps of a relation of log rows and what each took, for
// durations.
const durationColumns = `array_agg(step::text), array_agg(` + logDuration + `)`

// durations joins what durationColumns gave; there is nothing of no rows.
func durations(steps []string, took []time.Duration) provisioning.Durations {
	d := provisioning.Durations{}
	for i, step := range steps {
		d[provisioning.Step(step)] = took[i]
	}
	return d
}

const logMerge = `status = excluded.status, result = coalesce(excluded.result, provisioning_logs.result),
	error = excluded.error, duration_ms = excluded.duration_ms, updated_at = now(), change = nextval('provisioning_changes')`
