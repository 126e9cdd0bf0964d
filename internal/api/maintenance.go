package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/access"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/dto"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/openapi"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/problem"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/api/validate"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

// Maintenance checks, migrates and adopts tenants as the commands of tenant-api do. app.Maintenance is one.
type Maintenance interface {
	Verify(ctx context.Context, id uuid.UUID, offline bool) (dto.Verification, error)
	CheckPlatform(ctx context.Context) (dto.PlatformCheck, error)
	MigrateTenant(ctx context.Context, id uuid.UUID, m app.TenantMigration) (dto.TenantMigration, error)
	Adopt(ctx context.Context, in tenant.Inputs, a provisioning.Adoption, dryRun bool) (dto.Adoption, error)
}

const (
	// registryCheckTimeout is longer than the search for removed tenants may take.
	registryCheckTimeout = 6 * time.Minute
	// maxMigrationStatement is how long a statement of a migration may take inside a request.
	maxMigrationStatement = 10 * time.Minute
	// migrationTimeout is longer than one statement may take, so that its own error is returned.
	migrationTimeout = maxMigrationStatement + time.Minute
	// adoptionTimeout is enough for a contract on a slow network.
	adoptionTimeout = 5 * time.Minute
	// checkRetryAfter is the Retry-After, in seconds, while another check runs.
	checkRetryAfter = "5"

	maintenanceRemedy = "send the request to a server with a worker, which has the privileges of the registry owner, or use the command of tenant-api"
	repeatDoc         = " A client that goes away ends the work; repeating the request continues it."
	oneCheckDoc       = " It can take some minutes, so a proxy has to wait as long; the server runs one such check at a time (429)."
)

// registerMaintenanceRoutes registers the checks, and the moves of tenants to another revision or from
// another owner.
func (s *Server) registerMaintenanceRoutes() {
	registerEndpoint(s, &endpoint{
		id: "verify-tenant", method: http.MethodGet, path: tenantPath + "/verify", tag: "tenants",
		summary: "Verify a tenant", description: "Checks audit chain, schema, privileges and contract of a tenant, as tenant-api tenants verify does, and changes nothing.",
		scope: access.ScopeRead, timeout: rollbackTimeout, workerRemedy: maintenanceRemedy,
	}, s.verifyTenant)
	registerEndpoint(s, &endpoint{
		id: "verify-registry", method: http.MethodGet, path: "/admin/registry/verify", tag: "registry",
		summary: "Verify the registry itself", description: "Checks the registry's own chain, records without a tenant, privileges and API keys, and searches for removed tenants." + oneCheckDoc,
		scope: access.ScopeAdmin, timeout: registryCheckTimeout, workerRemedy: maintenanceRemedy,
	}, s.verifyRegistry)
	registerEndpoint(s, &endpoint{
		id: "check-platform", method: http.MethodGet, path: "/admin/platform/check", tag: "registry",
		summary: "Check what all tenants need of PostgreSQL", description: "Finds missing privileges, roles and owners, as tenant-api platform check does, and changes nothing." + oneCheckDoc,
		scope: access.ScopeAdmin, timeout: registryCheckTimeout, workerRemedy: maintenanceRemedy,
	}, s.checkPlatform)
	registerEndpoint(s, &endpoint{
		id: "migrate-tenant", method: http.MethodPost, path: tenantPath + "/migrate", tag: "tenants",
		summary: "Migrate a tenant", description: "Brings a tenant to the active revision of its blueprint: migrations and privileges. A tenant that cannot be migrated is unchanged (409)." + repeatDoc,
		scope: access.ScopeAdmin, mutating: true, timeout: migrationTimeout, workerRemedy: maintenanceRemedy, errorStatuses: []int{http.StatusConflict},
	}, s.migrateTenant)
	registerEndpoint(s, &endpoint{
		id: "adopt-tenant", method: http.MethodPost, path: "/admin/tenants/adopt", tag: "tenants",
		summary: "Make a tenant of a schema that exists", description: "Compares the schema with what the blueprint's migrations make; then it gets an owner, a role, privileges and a contract, and keeps its name. No migration runs. A schema that was adopted before is skipped." + repeatDoc,
		scope: access.ScopeAdmin, mutating: true, timeout: adoptionTimeout, workerRemedy: maintenanceRemedy, contentTypes: jsonOnly, body: openapi.SchemaRef[adoptBody], example: adoptExample,
		errorStatuses: []int{http.StatusConflict},
	}, s.adoptTenant)
}

