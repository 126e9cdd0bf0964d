package tenant_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/tenant"
)

func TestSlug(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"St. Mary's Hospital":                "st_marys_hospital",
		"O'Brien & Søn — Klinik":             "obrien_son_klinik",
		"PG Clinic":                          "t_pg_clinic",
		"pg":                                 "t_pg",
		"PGA Tour Clinic":                    "pga_tour_clinic",
		"3M Health":                          "t_3m_health",
		"协和医院":                               "tenant",
		"Ærø Sygehus":                        "aero_sygehus",
		"Straße 7":                           "strasse_7",
		"Łódź":                               "lodz",
		"x'); DROP SCHEMA public CASCADE;--": "x_drop_schema_public_cascade",
		"__init__":                           "init",
		strings.Repeat("a", 255):             strings.Repeat("a", 40),
		strings.Repeat("a", 39) + " b":       strings.Repeat("a", 39),
		strings.Repeat("9", 50):              "t_" + strings.Repeat("9", 38),
	} {
		if got := tenant.Slug(name); got != want {
			t.Errorf("Slug(%q) = %q, want %q", name, got, want)
		}
	}
}

var identifier = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

func FuzzSchemaName(f *testing.F) {
	for _, seed := range []string{"", "PG Clinic", "3M", "O'Brien", "协和医院", "\xff", "İstanbul", "pg_", strings.Repeat("ß", 100)} {
		f.Add(seed)
	}
	at := time.UnixMilli(1_700_000_000_000)
	f.Fuzz(func(t *testing.T, name string) {
		schema := tenant.SchemaName(name, at)
		if !identifier.MatchString(schema) || strings.HasPrefix(schema, "pg_") || len(schema) > 54 {
			t.Errorf("%q gives the schema name %q", name, schema)
		}
	})
}

func TestDraft_HideName(t *testing.T) {
	t.Parallel()
	d, err := tenant.NewDraft(tenant.Inputs{Name: "Clinic", AdminEmail: "ada@clinic.example", AdminFirstName: "Ada", AdminLastName: "Lovelace"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range 10 {
		if i == 0 {
			d.HideName()
		} else {
			d.RegenerateSchemaName(time.Now())
		}
		if !regexp.MustCompile(`^t_[a-z2-7]{26}$`).MatchString(d.SchemaName) || seen[d.SchemaName] {
			t.Errorf("name %d is %q", i, d.SchemaName)
		}
		seen[d.SchemaName] = true
	}
}
