package deploytest_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/yaml"

	"github.com/healthcare-platform/terraform-provider-healthcare/tools/deploytest/chart"
)

// newObject has the Go type of each kind, as the API server and the Prometheus operator have it.
var newObject = map[string]func() any{
	"ServiceAccount":          func() any { return &corev1.ServiceAccount{} },
	"Service":                 func() any { return &corev1.Service{} },
	"Deployment":              func() any { return &appsv1.Deployment{} },
	"Job":                     func() any { return &batchv1.Job{} },
	"HorizontalPodAutoscaler": func() any { return &autoscalingv2.HorizontalPodAutoscaler{} },
	"PodDisruptionBudget":     func() any { return &policyv1.PodDisruptionBudget{} },
	"NetworkPolicy":           func() any { return &networkingv1.NetworkPolicy{} },
	"Ingress":                 func() any { return &networkingv1.Ingress{} },
	"ServiceMonitor":          func() any { return &monitoringv1.ServiceMonitor{} },
	"PrometheusRule":          func() any { return &monitoringv1.PrometheusRule{} },
}

var apiVersions = map[string]string{
	"ServiceAccount": "v1", "Service": "v1", "Deployment": "apps/v1", "Job": "batch/v1", "HorizontalPodAutoscaler": "autoscaling/v2",
	"PodDisruptionBudget": "policy/v1", "NetworkPolicy": "networking.k8s.io/v1", "Ingress": "networking.k8s.io/v1",
	"ServiceMonitor": "monitoring.coreos.com/v1", "PrometheusRule": "monitoring.coreos.com/v1",
}

// values parses YAML on top of the smallest values that the chart can be installed with.
func values(t *testing.T, texts ...string) map[string]any {
	t.Helper()
	all := map[string]any{}
	for _, text := range append([]string{"secrets: {DATABASE_URL: {secret: tenant-api, key: url}}"}, texts...) {
		more := map[string]any{}
		must(t, yaml.UnmarshalStrict([]byte(text), &more))
		merge(all, more)
	}
	return all
}

func merge(into, from map[string]any) {
	for name, value := range from {
		if value == nil {
			delete(into, name)
			continue
		}
		inner, isMap := value.(map[string]any)
		if old, ok := into[name].(map[string]any); ok && isMap {
			merge(old, inner)
			continue
		}
		into[name] = value
	}
}

// matrix are the values that the chart is tried with.
var matrix = map[string]string{
	"Smallest":      "",
	"Variables":     "secretsAs: variables",
	"Digest":        "image: {digest: 'sha256:" + strings.Repeat("ab", 32) + "', pullPolicy: Always}\nimagePullSecrets: [{name: registry}]",
	"WithoutJob":    "migration: {enabled: false}",
	"Key":           "apiKey: {secret: tenant-api, name: first}",
	"KeyVariables":  "apiKey: {secret: tenant-api}\nsecretsAs: variables",
	"Autoscaling":   "server: {autoscaling: {enabled: true}}\nworker: {autoscaling: {enabled: true, metricLabels: {namespace: tenant-api}, targetAverageValue: '5'}}",
	"Ingress":       "ingress: {enabled: true, className: nginx, host: tenants.example.com, tlsSecret: tls}",
	"Monitoring":    "metrics: {port: 9090, serviceMonitor: {enabled: true, labels: {release: prometheus}}, prometheusRule: {enabled: true}}",
	"NoPolicies":    "networkPolicy: {enabled: false}\nserver: {podDisruptionBudget: {enabled: false}}\nworker: {podDisruptionBudget: {enabled: false}}",
	"Policies":      "networkPolicy: {apiFrom: [{namespaceSelector: {matchLabels: {name: ingress}}}], metricsFrom: [{podSelector: {}}], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}], ports: [{port: 5432}]}]}",
	"OwnUsers":      "migration: {secrets: {DATABASE_URL: {secret: owner, key: url}}}\nserver: {secrets: {DATABASE_URL: {secret: server, key: url}}, settings: {RATE_LIMIT: '500'}}",
	"Names":         "fullnameOverride: " + strings.Repeat("x", 60) + "\nnameOverride: other",
	"Placement":     "nodeSelector: {disk: ssd}\ntolerations: [{key: a, operator: Exists}]\naffinity: {nodeAffinity: {}}\npriorityClassName: high\ntopologySpreadConstraints: [{maxSkew: 2, topologyKey: rack, whenUnsatisfiable: DoNotSchedule, labelSelector: {}}]",
	"Volumes":       "extraVolumes: [{name: ca, configMap: {name: ca}}]\nextraVolumeMounts: [{name: ca, mountPath: /etc/ca, readOnly: true}]\nsettings: {MAIL_CA_FILE: /etc/ca/ca.pem}",
	"ManySecrets":   "secrets: {SOROBAN_CONTRACT_DEPLOYER_SECRET: {secret: stellar, key: deployer}, MAIL_PASSWORD: {secret: mail, key: password}, BLUEPRINT_SECRET_DIRECTORY: {secret: steps, key: directory}}",
	"NodePort":      "service: {type: NodePort, port: 8080, annotations: {a: b}}\npodAnnotations: {a: b}\npodLabels: {team: platform}",
	"NoReplicas":    "server: {replicas: 0}\nworker: {replicas: 1, settings: {WORKERS: '16'}, podDisruptionBudget: {minAvailable: 50%}}",
	"DatabaseParts": "secrets: {DATABASE_URL: null, DB_PASSWORD: {secret: db, key: password}}\nsettings: {DB_HOST: db, DB_USERNAME: u, DB_NAME: name}",
}

