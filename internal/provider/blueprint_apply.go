package provider

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/app"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// Create publishes the files.
func (r *blueprintResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	ctx = r.withLogMask(ctx)
	var plan blueprintModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	timeout, diags := timeoutFor(ctx, plan.Timeouts, plan.Timeouts.Create, createTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "create", timeout)
	defer cancel()
	r.publish(ctx, plan, 0, &resp.Diagnostics, &resp.State, resp.Identity)
}

// Update publishes changed files, and activates their revision.
func (r *blueprintResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	ctx = r.withLogMask(ctx)
	var plan, state blueprintModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, diags := timeoutFor(ctx, plan.Timeouts, plan.Timeouts.Update, updateTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "update", timeout)
	defer cancel()
	r.publish(ctx, plan, state.SchemaVersion.ValueInt64(), &resp.Diagnostics, &resp.State, resp.Identity)
}

// publish publishes the planned files and stores their revision in the state, which had the
// schema version before.
func (r *blueprintResource) publish(ctx context.Context, plan blueprintModel, before int64, diags *diag.Diagnostics, state *tfsdk.State, identity *tfsdk.ResourceIdentity) {
	files, b, ok := plan.plannedFiles(diags)
	if !ok {
		return
	}
	d := diagnostic{object: "blueprint", operation: "publish", name: b.Name}
	blueprints, err := r.blueprints(ctx)
	if err != nil {
		d.add(ctx, diags, err)
		return
	}
	tflog.Info(ctx, "publishing the blueprint", map[string]any{"blueprint": b.Name, "sha256": b.SHA256})
	revision, err := blueprints.Publish(app.MakeRegistry(ctx), files, plan.Activate.ValueBool())
	switch {
	case err != nil && plan.addProblems(diags, err):
		return
	case err != nil:
		d.add(ctx, diags, err)
		return
	}
	tflog.Info(ctx, "published the blueprint", map[string]any{"blueprint": b.Name, "revision": revision.Number, "created": revision.Created, "active": revision.Active})
	if revision.Created {
		warnOfDeletions(diags, revision, before)
	}
	diags.Append(plan.fill(ctx, revision)...)
	diags.Append(state.Set(ctx, &plan)...)
	saveBlueprintIdentity(ctx, diags, identity, b.Name)
}

// plannedFiles reads the files again, which can have changed since the plan.
func (m blueprintModel) plannedFiles(diags *diag.Diagnostics) (files fs.FS, b blueprint.Blueprint, ok bool) {
	files, _, err := m.source() // At apply all values are known.
	if err == nil {
		b, err = blueprint.Parse(files)
	}
	if err != nil {
		m.addProblems(diags, err)
		return nil, b, false
	}
	changed := !m.SHA256.IsUnknown() && m.SHA256.ValueString() != b.SHA256
	if renamed := !m.Name.IsUnknown() && m.Name.ValueString() != b.Name; changed || renamed {
		diags.AddAttributeError(m.sourcePath(), "Blueprint files changed after the plan", fmt.Sprintf(
			"The plan is about files of the blueprint %q with the SHA-256 %s, and now they are of %q with %s. Nothing was changed.\n\nRun terraform plan again, and apply that.",
			m.Name.ValueString(), m.SHA256.ValueString(), b.Name, b.SHA256))
		return nil, b, false
	}
	return files, b, true
}

// warnOfDeletions warns of migrations of a new revision, after a schema version, that delete data
// of tenants.
func warnOfDeletions(diags *diag.Diagnostics, r blueprint.Revision, after int64) {
	var lines []string
	for _, m := range r.Migrations {
		if int64(m.Version) > after && len(m.DeletesData) > 0 {
			lines = append(lines, m.File+" deletes "+strings.Join(m.DeletesData, ", "))
		}
	}
	if lines == nil {
		return
	}
	diags.AddAttributeWarning(path.Root("migrations"), "Migration deletes data", fmt.Sprintf(
		"Revision %[2]d of the blueprint %[1]q is published: %[3]s.\n\nTenants that exist lose this when tenant-api tenants migrate brings them to the revision, and not before. "+
			"If that is not meant, do not run it, and give new tenants the revision before: tenant-api blueprints activate %[1]s REVISION.",
		r.Blueprint, r.Number, strings.Join(lines, "; ")))
}

