package deploytest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// TestChart_RunsAsProcesses runs the chart's containers as processes, with their commands,
// variables, mounted secrets and user: the job to its end, then server and worker, until a
// tenant is ACTIVE.
func TestChart_RunsAsProcesses(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"tenant-api", "devstack"} {
		program(t, name)
	}
	if !inNamespaces(t) {
		return
	}
	services := startServices(t)
	key := strings.TrimSpace(start(t, "generate", imageUser, nil, program(t, "tenant-api"), "apikey", "generate").succeeds(t))
	secrets := map[string]string{"url": services["DATABASE_URL"], "deployer": services["SOROBAN_CONTRACT_DEPLOYER_SECRET"], "api-key": key}
	objects := render(t, map[string]any{
		"settings": map[string]any{
			"SOROBAN_NETWORK": "local", "SOROBAN_RPC_URL": services["SOROBAN_RPC_URL"], "APP_URL": "http://127.0.0.1:3000",
			"MAIL_HOST": services["MAIL_HOST"], "MAIL_PORT": services["MAIL_PORT"], "MAIL_FROM": services["MAIL_FROM"], "MAIL_TLS": services["MAIL_TLS"],
		},
		"secrets": map[string]any{
			"DATABASE_URL":                     map[string]any{"secret": "tenant-api", "key": "url"},
			"SOROBAN_CONTRACT_DEPLOYER_SECRET": map[string]any{"secret": "tenant-api", "key": "deployer"},
		},
		"apiKey": map[string]any{"secret": "tenant-api"},
		// Here both have the network of one machine, and so one of them the port of metrics.
		"metrics": map[string]any{"port": 9464},
		"worker":  map[string]any{"settings": map[string]any{"LOG_LEVEL": "debug"}},
	})
	job := objects["Job/tenant-api-migrate"].(*batchv1.Job).Spec.Template.Spec
	mountSecrets(t, job, secrets)
	for range 2 { // An upgrade runs it again.
		for _, c := range slices.Concat(job.InitContainers, job.Containers) {
			startContainer(t, c).succeeds(t)
		}
	}
	server := startContainer(t, objects["Deployment/tenant-api-server"].(*appsv1.Deployment).Spec.Template.Spec.Containers[0])
	probes := objects["Deployment/tenant-api-server"].(*appsv1.Deployment).Spec.Template.Spec.Containers[0]
	for _, probe := range []*corev1.Probe{probes.StartupProbe, probes.LivenessProbe, probes.ReadinessProbe} {
		server.eventually(t, "probe "+probe.HTTPGet.Path, func(ctx context.Context) error {
			_, err := get(ctx, "http://127.0.0.1:3000"+probe.HTTPGet.Path, "")
			return err
		})
	}
	worker := objects["Deployment/tenant-api-worker"].(*appsv1.Deployment).Spec.Template.Spec.Containers[0]
	for i := range worker.Env {
		if worker.Env[i].Name == "METRICS_ADDR" {
			worker.Env[i].Value = "127.0.0.1:9465"
		}
	}
	running := startContainer(t, worker)
	running.eventually(t, "the worker's metrics", func(ctx context.Context) error {
		_, err := get(ctx, "http://127.0.0.1:9465/metrics", "")
		return err
	})
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://127.0.0.1:3000/admin/tenants",
		strings.NewReader(`{"name":"Chart Clinic","adminEmail":"ada@chart.example","adminFirstName":"Ada","adminLastName":"Lovelace"}`))
	must(t, err)
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	must(t, decodeResponse(response, nil))
	running.eventually(t, "the tenant is ACTIVE", func(ctx context.Context) error {
		text, err := get(ctx, "http://127.0.0.1:3000/admin/tenants", key)
		if err == nil && !strings.Contains(text, `"status":"ACTIVE"`) {
			err = fmt.Errorf("tenants: %s", text)
		}
		return err
	})
}

// mountSecrets makes the files that a pod's volumes have of Secrets.
func mountSecrets(t *testing.T, pod corev1.PodSpec, secrets map[string]string) {
	t.Helper()
	items := map[string][]corev1.KeyToPath{}
	for _, volume := range pod.Volumes {
		if volume.Secret != nil {
			items[volume.Name] = volume.Secret.Items
		}
		if volume.Projected != nil {
			for _, source := range volume.Projected.Sources {
				items[volume.Name] = append(items[volume.Name], source.Secret.Items...)
			}
		}
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, mount := range c.VolumeMounts {
			must(t, os.MkdirAll(mount.MountPath, 0o755))
			for _, item := range items[mount.Name] {
				path := filepath.Join(mount.MountPath, item.Path)
				must(t, os.WriteFile(path, []byte(secrets[item.Key]+"\n"), 0o440))
				must(t, os.Chown(path, 0, imageUser)) // As fsGroup does it.
			}
		}
	}
}

func startContainer(t *testing.T, c corev1.Container) *process {
	t.Helper()
	var env []string
	for _, variable := range c.Env {
		env = append(env, variable.Name+"="+variable.Value)
	}
	return start(t, c.Name, imageUser, env, append([]string{program(t, "tenant-api")}, c.Args...)...)
}
