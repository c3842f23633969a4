{{- /* Alerts and dashboards know these two labels. */ -}}
{{- define "precompute.monitorRelabelings" -}}
- {targetLabel: job, replacement: precompute}
- {sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_component], targetLabel: role}
{{- end -}}