// takeCheck takes the server's only place for a check of the whole registry until leave is called:
// it reads much of the database.
func (s *Server) takeCheck() (leave func(), err error) {
	select {
	case s.checkSlot <- struct{}{}:
		return func() { <-s.checkSlot }, nil
	default:
		return nil, problem.New(http.StatusTooManyRequests, "this server runs another check, and one at a time; send the request again when that has ended").
			WithHeader("Retry-After", checkRetryAfter)
	}
}

// OfflineParam is the parameter of verifications. It is exported because huma reads only
// exported embedded structs.
type OfflineParam struct {
	Offline string `query:"offline" enum:"true,false" default:"false" doc:"true does not read the ledger."`
}

type verifyTenantInput struct {
	ByID
	OfflineParam
}

func (s *Server) verifyTenant(ctx context.Context, in *verifyTenantInput) (*bodyOutput[dto.Verification], error) {
	report, err := s.opts.Maintenance.Verify(ctx, in.tenantID, in.Offline == "true")
	if err != nil {
		return nil, err
	}
	return newBodyOutput(report), nil
}

func (s *Server) verifyRegistry(ctx context.Context, in *OfflineParam) (*bodyOutput[dto.Verification], error) {
	leave, err := s.takeCheck()
	if err != nil {
		return nil, err
	}
	defer leave()
	report, err := s.opts.Maintenance.Verify(ctx, uuid.Nil, in.Offline == "true")
	if err != nil {
		return nil, err
	}
	return newBodyOutput(report), nil
}

func (s *Server) checkPlatform(ctx context.Context, _ *struct{}) (*bodyOutput[dto.PlatformCheck], error) {
	leave, err := s.takeCheck()
	if err != nil {
		return nil, err
	}
	defer leave()
	report, err := s.opts.Maintenance.CheckPlatform(ctx)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(report), nil
}

type migrateInput struct {
	ByID

	DryRun             string `query:"dryRun" enum:"true,false" default:"false" doc:"true counts only, and changes nothing."`
	EndSessions        string `query:"endSessions" enum:"true,false" default:"false" doc:"true ends sessions that hold the tenant's tables, after the usual wait; the audit log names them."`
	StatementTimeoutMs int64  `query:"statementTimeoutMs" minimum:"1" maximum:"600000" default:"600000" doc:"How long one statement may take. For longer ones use tenant-api tenants migrate."`
}

func (s *Server) migrateTenant(ctx context.Context, in *migrateInput) (*bodyOutput[dto.TenantMigration], error) {
	report, err := s.opts.Maintenance.MigrateTenant(ctx, in.tenantID, app.TenantMigration{
		DryRun: in.DryRun == "true", EndSessions: in.EndSessions == "true", StatementTimeout: time.Duration(in.StatementTimeoutMs) * time.Millisecond,
	})
	if err != nil {
		return nil, err
	}
	return newBodyOutput(report), nil
}

