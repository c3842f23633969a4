{{- define "precompute.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- /* Room is left for the longest suffix that a component adds. */ -}}
{{- define "precompute.fullname" -}}
{{- $name := include "precompute.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 45 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 45 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 45 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "precompute.selector" -}}
app.kubernetes.io/name: {{ include "precompute.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "precompute.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{ include "precompute.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- /* Labels of one role's objects: (dict "root" $ "role" "worker"). */ -}}
{{- define "precompute.roleLabels" -}}
{{ include "precompute.labels" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "precompute.roleSelector" -}}
{{ include "precompute.selector" .root }}
app.kubernetes.io/component: {{ .role }}
{{- end -}}

{{- define "precompute.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "precompute.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "precompute.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}