// decode turns documents into objects of their types. Unknown and repeated fields are errors.
func decode(t *testing.T, documents []chart.Document) map[string]any {
	t.Helper()
	objects := map[string]any{}
	for _, d := range documents {
		create, ok := newObject[d.Kind]
		if !ok {
			t.Fatalf("%s has an object of kind %s, which this test does not know", d.Template, d.Kind)
		}
		object := create()
		if err := yaml.UnmarshalStrict([]byte(d.Text), object); err != nil {
			t.Fatalf("%s: %v\n%s", d.Template, err, d.Text)
		}
		var about struct {
			APIVersion string
			Metadata   struct{ Name, Namespace string }
		}
		must(t, yaml.Unmarshal([]byte(d.Text), &about))
		if about.APIVersion != apiVersions[d.Kind] || about.Metadata.Namespace != chart.Release || len(about.Metadata.Name) > 63 {
			t.Errorf("%s %s %q in namespace %q", about.APIVersion, d.Kind, about.Metadata.Name, about.Metadata.Namespace)
		}
		name := d.Kind + "/" + about.Metadata.Name
		if objects[name] != nil {
			t.Errorf("%s is there twice", name)
		}
		objects[name] = object
	}
	return objects
}

func render(t *testing.T, values map[string]any) map[string]any {
	t.Helper()
	documents, err := chart.Render(deploy("helm/tenant-api"), values)
	must(t, err)
	return decode(t, documents)
}

func TestChart_Matrix(t *testing.T) {
	t.Parallel()
	for name, text := range matrix {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := values(t, text)
			for _, message := range lint.RunAll(deploy("helm/tenant-api"), v, chart.Release).Messages {
				if message.Severity > support.InfoSev {
					t.Errorf("lint: %v", message)
				}
			}
			objects := render(t, v)
			for name, object := range objects {
				switch o := object.(type) {
				case *appsv1.Deployment:
					checkPod(t, name, o.Spec.Template)
					for label, value := range o.Spec.Selector.MatchLabels {
						if o.Spec.Template.Labels[label] != value {
							t.Errorf("%s selects %s=%s, which its pods do not have", name, label, value)
						}
					}
				case *batchv1.Job:
					checkPod(t, name, o.Spec.Template)
					if o.Annotations["helm.sh/hook"] != "pre-install,pre-upgrade" {
						t.Errorf("%s is no hook: %v", name, o.Annotations)
					}
				case *corev1.Service:
					checkService(t, name, o, objects)
				case *autoscalingv2.HorizontalPodAutoscaler:
					target, _ := objects["Deployment/"+o.Spec.ScaleTargetRef.Name].(*appsv1.Deployment)
					if target == nil || target.Spec.Replicas != nil {
						t.Errorf("%s scales %q, which is not there or has a number of its own", name, o.Spec.ScaleTargetRef.Name)
					}
				case *policyv1.PodDisruptionBudget:
					selected := selectedBy(objects, o.Spec.Selector.MatchLabels)
					if len(selected) != 1 {
						t.Errorf("%s selects %v", name, selected)
					}
				case *networkingv1.NetworkPolicy:
					if len(selectedBy(objects, o.Spec.PodSelector.MatchLabels)) != 2 {
						t.Errorf("%s does not select both deployments", name)
					}
				case *monitoringv1.PrometheusRule:
					checkRules(t, o)
				}
			}
			if len(selectedBy(objects, nil)) != 2 {
				t.Errorf("objects: %v", slices.Sorted(maps.Keys(objects)))
			}
		})
	}
}

