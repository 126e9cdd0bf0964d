{{- define "tenant-api.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if contains $name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}
{{- end }}

{{- define "tenant-api.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "tenant-api.labels" -}}
{{ include "tenant-api.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/part-of: healthcare-platform
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 }}
{{- end }}

{{- define "tenant-api.image" -}}
{{- if .Values.image.digest }}{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else }}{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{- /* Secrets of a part: those of all, and in their place its own. Argument: root, part. */ -}}
{{- define "tenant-api.secrets" -}}
{{- $all := merge (dict) (.part.secrets | default dict) .root.Values.secrets }}
{{- if not (or (hasKey $all "DATABASE_URL") (hasKey $all "DB_PASSWORD")) }}
{{- fail "secrets.DATABASE_URL is not set: name the Secret with the connection string of the registry, or with DB_PASSWORD" }}
{{- end }}
{{- $all | toJson }}
{{- end }}

{{- /* Environment of a container. Argument: root, part. */ -}}
{{- define "tenant-api.env" -}}
{{- $secrets := include "tenant-api.secrets" . | fromJson }}
{{- $settings := merge (dict) (.part.settings | default dict) .root.Values.settings (dict "APP_HOST" "0.0.0.0" "APP_PORT" "3000" "METRICS_ADDR" (printf "0.0.0.0:%v" .root.Values.metrics.port)) }}
{{- range $name, $value := $settings }}
{{- if hasKey $secrets $name }}
{{- fail (printf "%s is in settings and in secrets; give it once" $name) }}
{{- end }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name, $from := $secrets }}
{{- if eq $.root.Values.secretsAs "files" }}
- name: {{ $name }}_FILE
  value: /run/secrets/tenant-api/{{ $name }}
{{- else }}
- name: {{ $name }}
  valueFrom:
    secretKeyRef: {name: {{ $from.secret | quote }}, key: {{ $from.key | quote }}}
{{- end }}
{{- end }}
{{- end }}

{{- define "tenant-api.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
runAsNonRoot: true
capabilities: {drop: [ALL]}
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "tenant-api.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if eq .root.Values.secretsAs "files" }}
- {name: secrets, mountPath: /run/secrets/tenant-api, readOnly: true}
{{- end }}
{{- with .root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tenant-api.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 64Mi}
{{- if eq .root.Values.secretsAs "files" }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
    {{- range $name, $from := include "tenant-api.secrets" . | fromJson }}
    - secret:
        name: {{ $from.secret | quote }}
        items: [{key: {{ $from.key | quote }}, path: {{ $name }}}]
    {{- end }}
{{- end }}
{{- with .root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* What all pods have in common. Argument: root, part, component. */ -}}
{{- define "tenant-api.podSettings" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with .root.Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .root.Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .root.Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "tenant-api.spread" -}}
topologySpreadConstraints:
{{- if .root.Values.topologySpreadConstraints }}
  {{- toYaml .root.Values.topologySpreadConstraints | nindent 2 }}
{{- else }}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: 1
    topologyKey: {{ . }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "tenant-api.selector" $.root | nindent 8 }}
        app.kubernetes.io/component: {{ $.component }}
    matchLabelKeys: [pod-template-hash]
{{- end }}
{{- end }}
{{- end }}
