package api_test

import (
	"net/http"
	"testing"
)

func TestServer_CheckTenant(t *testing.T) {
	b := setup(t)
	check := func(body map[string]any, status int) response {
		t.Helper()
		return b.do(http.MethodPost, "/admin/tenants/check", body).want(status)
	}
	body := clinic()
	body["externalId"] = "crm-1"
	if got := check(body, http.StatusOK).str("status"); got != "valid" {
		t.Errorf("%q", got)
	}
	if found := b.do(http.MethodGet, "/admin/tenants", nil).want(http.StatusOK); found.json["total"] != 0.0 {
		t.Errorf("a check made %s", found.text)
	}
	b.do(http.MethodPost, "/admin/tenants", body).want(http.StatusAccepted)
	check(body, http.StatusConflict) // The name.
	other := clinicNamed("Another Clinic")
	check(other, http.StatusOK)
	other["externalId"] = "crm-1"
	check(other, http.StatusConflict)
	other["externalId"], other["adminEmail"], other["adminLastName"] = "crm-2", "nobody", ""
	if got := check(other, http.StatusBadRequest); len(as[[]any](got.json["errors"])) != 2 {
		t.Errorf("%s", got.text)
	}
	delete(other, "adminEmail")
	other["blueprint"] = "absent"
	check(other, http.StatusBadRequest)
}

func TestServer_NewestAuditEvents(t *testing.T) {
	b := setup(t)
	id := b.do(http.MethodPost, "/admin/tenants", clinic()).want(http.StatusAccepted).str("tenantId")
	for _, name := range []string{"Clinic 1", "Clinic 2", "Clinic 3"} {
		b.do(http.MethodPatch, "/admin/tenants/"+id, map[string]any{"name": name}).want(http.StatusOK)
	}
	read := func(query string) (seqs []float64, cursor string) {
		t.Helper()
		page := b.do(http.MethodGet, "/admin/tenants/"+id+"/audit?"+query, nil).want(http.StatusOK)
		for _, e := range as[[]any](page.json["events"]) {
			seqs = append(seqs, as[float64](as[map[string]any](e)["seq"]))
		}
		cursor, _ = page.json["nextCursor"].(string)
		return seqs, cursor
	}
	first, cursor := read("order=newest&limit=3")
	second, end := read("order=newest&limit=3&cursor=" + cursor)
	if all := append(first, second...); len(all) != 4 || all[0] != 4 || all[1] != 3 || all[2] != 2 || all[3] != 1 || end != "" {
		t.Errorf("%v, %q", all, end)
	}
	b.do(http.MethodGet, "/admin/tenants/"+id+"/audit?order=oldest&cursor="+cursor, nil).want(http.StatusBadRequest)
	b.do(http.MethodGet, "/admin/tenants/"+id+"/audit?order=best", nil).want(http.StatusBadRequest)
}
