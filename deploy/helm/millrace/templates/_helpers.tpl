{{/* Names and labels. */}}
{{- define "millrace.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Takes (dict "root" $ "component" "worker"); a component of "" is the release as a whole. */}}
{{- define "millrace.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "millrace.labels" -}}
{{ include "millrace.selectorLabels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: millrace
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "millrace.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "millrace.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "millrace.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}{{ .repository }}@{{ .digest }}{{- else -}}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}{{- end -}}
{{- end -}}
{{- end -}}

{{/* A value as text: lists by commas, and no number as 1e+06. */}}
{{- define "millrace.text" -}}
{{- if kindIs "slice" . -}}{{ join "," . }}
{{- else if and (kindIs "float64" .) (eq (floor .) .) -}}{{ int64 . }}
{{- else -}}{{ toString . }}
{{- end -}}
{{- end -}}

{{/* A duration ("8s", "1.5m", 250) in milliseconds. */}}
{{- define "millrace.milliseconds" -}}
{{- $text := include "millrace.text" . -}}
{{- $unit := regexFind "[a-z]+$" $text | default "ms" -}}
{{- mulf (regexFind "^[0-9.]+" $text | float64) (get (dict "ms" 1.0 "s" 1000.0 "m" 60000.0 "h" 3600000.0) $unit) | ceil | int64 -}}
{{- end -}}

{{/* A duration in whole seconds, rounded up. */}}
{{- define "millrace.seconds" -}}
{{- divf (include "millrace.milliseconds" . | float64) 1000.0 | ceil | int64 -}}
{{- end -}}

{{/* Longest drain in seconds: MILLRACE_GRACE, and what a supervisor waits beyond it. */}}
{{- define "millrace.drain" -}}
{{- add (include "millrace.seconds" (default "8s" .Values.settings.grace) | int) 2 -}}
{{- end -}}

{{/* Takes (dict "root" $ "component" "worker"). */}}
{{- define "millrace.terminationGracePeriod" -}}
{{- $own := (get .root.Values .component).terminationGracePeriodSeconds -}}
{{- if kindIs "invalid" $own -}}
{{- max 30 (add (include "millrace.seconds" (default "8s" .root.Values.settings.grace) | int) 10) -}}
{{- else -}}
{{- int $own -}}
{{- end -}}
{{- end -}}

{{/* "true" where a login guards the coordinator's HTTP server. */}}
{{- define "millrace.hasLogin" -}}
{{- with .Values -}}
{{- if or .secretKeys.httpToken (and .settings.httpUser .secretKeys.httpPassword) -}}true{{- end -}}
{{- end -}}
{{- end -}}

{{/* Slots of the pipeline: no more worker processes can own anything. */}}
{{- define "millrace.slots" -}}
{{- min (int .Values.pipeline.input.partitions) (int (default 256 .Values.settings.slots)) -}}
{{- end -}}

{{- define "millrace.processes" -}}{{ int (default 1 .Values.settings.processes) }}{{- end -}}

{{/* Most worker pods that have something to do. */}}
{{- define "millrace.mostReplicas" -}}
{{- max 1 (div (include "millrace.slots" . | int) (include "millrace.processes" . | int)) -}}
{{- end -}}

{{- define "millrace.userPipelines" -}}/app/pipelines/user{{- end -}}

{{- define "millrace.module" -}}
{{- with .Values.pipeline -}}
{{- if .module -}}{{ .module }}
{{- else if or .image .configMap -}}{{ include "millrace.userPipelines" $ }}/pipeline.ts
{{- else -}}{{ .name }}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* MILLRACE_OPTION_TOKEN_KEY of token_key and tokenKey alike. */}}
{{- define "millrace.optionVariable" -}}
MILLRACE_OPTION_{{ regexReplaceAll "([a-z0-9])([A-Z])" . "${1}_${2}" | upper }}
{{- end -}}
