package tenantrow

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// stepArrays are step records as parallel arrays, so that one statement writes any number.
type stepArrays struct {
	steps, statuses, results, errors []string
	durations                        []float64
}

// StepArgs are step records as the five parameters of StepArraysFrom.
func StepArgs(records []tenant.StepRecord) []any {
	var arrays stepArrays
	for _, r := range records {
		result := ""
		if r.Result != nil {
			encoded, err := json.Marshal(r.Result)
			if err != nil { // Only for a value that is not valid JSON, such as NaN; the step succeeded.
				encoded = []byte(`{}`)
			}
			result = string(encoded)
		}
		arrays.steps = append(arrays.steps, string(r.Step))
		arrays.statuses = append(arrays.statuses, string(r.Status))
		arrays.results = append(arrays.results, result)
		arrays.errors = append(arrays.errors, r.Error)
		arrays.durations = append(arrays.durations, float64(r.Duration.Microseconds())/1000)
	}
	return []any{arrays.steps, arrays.statuses, arrays.results, arrays.errors, arrays.durations}
}

// StepArraysFrom is the FROM item that unfolds the arrays in parameters n to n+4.
func StepArraysFrom(n int) string {
	return fmt.Sprintf(`unnest($%d::text[], $%d::text[], $%d::text[], $%d::text[], $%d::float8[])
		AS new (step, status, result, error, duration_ms)`, n, n+1, n+2, n+3, n+4)
}

// LogUpsertSQL begins the INSERT that takes its rows from a relation "moved", which
// has the tenant's id and attempt, and from StepArraysFrom. A step that ended
// without a duration gets that of this statement so far.
const LogUpsertSQL = `INSERT INTO provisioning_logs (tenant_id, attempt, step, status, result, error, duration_ms)
		SELECT moved.id, moved.attempt, new.step, new.status,
		       nullif(new.result, '')::jsonb, nullif(new.error, ''),
		       CASE WHEN new.status = 'IN_PROGRESS' THEN NULL WHEN new.duration_ms > 0 THEN new.duration_ms
		            ELSE extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 END`

// LogCreatedSQL logs CREATE_TENANT_RECORD for the tenants in a relation. Its duration is
// that of this statement so far.
func LogCreatedSQL(source string) string {
	return `INSERT INTO provisioning_logs (tenant_id, attempt, step, status, duration_ms)
		SELECT id, attempt, 'CREATE_TENANT_RECORD', 'COMPLETED',
		       extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 FROM ` + source
}

// LogDuration is the duration of a log's row, as scanLog reads it.
const LogDuration = `coalesce(duration_ms, 0) * interval '1 millisecond'`

// DurationColumns are the steps of a relation of log rows and their durations, for
// Durations.
const DurationColumns = `array_agg(step::text), array_agg(` + LogDuration + `)`

// Durations returns the values of DurationColumns as a map, empty without rows.
func Durations(steps []string, took []time.Duration) tenant.Durations {
	d := tenant.Durations{}
	for i, step := range steps {
		d[tenant.Step(step)] = took[i]
	}
	return d
}

// LogMergeSetItems are the SET items of LogUpsertSQL for a step that is logged already.
const LogMergeSetItems = `status = excluded.status, result = coalesce(excluded.result, provisioning_logs.result),
	error = excluded.error, duration_ms = excluded.duration_ms, updated_at = now(), change_seq = nextval('provisioning_log_seq')`
