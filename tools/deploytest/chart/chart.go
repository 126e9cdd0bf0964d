// Package chart renders the Helm chart as "helm template" does, without a cluster.
package chart

import (
	"fmt"
	"maps"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/loader"
	"helm.sh/helm/v4/pkg/engine"
	"sigs.k8s.io/yaml"
)

// Document is one object of a rendered chart.
type Document struct {
	Template string // The file's name.
	Kind     string
	Text     string // YAML, with a newline at its end.
}

// Release is the name and the namespace of what is rendered.
const Release = "tenant-api"

var separator = regexp.MustCompile(`(?m)^---\s*$`)

// Render renders the chart in a folder. The error says which value is wrong.
func Render(dir string, values map[string]any) ([]Document, error) {
	loaded, err := loader.Load(dir)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: Release, Namespace: Release, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(loaded, values, options, common.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	rendered, err := engine.Render(loaded, all)
	if err != nil {
		return nil, err
	}
	var documents []Document
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for _, text := range separator.Split(rendered[name], -1) {
			var object struct{ Kind string }
			if err := yaml.Unmarshal([]byte(text), &object); err != nil {
				return nil, fmt.Errorf("%s: %w\n%s", name, err, text)
			}
			if object.Kind != "" {
				documents = append(documents, Document{path.Base(name), object.Kind, strings.Trim(text, "\n") + "\n"})
			}
		}
	}
	return documents, nil
}

// Values reads a file of values.
func Values(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	return values, yaml.UnmarshalStrict(text, &values)
}

// header is the start of each rendered file.
const header = "# Generated from deploy/helm/tenant-api and values.yaml here: change these, and run \"make manifests\".\n"

// Manifests returns the files of plain manifests, by name: what must be applied first, what
// runs once before the pods start, the pods, and what needs the Prometheus operator.
func Manifests(documents []Document) map[string]string {
	files := map[string]string{}
	for _, d := range documents {
		name := "3-tenant-api.yaml"
		switch d.Kind {
		case "ServiceAccount", "NetworkPolicy":
			name = "1-access.yaml"
		case "Job":
			name = "2-migrate.yaml"
		case "ServiceMonitor", "PrometheusRule":
			name = "4-monitoring.yaml"
		}
		if files[name] == "" {
			files[name] = header
		}
		files[name] += "---\n" + d.Text
	}
	return files
}