// selectedBy lists the deployments whose pods have all labels.
func selectedBy(objects map[string]any, labels map[string]string) (names []string) {
	for name, object := range objects {
		d, ok := object.(*appsv1.Deployment)
		if !ok {
			continue
		}
		matches := true
		for label, value := range labels {
			matches = matches && d.Spec.Template.Labels[label] == value
		}
		if matches {
			names = append(names, name)
		}
	}
	return names
}

func checkService(t *testing.T, name string, s *corev1.Service, objects map[string]any) {
	t.Helper()
	selected := selectedBy(objects, s.Spec.Selector)
	if len(selected) == 0 {
		t.Errorf("%s selects no pods", name)
	}
	for _, d := range selected {
		for _, port := range s.Spec.Ports {
			container := objects[d].(*appsv1.Deployment).Spec.Template.Spec.Containers[0]
			if !slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.Name == port.TargetPort.StrVal }) {
				t.Errorf("%s leads to port %q of %s, which has none", name, port.TargetPort.StrVal, d)
			}
		}
	}
}

func checkRules(t *testing.T, o *monitoringv1.PrometheusRule) {
	t.Helper()
	files, err := filepath.Glob(deploy("prometheus/*.rules.yml"))
	must(t, err)
	var want, got []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		must(t, err)
		var rules monitoringv1.PrometheusRuleSpec
		must(t, yaml.UnmarshalStrict(text, &rules))
		for _, group := range rules.Groups {
			for _, rule := range group.Rules {
				want = append(want, fmt.Sprintf("%s %s %v", rule.Alert, rule.Expr.StrVal, rule.Annotations))
			}
		}
	}
	for _, group := range o.Spec.Groups {
		for _, rule := range group.Rules {
			got = append(got, fmt.Sprintf("%s %s %v", rule.Alert, rule.Expr.StrVal, rule.Annotations))
		}
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("rules\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// checkPod holds a pod to the restricted Pod Security Standard, and to what its containers need.
func checkPod(t *testing.T, name string, template corev1.PodTemplateSpec) {
	t.Helper()
	spec := template.Spec
	isTrue := func(b *bool) bool { return b != nil && *b }
	isFalse := func(b *bool) bool { return b != nil && !*b }
	pod := spec.SecurityContext
	if !isTrue(pod.RunAsNonRoot) || *pod.RunAsUser != imageUser || *pod.RunAsGroup != imageUser || *pod.FSGroup != imageUser ||
		pod.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault || !isFalse(spec.AutomountServiceAccountToken) {
		t.Errorf("%s: pod %+v", name, pod)
	}
	volumes := map[string]bool{}
	for _, volume := range spec.Volumes {
		volumes[volume.Name] = true
	}
	for _, c := range slices.Concat(spec.InitContainers, spec.Containers) {
		s := c.SecurityContext
		if !isFalse(s.AllowPrivilegeEscalation) || !isTrue(s.ReadOnlyRootFilesystem) || !isTrue(s.RunAsNonRoot) ||
			!slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) || len(s.Capabilities.Add) > 0 {
			t.Errorf("%s, container %s: %+v", name, c.Name, s)
		}
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() || c.Resources.Limits.Memory().IsZero() {
			t.Errorf("%s, container %s: resources %+v", name, c.Name, c.Resources)
		}
		for _, mount := range c.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s, container %s mounts %q, which is no volume", name, c.Name, mount.Name)
			}
		}
		for _, variable := range c.Env {
			if isSecretName(variable.Name) && variable.ValueFrom == nil {
				t.Errorf("%s, container %s: %s is in plain text", name, c.Name, variable.Name)
			}
		}
	}
}

