package dto

import "github.com/google/uuid"

// Adoption is the outcome of the adoption of a schema, or of its comparison.
type Adoption struct {
	Schema     string     `json:"schema"`
	TenantID   *uuid.UUID `json:"tenantId" format:"uuid" nullable:"true" doc:"Null: not adopted by this call."`
	Skipped    bool       `json:"skipped" doc:"It was adopted before."`
	Missing    []string   `json:"missing" nullable:"false" doc:"Objects that the migrations make and the schema lacks."`
	Changed    []string   `json:"changed" nullable:"false" doc:"Objects that are not as the migrations make them."`
	Unmanaged  []string   `json:"unmanaged" nullable:"false" doc:"Objects that others added; no obstacle."`
	Statements []string   `json:"statements" nullable:"false" doc:"That a DBA has to run first."`
	Error      *string    `json:"error" nullable:"true"`
}
