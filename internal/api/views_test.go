package api_test

import (
	"net/http"
	"reflect"
	"testing"
)

func TestServer_Views(t *testing.T) {
	t.Parallel()
	t.Run("FullViewListsAllFields", func(t *testing.T) {
		b := setup(t)
		in := clinic()
		in["externalId"] = "crm-1"
		id := as[string](b.createActive(in)["id"])
		want := b.do(http.MethodGet, "/admin/tenants/"+id, nil).want(http.StatusOK).json
		for _, path := range []string{"?view=full", "?view=full&externalId=crm-1", "?view=full&name=cLINIC"} {
			got := as[[]any](b.do(http.MethodGet, "/admin/tenants"+path, nil).want(http.StatusOK).json["tenants"])
			if len(got) != 1 || !reflect.DeepEqual(got[0], any(want)) {
				t.Errorf("%s: %v, want %v", path, got, want)
			}
		}
		b.do(http.MethodGet, "/admin/tenants?view=half", nil).wantFieldErrors("view")
	})
	t.Run("ReturnsLogOfAllAttempts", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"]) + "/provisioning-status"
		b.registry.AddAttempt(2)
		for query, want := range map[string]int{"": 7, "?attempts=newest": 7, "?attempts=all": 14} {
			if logs := as[[]any](b.do(http.MethodGet, path+query, nil).want(http.StatusOK).json["logs"]); len(logs) != want {
				t.Errorf("%q: %d entries", query, len(logs))
			}
		}
		b.do(http.MethodGet, path+"?attempts=some", nil).wantFieldErrors("attempts")
	})
	t.Run("RejectsInvalidRetention", func(t *testing.T) {
		b := setup(t)
		path := "/admin/tenants/" + as[string](b.createActive(clinic())["id"]) + "/purge"
		for _, wrong := range []string{"-1", "0.5", `"720h"`, "1e300", "null"} {
			b.do(http.MethodPost, path, `{"confirm":"x","retentionMs":`+wrong+`}`).wantFieldErrors("retentionMs")
		}
		for _, right := range []string{"0", "60000.0", "9007199254740991"} { // The retention is valid, the name is not.
			b.do(http.MethodPost, path, `{"confirm":"x","retentionMs":`+right+`}`).wantFieldErrors("confirm")
		}
	})
}