// Read finds the revision that new tenants get, or with activate = false the one that was
// published. A blueprint that was retired elsewhere leaves the state: the next apply brings it
// back.
func (r *blueprintResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	ctx = r.withLogMask(ctx)
	var state blueprintModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, diags := timeoutFor(ctx, state.Timeouts, state.Timeouts.Read, readTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	name := state.Name.ValueString()
	saveBlueprintIdentity(ctx, &resp.Diagnostics, resp.Identity, name) // The framework rejects a read without one.
	if !r.isConfigKnown() {
		return // The database is created by the same plan, so the state is kept.
	}
	ctx, cancel := withTimeout(ctx, "read", timeout)
	defer cancel()
	d := diagnostic{object: "blueprint", operation: "read", name: name}
	blueprints, err := r.blueprints(ctx)
	if err != nil {
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	status, err := blueprints.Get(ctx, name)
	switch {
	case errs.KindOf(err) == errs.KindNotFound:
		resp.State.RemoveResource(ctx)
		return
	case err != nil:
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	revision, found := state.currentRevision(status)
	if !found {
		tflog.Info(ctx, "the blueprint was retired, or its revision is missing", map[string]any{"blueprint": name})
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.Append(state.fill(ctx, revision)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, &state)...)
}

// currentRevision is the revision that the state describes.
func (m blueprintModel) currentRevision(s blueprint.Status) (blueprint.Revision, bool) {
	wanted := int(m.Revision.ValueInt64())
	if m.Activate.ValueBool() {
		if !s.RetiredAt.IsZero() {
			return blueprint.Revision{}, false
		}
		if s.ActiveRevision != 0 {
			wanted = s.ActiveRevision
		}
	}
	if wanted == 0 && len(s.Revisions) > 0 { // Imported.
		return s.Revisions[0], true
	}
	at := slices.IndexFunc(s.Revisions, func(r blueprint.Revision) bool { return r.Number == wanted })
	if at < 0 {
		return blueprint.Revision{}, false
	}
	return s.Revisions[at], true
}

// Delete retires the blueprint.
func (r *blueprintResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	ctx = r.withLogMask(ctx)
	var state blueprintModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	timeout, diags := timeoutFor(ctx, state.Timeouts, state.Timeouts.Delete, deleteTimeout)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "delete", timeout)
	defer cancel()
	blueprints, err := r.blueprints(ctx)
	if err == nil {
		err = blueprints.Retire(ctx, state.Name.ValueString())
	}
	if err != nil && errs.KindOf(err) != errs.KindNotFound {
		diagnostic{object: "blueprint", operation: "retire", name: state.Name.ValueString(), state: "The blueprint stays in the state.",
			remedy: "Once the cause is gone, repeat the command. TF_LOG_PROVIDER=DEBUG shows the cause in detail."}.add(ctx, &resp.Diagnostics, err)
		return
	}
	tflog.Info(ctx, "retired the blueprint; its tenants stay", map[string]any{"blueprint": state.Name.ValueString()})
}

// ImportState imports a blueprint by name or identity.
func (r *blueprintResource) ImportState(ctx context.Context, req resource.ImportStateRequest, resp *resource.ImportStateResponse) {
	ctx = r.withLogMask(ctx)
	name := req.ID
	if name == "" && req.Identity != nil {
		var identity blueprintIdentityModel
		resp.Diagnostics.Append(req.Identity.Get(ctx, &identity)...)
		name = identity.Name.ValueString()
	}
	if resp.Diagnostics.HasError() {
		return
	}
	ctx, cancel := withTimeout(ctx, "read", readTimeout)
	defer cancel()
	var status blueprint.Status
	blueprints, err := r.blueprints(ctx)
	if err == nil {
		status, err = blueprints.Get(ctx, name)
	}
	if err != nil {
		d := diagnostic{object: "blueprint", operation: "import", name: name}
		if errs.KindOf(err) == errs.KindNotFound {
			d.remedy = "Give the name of a published blueprint: tenant-api blueprints list has them."
		}
		d.add(ctx, &resp.Diagnostics, err)
		return
	}
	active := status.ActiveRevision != 0 && status.RetiredAt.IsZero()
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("name"), name)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("activate"), active)...)
	saveBlueprintIdentity(ctx, &resp.Diagnostics, resp.Identity, name)
}

// saveBlueprintIdentity stores a blueprint's identity, if the CLI supports identities.
func saveBlueprintIdentity(ctx context.Context, diags *diag.Diagnostics, identity *tfsdk.ResourceIdentity, name string) {
	if identity != nil {
		diags.Append(identity.Set(ctx, blueprintIdentityModel{types.StringValue(name)})...)
	}
}
