package blueprint_test

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/blueprint"
)

const schemaFile = "../../docs/blueprint.schema.json"

func readSchema(t *testing.T) any {
	t.Helper()
	text, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return document
}

// validator returns a function that says what is wrong with a blueprint.yaml by the schema.
func validator(t *testing.T) func(text string) error {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("blueprint.schema.json", readSchema(t)); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("blueprint.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(text string) error {
		var value any
		if err := yaml.Unmarshal([]byte(text), &value); err != nil {
			return err
		}
		plain, err := json.Marshal(value)
		if err != nil {
			return err
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(plain))
		if err != nil {
			return err
		}
		return schema.Validate(document)
	}
}

// TestSchema_Agrees: what the parser accepts the schema accepts, and what it refuses the
// schema refuses, but for rules beyond it.
func TestSchema_Agrees(t *testing.T) {
	t.Parallel()
	validate := validator(t)
	example, err := os.ReadFile("testdata/clinic/blueprint.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range acceptedConfigs(string(example)) {
		wantNone(t, folder(map[string]string{"blueprint.yaml": text}))
		if err := validate(text); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range configCases {
		if len(c.yaml) > 50000 { // Its nesting or length is the point.
			continue
		}
		if err := validate(c.yaml); err == nil != c.beyond {
			t.Errorf("%s: the schema says %v", c.name, err)
		}
	}
}

// acceptedConfigs are files without a problem.
func acceptedConfigs(example string) map[string]string {
	return map[string]string{
		"Example":         example,
		"Least":           head,
		"Whole":           step("", ""),
		"None":            head + "extends: none\ncontract: none\nignore: ['*']\n",
		"OneRole":         head + "roles: [{name: admin, description: ''}]\n",
		"EmptyVariable":   head + "variables: {a: {}, b: }\n",
		"EmptyDefault":    head + "variables: {a: {default: ''}}\n",
		"BlockDefault":    head + "variables:\n  a:\n    default: |\n      two\n      lines\n",
		"QuotedNumber":    head + "variables: {a: {default: '1'}}\n",
		"NoIsAText":       head + "mail: {locale: no}\n",
		"NoTables":        head + "privileges: {append_only: []}\ngrants: [{role: a$1, read: [], write: all}]\n",
		"Privileges":      head + "privileges: {read_only: [_a$1]}\n",
		"OwnAuditHead":    head + "extends: none\nprivileges: {read_only: [audit_head]}\n",
		"Extensions":      head + "extensions: [citext, uuid-ossp]\n",
		"PlainStep":       strings.Replace(step("https://a.example/x", "http://[::1]:8080/x?y=z"), "SECRET_A\n    timeout: 2s\n    deadline: 2h", "SECRET_1", 1),
		"StepWithLogin":   step("database: none", "database: tenant"),
		"StepWithoutUndo": step("  undo:\n    url: https://a.example/undo\n", ""),
		"WholeUndo":       step("https://a.example/undo\n", "https://b.example/undo\n    secret: BLUEPRINT_SECRET_B\n    timeout: 3s\n    deadline: 1h30m\n"),
		"NoSteps":         head + "steps: []\n",
		"JSON":            `{"apiVersion": "healthcare-platform/v1", "kind": "Blueprint", "name": "a", "mail": {"locale": "de-AT"}}`,
		"Header":          "# comment\n---\n" + head + "...\n",
		"WindowsLines":    strings.ReplaceAll(head+"mail:\n  locale: de\n", "\n", "\r\n"),
	}
}

// TestSchema_Keys: the schema has the keys that the parser knows, and no others.
func TestSchema_Keys(t *testing.T) {
	t.Parallel()
	document, ok := readSchema(t).(map[string]any)
	if !ok {
		t.Fatal("the schema is no object")
	}
	found := map[string][]string{}
	var visit func(path string, schema map[string]any)
	visit = func(path string, schema map[string]any) {
		if ref, ok := schema["$ref"].(string); ok {
			definitions, _ := document["$defs"].(map[string]any)
			target, ok := definitions[strings.TrimPrefix(ref, "#/$defs/")].(map[string]any)
			if !ok {
				t.Fatalf("%s has the reference %q", path, ref)
			}
			visit(path, target)
		}
		if properties, ok := schema["properties"].(map[string]any); ok {
			if closed, ok := schema["additionalProperties"].(bool); !ok || closed {
				t.Errorf("%q permits unknown keys", path)
			}
			for key, value := range properties {
				found[path] = append(found[path], key)
				inner, ok := value.(map[string]any)
				if !ok {
					t.Fatalf("%s.%s is no schema", path, key)
				}
				visit(strings.TrimPrefix(path+"."+key, "."), inner)
			}
		}
		if items, ok := schema["items"].(map[string]any); ok {
			visit(path+"[]", items)
		}
		if values, ok := schema["additionalProperties"].(map[string]any); ok {
			visit(path+".*", values)
		}
	}
	visit("", document)
	for path, keys := range found {
		slices.Sort(keys)
		if !slices.Equal(keys, blueprint.KnownKeys[path]) {
			t.Errorf("%q has the keys %q in the schema, and %q in the parser", path, keys, blueprint.KnownKeys[path])
		}
	}
	if len(found) != len(blueprint.KnownKeys) {
		t.Errorf("the schema has %d mappings, the parser %d", len(found), len(blueprint.KnownKeys))
	}
}
