package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/config"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/provisioning"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tracing"
)

// The types of the events of own steps.
const (
	TypeStep     = "healthcare.tenant.step"
	TypeStepUndo = "healthcare.tenant.step.undo"
)

// stepData is the data of an event of an own step.
type stepData struct {
	Step     string         `json:"step"`
	Attempt  int            `json:"attempt"`
	Tenant   tenantData     `json:"tenant"`
	Outputs  tenant.Outputs `json:"outputs,omitempty"`  // Of all steps completed so far.
	Database *databaseData  `json:"database,omitempty"` // With "database: tenant".
}

// tenantData is what the receiver learns of a tenant.
type tenantData struct {
	ID            string            `json:"id"`
	Name          string            `json:"name"`
	ExternalID    string            `json:"externalId,omitempty"`
	SchemaName    string            `json:"schemaName"`
	Blueprint     string            `json:"blueprint"`
	Revision      int               `json:"revision"`
	SchemaVersion int               `json:"schemaVersion,omitempty"` // Not in an undo: the schema may be gone.
	ContractID    string            `json:"contractId,omitempty"`
	Locale        string            `json:"locale,omitempty"`
	Metadata      map[string]string `json:"metadata,omitempty"`
	Variables     map[string]string `json:"variables,omitempty"`
	Admin         adminData         `json:"admin"`
}

type adminData struct {
	Email     string `json:"email"`
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
}

// databaseData is a login for the tenant's schema, which ends with the step.
type databaseData struct {
	Host       string    `json:"host"`
	Port       int       `json:"port"`
	Name       string    `json:"name"`
	SchemaName string    `json:"schemaName"`
	Username   string    `json:"username"`
	Password   string    `json:"password"`
	ExpiresAt  time.Time `json:"expiresAt"`
}

// SendStep sends a request of an own step. See provisioning.StepSender.
func (c *Client) SendStep(ctx context.Context, r provisioning.StepRequest) (_ provisioning.StepAnswer, err error) {
	endpoint, id, kind := r.Step.Definition.Webhook, r.Step.WebhookID, TypeStep
	if r.Undo {
		endpoint, id, kind = *r.Step.Definition.Undo, r.Step.UndoID, TypeStepUndo
	}
	secrets, err := c.secrets(endpoint)
	if err != nil {
		return provisioning.StepAnswer{}, err
	}
	ctx, span := tracing.Start(ctx, tracing.Outbound, "POST "+kind, tracing.TenantID(r.Tenant.ID.String()), tracing.Step(r.Step.Definition.Name))
	defer func() { span.End(err) }()
	body, err := eventOf(r, id.String(), kind)
	if err != nil {
		return provisioning.StepAnswer{}, errs.Wrap(err, errs.KindPermanent, opSend, "the request cannot be written as JSON")
	}
	answer, err := c.send(ctx, request{url: endpoint.URL, secrets: secrets, id: id.String(), body: body, timeout: endpoint.Timeout})
	if err != nil {
		return provisioning.StepAnswer{}, err
	}
	span.Set(tracing.StatusCode(answer.status))
	return readAnswer(answer, r.Undo)
}

// eventOf is the body of a request: the same for each delivery, as far as the tenant is.
func eventOf(r provisioning.StepRequest, id, kind string) ([]byte, error) {
	t, s := r.Tenant, r.Step
	data := stepData{
		Step: s.Definition.Name, Attempt: s.Attempt, Outputs: t.Outputs,
		Tenant: tenantData{
			ID: t.ID.String(), Name: t.Name, ExternalID: t.ExternalID, SchemaName: t.SchemaName, Blueprint: t.Blueprint, Revision: t.BlueprintRevision,
			SchemaVersion: t.SchemaVersion, ContractID: t.ContractID, Locale: t.Locale, Metadata: t.Metadata, Variables: t.Variables,
			Admin: adminData{t.AdminEmail, t.AdminFirstName, t.AdminLastName},
		},
	}
	if l := r.Login; l != nil {
		data.Database = &databaseData{l.Host, l.Port, l.Database, l.SchemaName, l.Username, l.Password.Reveal(), l.ExpiresAt.UTC()}
	}
	e := cloudevents.New()
	e.SetID(id)
	e.SetSource("/blueprints/" + t.Blueprint + "/steps/" + s.Definition.Name)
	e.SetType(kind)
	e.SetSubject(t.ID.String())
	e.SetTime(s.CreatedAt.UTC())
	if recorded := tracing.Recorded(r.Traceparent); recorded != "" {
		e.SetExtension(tracing.Header, recorded) // As the extension "Distributed Tracing" of CloudEvents has it.
	}
	if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
		return nil, err
	}
	if err := e.Validate(); err != nil {
		return nil, err
	}
	return json.Marshal(e)
}

// Bounds of a secret: what Standard Webhooks recommends.
const (
	secretPrefix   = "whsec_"
	minSecretBytes = 24
	maxSecretBytes = 64
	maxSecrets     = 2 // While one is replaced.
)

// secrets reads the secret of an endpoint. While it is replaced, the variable has the new one, a
// space, and the old one.
func (c *Client) secrets(e blueprint.Endpoint) ([]string, error) {
	secret, err := c.opts.Secret(e.Secret)
	if err != nil {
		return nil, errs.Errorf(errs.KindPermanent, opSend, "%s", err)
	}
	all := strings.Fields(secret.Reveal())
	if len(all) == 0 {
		return nil, errs.Errorf(errs.KindPermanent, opSend, "%s is not set where this program runs; set it to the secret that the receiver knows, as %s and base64", e.Secret, secretPrefix)
	}
	if len(all) > maxSecrets {
		return nil, errs.Errorf(errs.KindPermanent, opSend, "%s has %d secrets; give one, or the new one, a space and the old one", e.Secret, len(all))
	}
	for _, secret := range all {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
		if err != nil || len(key) < minSecretBytes || len(key) > maxSecretBytes {
			return nil, errs.Errorf(errs.KindPermanent, opSend, "%s is no secret of Standard Webhooks; write %s and %d to %d random bytes in base64", e.Secret, secretPrefix, minSecretBytes, maxSecretBytes)
		}
	}
	return all, nil
}

// StepPassword derives the password of a step's login from the step's secret, which the receiver of
// the password has, too: from the first one. So it is the same in each delivery, and no process has to store it.
func (c *Client) StepPassword(s provisioning.OwnStep) (tenant.Password, error) {
	secrets, err := c.secrets(s.Definition.Webhook)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, []byte(secrets[0]))
	mac.Write([]byte("database login " + s.WebhookID.String()))
	return tenant.Password(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(mac.Sum(nil))), nil
}

// MissingSecrets are the variables that the steps of a blueprint need and that are not set here.
func MissingSecrets(b blueprint.Blueprint, secret func(variable string) (config.Secret, error)) (missing []string) {
	seen := map[string]bool{}
	note := func(e blueprint.Endpoint) {
		if value, err := secret(e.Secret); !seen[e.Secret] && (err != nil || value == "") {
			missing = append(missing, e.Secret)
		}
		seen[e.Secret] = true
	}
	for _, s := range b.Steps {
		note(s.Webhook)
		if s.Undo != nil {
			note(*s.Undo)
		}
	}
	return missing
}