// TestChart_RefusesWrongValues: each mistake is named, before anything is installed.
func TestChart_RefusesWrongValues(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ values, message string }{
		"UnknownValue":      {"replicas: 3", "additional properties 'replicas' not allowed"},
		"UnknownInner":      {"server: {replica: 3}", "/server"},
		"WrongType":         {"server: {replicas: two}", "/server/replicas"},
		"NegativeReplicas":  {"worker: {replicas: -1}", "minimum: got -1, want 0"},
		"SecretInSettings":  {"settings: {MAIL_PASSWORD: hunter2}", "MAIL_PASSWORD"},
		"OwnSetting":        {"settings: {APP_PORT: '80'}", "APP_PORT"},
		"NumberAsSetting":   {"settings: {RATE_LIMIT: 500}", "/settings/RATE_LIMIT"},
		"UnknownSecret":     {"secrets: {DATABASE: {secret: a, key: b}}", "DATABASE"},
		"SecretWithoutKey":  {"secrets: {MAIL_PASSWORD: {secret: a}}", "missing property 'key'"},
		"SecretAsText":      {"secrets: {MAIL_PASSWORD: hunter2}", "/secrets/MAIL_PASSWORD"},
		"BadDigest":         {"image: {digest: latest}", "/image/digest"},
		"BadPort":           {"service: {port: 70000}", "/service/port"},
		"BadPullPolicy":     {"image: {pullPolicy: Sometimes}", "/image/pullPolicy"},
		"SecretsAsWhat":     {"secretsAs: environment", "/secretsAs"},
		"NoDatabase":        {"secrets: {DATABASE_URL: null}", "secrets.DATABASE_URL is not set"},
		"IngressNoHost":     {"ingress: {enabled: true}", "ingress.host is not set"},
		"MinOverMax":        {"worker: {autoscaling: {enabled: true, minReplicas: 9}}", "worker.autoscaling.minReplicas is larger than maxReplicas"},
		"SettingAndSecret":  {"settings: {SOROBAN_RPC_URL: 'https://a'}\nsecrets: {SOROBAN_RPC_URL: {secret: a, key: b}}", "SOROBAN_RPC_URL is in settings and in secrets"},
		"BadMetricTarget":   {"worker: {autoscaling: {targetAverageValue: many}}", "/worker/autoscaling/targetAverageValue"},
		"BadScrapeInterval": {"metrics: {serviceMonitor: {interval: often}}", "/metrics/serviceMonitor/interval"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := chart.Render(deploy("helm/tenant-api"), values(t, c.values))
			if err == nil || !strings.Contains(err.Error(), c.message) {
				t.Errorf("error %v, want %q in it", err, c.message)
			}
		})
	}
}

// TestManifests_UpToDate: deploy/kubernetes is what the chart renders.
func TestManifests_UpToDate(t *testing.T) {
	t.Parallel()
	v, err := chart.Values(deploy("kubernetes/values.yaml"))
	must(t, err)
	documents, err := chart.Render(deploy("helm/tenant-api"), v)
	must(t, err)
	files := chart.Manifests(documents)
	for name, want := range files {
		if got, err := os.ReadFile(deploy("kubernetes", name)); err != nil || string(got) != want {
			t.Errorf("deploy/kubernetes/%s is not what the chart renders (%v): run make manifests", name, err)
		}
	}
	committed, err := filepath.Glob(deploy("kubernetes/[0-9]*.yaml"))
	must(t, err)
	if len(committed) != len(files) {
		t.Errorf("files %v, want %v", committed, slices.Sorted(maps.Keys(files)))
	}
}
