{{/* Spec of the TriggerAuthentication that settings ask for, as YAML; empty where they ask for none. */}}
{{- define "millrace.kedaAuthentication" -}}
{{- $secrets := list -}}
{{- $configMaps := list -}}
{{- with .Values.secretKeys.kafkaSaslPassword -}}
{{- $secrets = append $secrets (dict "parameter" "password" "name" $.Values.existingSecret "key" .) -}}
{{- end -}}
{{- if .Values.settings.kafkaSaslUsername -}}
{{- $configMaps = append $configMaps (dict "parameter" "username" "name" (include "millrace.fullname" .) "key" "MILLRACE_KAFKA_SASL_USERNAME") -}}
{{- end -}}
{{- range $setting, $parameter := dict "kafkaTlsCa" "ca" "kafkaTlsCert" "cert" "kafkaTlsKey" "key" -}}
{{- with get $.Values.settingFiles $setting -}}
{{- $entry := dict "parameter" $parameter "name" (default .configMap .secret) "key" .key -}}
{{- if .secret -}}{{- $secrets = append $secrets $entry -}}{{- else -}}{{- $configMaps = append $configMaps $entry -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- $spec := dict -}}
{{- with $secrets -}}{{- $_ := set $spec "secretTargetRef" . -}}{{- end -}}
{{- with $configMaps -}}{{- $_ := set $spec "configMapTargetRef" . -}}{{- end -}}
{{- with $spec -}}{{- toYaml . -}}{{- end -}}
{{- end -}}
