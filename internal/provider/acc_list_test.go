package provider_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/querycheck"
	"github.com/hashicorp/terraform-plugin-testing/querycheck/queryfilter"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// query is a step that lists tenants under the address list.healthcare_tenant.all.
func query(lines string, checks ...querycheck.QueryResultCheck) resource.TestStep {
	return resource.TestStep{
		Query:             true,
		Config:            "provider \"healthcare\" {}\nlist \"healthcare_tenant\" \"all\" {\n  provider = healthcare\n" + lines + "\n}\n",
		QueryResultChecks: checks,
	}
}

const listAddress = "healthcare_tenant.all"

// three are three tenants in a fixed order of creation.
var three = strings.Replace(clinic, `name             = "St. Mary's Clinic"`, "count = 3\n  name = \"Clinic ${count.index}\"", 1)

func TestAccList(t *testing.T) {
	needsTerraform(t, "1.14.0")
	inBothModes(t, func(t *testing.T, m mode) {
		w := framework(t, m)
		w.test(
			resource.TestStep{Config: header + three},
			resource.TestStep{RefreshState: true, ExpectNonEmptyPlan: true, PreConfig: func() {
				w.registry.Archive(0, "Clinic 1")
			}},
			query("  include_resource = true",
				querycheck.ExpectLength(listAddress, 2),
				querycheck.ExpectIdentity(listAddress, map[string]knownvalue.Check{"id": knownvalue.StringFunc(func(id string) error {
					if id != w.registry.Named("Clinic 0").ID && id != w.registry.Named("Clinic 2").ID {
						return fmt.Errorf("%q is listed", id)
					}
					return nil
				})}),
				querycheck.ExpectResourceKnownValues(listAddress, queryfilter.ByDisplayName(knownvalue.StringExact("Clinic 2")), []querycheck.KnownValueCheck{
					{Path: tfjsonpath.New("schema_name"), KnownValue: knownvalue.StringRegexp(regexp.MustCompile(`^clinic_2_`))},
					{Path: tfjsonpath.New("status"), KnownValue: knownvalue.StringExact("ACTIVE")},
				}),
			),
			query("  limit = 1", querycheck.ExpectLength(listAddress, 1)),
			query("  config { blueprint = \"standard\" }", querycheck.ExpectLength(listAddress, 2)),
			query("  config { blueprint = \"clinic\" }", querycheck.ExpectLength(listAddress, 0)),
			query("  config { held = true }", querycheck.ExpectLength(listAddress, 0)),
			query("  config {\n    held = false\n    created_after = \"2020-01-01T00:00:00Z\"\n    created_before = \"2999-01-01T00:00:00Z\"\n  }", querycheck.ExpectLength(listAddress, 2)),
			query("  config { managed_by = \"nobody\" }", querycheck.ExpectLength(listAddress, 0)),
			query("  config { metadata = { region = \"none\" } }", querycheck.ExpectLength(listAddress, 0)),
			query("  config { search = \"clinic 2\" }", querycheck.ExpectLength(listAddress, 1),
				querycheck.ExpectResourceDisplayName(listAddress, queryfilter.ByResourceIdentity(map[string]knownvalue.Check{"id": knownvalue.NotNull()}), knownvalue.StringExact("Clinic 2"))),
		)
	})
}

func TestAccList_Rules(t *testing.T) {
	needsTerraform(t, "1.14.0")
	w := framework(t, databaseMode)
	w.env["DATABASE_URL"] = "postgres://u@127.0.0.1:1/d?connect_timeout=1"
	for lines, want := range map[string]string{
		`  config { status = "ARCHIVED" }`:     `value\s+must\s+be\s+one\s+of`,
		`  config { blueprint = "A" }`:         `The\s+blueprint\s+is\s+"A";\s+write`,
		`  config { created_after = "today" }`: `The\s+created_after\s+is\s+"today",\s+which\s+is\s+no\s+time`,
		`  config { managed_by = "" }`:         `The\s+managed_by\s+is\s+empty`,
		`  config { search = "" }`:             `string\s+length\s+must\s+be\s+between`,
		``:                                     `the\s+database\s+does\s+not\s+answer`,
	} {
		step := query(lines)
		step.ExpectError = regexp.MustCompile(want)
		resource.Test(t, resource.TestCase{ProtoV6ProviderFactories: w.factories(), Steps: []resource.TestStep{{Config: header}, step}})
	}
}