type adoptBody struct {
	Schema              string            `json:"schema" minLength:"1" doc:"The schema that becomes the tenant's." example:"clinic_0042"`
	AtVersion           int64             `json:"atVersion" minimum:"0" maximum:"2147483647" doc:"Number of the last migration that the schema has." example:"40"`
	SendMail            bool              `json:"sendMail,omitempty" doc:"Send the welcome mail to the administrator. Default: false."`
	DryRun              bool              `json:"dryRun,omitempty" doc:"Compare only, and change nothing. Default: false."`
	Blueprint           string            `json:"blueprint" minLength:"1" doc:"The blueprint that has the migrations of the schema." example:"clinic"`
	Name                string            `json:"name" minLength:"1" doc:"The organisation's name." example:"Clinic 42"`
	AdminEmail          string            `json:"adminEmail" minLength:"1" doc:"The administrator's address." example:"ada@clinic.example"`
	AdminFirstName      string            `json:"adminFirstName,omitempty" doc:"Default: Administrator." example:"Ada"`
	AdminLastName       string            `json:"adminLastName,omitempty" doc:"Default: of the organisation." example:"Lovelace"`
	ExternalID          string            `json:"externalId,omitempty" doc:"The platform's own key." example:"crm-42"`
	Metadata            map[string]string `json:"metadata,omitempty" doc:"At most 64 entries; keys of up to 63 and values of up to 1024 characters."`
	Locale              string            `json:"locale,omitempty" doc:"Language of the mails, a BCP 47 tag." example:"de-AT"`
	AllowConfusableName bool              `json:"allowConfusableName,omitempty" doc:"Let the name look like that of another tenant, through letters of another script."`
	Variables           map[string]string `json:"variables,omitempty" doc:"The blueprint's variables for this tenant."`
	validate.Errors     `json:"-"`
}

var adoptExample = map[string]any{"schema": "clinic_0042", "atVersion": 40, "blueprint": "clinic", "name": "Clinic 42", "adminEmail": "ada@clinic.example"}

// FieldReaders implements the interface of package validate.
func (b *adoptBody) FieldReaders() map[string]validate.FieldReader {
	return map[string]validate.FieldReader{
		"schema": validate.String(&b.Schema), "atVersion": validate.Int(&b.AtVersion, 0, 1<<31-1, "has to be the number of a migration"),
		"sendMail": validate.Bool(&b.SendMail), "dryRun": validate.Bool(&b.DryRun), "blueprint": validate.String(&b.Blueprint),
		"name": validate.String(&b.Name), "adminEmail": validate.String(&b.AdminEmail), "adminFirstName": validate.String(&b.AdminFirstName),
		"adminLastName": validate.String(&b.AdminLastName), "externalId": validate.String(&b.ExternalID), "locale": validate.String(&b.Locale),
		"allowConfusableName": validate.Bool(&b.AllowConfusableName), "variables": validate.StringMap(&b.Variables), "metadata": validate.StringMap(&b.Metadata),
	}
}

// inputs converts the body. It already checks the rules, so that one response reports all errors.
func (b *adoptBody) inputs() (tenant.Inputs, error) {
	in, err := tenant.Inputs{
		Name: b.Name, AdminEmail: b.AdminEmail, AdminFirstName: cmp.Or(b.AdminFirstName, provisioning.AdoptedFirstName), AdminLastName: cmp.Or(b.AdminLastName, provisioning.AdoptedLastName),
		ExternalID: b.ExternalID, Metadata: b.Metadata, Locale: b.Locale, AllowConfusableName: b.AllowConfusableName, Blueprint: b.Blueprint, Variables: b.Variables,
	}.Normalize()
	fieldErrs := b.Errors
	if err != nil {
		fieldErrs = b.Merge(problem.From(err).Errors)
	}
	if b.Schema == "" {
		fieldErrs = fieldErrs.Check("schema", errors.New("is missing; name the schema to adopt"))
	}
	if b.Blueprint == "" {
		fieldErrs = fieldErrs.Check("blueprint", errors.New("is missing; name the blueprint that has the migrations of the schema"))
	}
	return in, fieldErrs.Problem()
}

type adoptInput struct{ Body adoptBody }

func (s *Server) adoptTenant(ctx context.Context, in *adoptInput) (*bodyOutput[dto.Adoption], error) {
	b := in.Body
	inputs, err := b.inputs()
	if err != nil {
		return nil, err
	}
	if err := checkMetadata(ctx, inputs.Metadata); err != nil {
		return nil, err
	}
	report, err := s.opts.Maintenance.Adopt(ctx, inputs, provisioning.Adoption{Schema: b.Schema, Version: int(b.AtVersion), SendMail: b.SendMail}, b.DryRun)
	if err != nil {
		return nil, err
	}
	return newBodyOutput(report), nil
}
