package tenantrow

import (
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// StepsFrom is the FROM item of step records, which AddStepArgs passes as parallel arrays, so
// that one statement writes any number.
const StepsFrom = `unnest(@steps::text[], @step_statuses::text[], @step_results::text[], @step_errors::text[], @step_durations::float8[])
		AS new (step, status, result, error, duration_ms)`

// AddStepArgs adds step records to the parameters of a statement with StepsFrom.
func AddStepArgs(args pgx.StrictNamedArgs, records []tenant.StepRecord) {
	n := len(records)
	steps, statuses, results, errors := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	durations := make([]float64, n)
	for i, r := range records {
		steps[i], statuses[i], errors[i] = string(r.Step), string(r.Status), r.Error
		durations[i] = float64(r.Duration.Microseconds()) / 1000
		if r.Result != nil {
			encoded, err := json.Marshal(r.Result)
			if err != nil { // Only for a value that is not valid JSON, such as NaN; the step succeeded.
				encoded = []byte(`{}`)
			}
			results[i] = string(encoded)
		}
	}
	args["steps"], args["step_statuses"], args["step_results"], args["step_errors"], args["step_durations"] = steps, statuses, results, errors, durations
}

// LogUpsertSQL begins the INSERT that takes its rows from a relation "moved", which
// has the tenant's id, attempt and traceparent, and from StepsFrom. A step that ended
// without a duration gets that of this statement so far.
const LogUpsertSQL = `INSERT INTO provisioning_logs (tenant_id, attempt, trace_id, step, status, result, error, duration_ms)
		SELECT moved.id, moved.attempt, substr(moved.traceparent, 4, 32), new.step, new.status,
		       nullif(new.result, '')::jsonb, nullif(new.error, ''),
		       CASE WHEN new.status = 'IN_PROGRESS' THEN NULL WHEN new.duration_ms > 0 THEN new.duration_ms
		            ELSE extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 END`

// LogCreatedSQL logs CREATE_TENANT_RECORD for the tenants in a relation. Its duration is
// that of this statement so far.
func LogCreatedSQL(source string) string {
	return `INSERT INTO provisioning_logs (tenant_id, attempt, trace_id, step, status, duration_ms)
		SELECT id, attempt, substr(traceparent, 4, 32), 'CREATE_TENANT_RECORD', 'COMPLETED',
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
