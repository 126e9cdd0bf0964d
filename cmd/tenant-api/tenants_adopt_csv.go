package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/healthcare-platform/terraform-provider-healthcare/internal/errs"
)

// maxAdoptees is how many schemas one file can have.
const maxAdoptees = 100_000

// maxRowErrors is how many broken rows are named at once.
const maxRowErrors = 20

// Columns whose names go on with that of a variable, or with a key of the metadata.
const (
	variableColumn = "var_"
	metadataColumn = "metadata_"
)

// readAdoptees reads the file of --from. Its columns replace the flags of the same name.
func readAdoptees(f adoptFlags) ([]adoptee, error) {
	file, err := os.Open(f.from)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // It was read.
	rows := csv.NewReader(file)
	rows.TrimLeadingSpace = true
	header, err := rows.Read()
	if err != nil {
		return nil, fmt.Errorf("%s: the first line has to name the columns: %w", f.from, err)
	}
	for _, column := range header {
		if !slices.Contains(adopteeColumns, column) && !strings.HasPrefix(column, variableColumn) && !strings.HasPrefix(column, metadataColumn) {
			return nil, fmt.Errorf("%s: the column %q is not known; known are %s, var_NAME and metadata_KEY", f.from, column, strings.Join(adopteeColumns, ", "))
		}
	}
	if !slices.Contains(header, "schema") {
		return nil, fmt.Errorf("%s: there is no column schema", f.from)
	}
	return f.readRows(rows, header)
}

// readRows reads the rows behind the header. A row that breaks a rule is an error, so that a long
// adoption does not stop there later; maxRowErrors of them are named.
func (f adoptFlags) readRows(rows *csv.Reader, header []string) ([]adoptee, error) {
	var (
		all    []adoptee
		broken []error
	)
	for {
		row, err := rows.Read()
		switch {
		case errors.Is(err, io.EOF) && len(broken) > 0, len(broken) == maxRowErrors:
			return nil, errors.Join(broken...)
		case errors.Is(err, io.EOF) && len(all) == 0:
			return nil, fmt.Errorf("%s: there is no row after the first line", f.from)
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("%s: %w", f.from, err)
		case len(all) == maxAdoptees:
			return nil, fmt.Errorf("%s: more than %d rows; split the file", f.from, maxAdoptees)
		}
		one, err := f.adoptee(header, row)
		if err != nil {
			line, _ := rows.FieldPos(0)
			broken = append(broken, fmt.Errorf("%s:%d: %w", f.from, line, err))
		}
		all = append(all, one)
	}
}

var adopteeColumns = []string{"schema", "name", "admin_email", "admin_first_name", "admin_last_name", "external_id", "locale", "at_version"}

// adoptee is the schema of one row.
func (f adoptFlags) adoptee(header, row []string) (adoptee, error) {
	one := adoptee{f.in, f.Adoption}
	one.in.Variables, one.in.Metadata = clonePairs(f.variables), clonePairs(f.in.Metadata)
	targets := map[string]*string{
		"schema": &one.adoption.Schema, "name": &one.in.Name, "admin_email": &one.in.AdminEmail,
		"admin_first_name": &one.in.AdminFirstName, "admin_last_name": &one.in.AdminLastName, "external_id": &one.in.ExternalID, "locale": &one.in.Locale,
	}
	for i, column := range header {
		if variable, ok := strings.CutPrefix(column, variableColumn); ok {
			if row[i] != "" {
				one.in.Variables[variable] = row[i]
			}
			continue
		}
		if key, ok := strings.CutPrefix(column, metadataColumn); ok {
			if row[i] != "" {
				one.in.Metadata[key] = row[i]
			}
			continue
		}
		if column == "at_version" {
			if row[i] == "" {
				continue
			}
			version, err := strconv.Atoi(row[i])
			if err != nil {
				return one, fmt.Errorf("at_version is %q; give a number", row[i])
			}
			one.adoption.Version = version
			continue
		}
		if row[i] != "" { // Else the flag's value stands.
			*targets[column] = row[i]
		}
	}
	if one.adoption.Schema == "" {
		return one, errors.New("schema is empty; name the schema")
	}
	if _, err := one.in.Normalize(); err != nil {
		return one, errors.New(errs.SafeMessage(err)) // The line goes before it.
	}
	return one, nil
}

// clonePairs is a copy that can be written to.
func clonePairs(pairs map[string]string) map[string]string {
	clone := make(map[string]string, len(pairs))
	maps.Copy(clone, pairs)
	return clone
}
