{{/* Port numbers in a list of addresses or URLs, as a JSON list; an address without one counts as `fallback`. Takes (dict "addresses" list "fallback" 6379). */}}
{{- define "millrace.portsOf" -}}
{{- $fallback := .fallback -}}
{{- $ports := list -}}
{{- range .addresses -}}
{{- $host := regexReplaceAll "^[a-z]+://" . "" | regexFind "^[^/?]+" -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" $host | trimPrefix ":" | default (toString $fallback) | int) -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}

{{/* One rule to a service: its own ports and peers, else those of its addresses. Takes (dict "own" values "addresses" list "fallback" 6379). */}}
{{- define "millrace.egressTo" -}}
{{- $ports := .own.ports | default (include "millrace.portsOf" . | fromJsonArray) | default (list .fallback) -}}
- ports:
    {{- range $ports }}
    - { protocol: TCP, port: {{ int . }} }
    {{- end }}
  {{- with .own.to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Addresses of a setting: a list, or a text with commas. */}}
{{- define "millrace.addresses" -}}
{{- $text := include "millrace.text" (default "" .) -}}
{{- if $text -}}{{- regexSplit "\\s*,\\s*" $text -1 | toJson -}}{{- else -}}[]{{- end -}}
{{- end -}}
