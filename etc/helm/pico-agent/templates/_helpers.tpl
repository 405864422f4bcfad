{{/* The name of everything in a release; short enough for the names of pods behind it. */}}
{{- define "pico-agent.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selects the pods; never changes. */}}
{{- define "pico-agent.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "pico-agent.labels" -}}
{{ include "pico-agent.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "pico-agent.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "pico-agent.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The agent's configuration; what values of their own say wins over config. */}}
{{- define "pico-agent.config" -}}
{{- $ours := dict
  "connect" (dict "url" .Values.connect.url)
  "connections" (int .Values.connections)
  "listeners" .Values.listeners
  "server" (dict "enabled" true "bind_addr" ":5000")
  "grace_period" (printf "%ds" (int .Values.gracePeriod))
-}}
{{- mergeOverwrite (deepCopy .Values.config) $ours | toYaml -}}
{{- end -}}
