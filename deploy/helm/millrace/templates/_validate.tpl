{{/*
What contradicts itself fails at render with one sentence: what is wrong and what to do. A value that may be a secret is never repeated.
*/}}
{{- define "millrace.validate" -}}
{{- include "millrace.validate.services" . -}}
{{- include "millrace.validate.secrets" . -}}
{{- include "millrace.validate.replicas" . -}}
{{- include "millrace.validate.rest" . -}}
{{- end -}}

{{- define "millrace.validate.services" -}}
{{- with .Values -}}
{{- if not .settings.kafkaBrokers -}}
{{- fail "no Kafka is named: set settings.kafkaBrokers, such as [kafka-0.kafka:9092]" -}}
{{- end -}}
{{- if not (or .settings.redisUrl .secretKeys.redisUrl) -}}
{{- fail "no Redis is named: set settings.redisUrl, or, where it holds a password, secretKeys.redisUrl to its key in existingSecret" -}}
{{- end -}}
{{- if and .sink.enabled (not (or .settings.opensearchUrl .secretKeys.opensearchUrl)) -}}
{{- fail "the sink has no store: set settings.opensearchUrl, or, where it holds a password, secretKeys.opensearchUrl to its key in existingSecret" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "millrace.validate.secrets" -}}
{{- with .Values -}}
{{- range $setting := list "redisUrl" "opensearchUrl" -}}
{{- $text := include "millrace.text" (default "" (get $.Values.settings $setting)) -}}
{{- if and $text (get $.Values.secretKeys $setting) -}}
{{- fail (printf "settings.%s and secretKeys.%s are both set: unset one of them" $setting $setting) -}}
{{- end -}}
{{- if regexMatch "@|\\?" $text -}}
{{- fail (printf "settings.%s holds a login, which would stand in the manifests: put it into a Secret and name it with existingSecret and secretKeys.%s" $setting $setting) -}}
{{- end -}}
{{- end -}}
{{- if and (or .secretKeys .pipeline.secretOptions) (not .existingSecret) -}}
{{- fail "secretKeys or pipeline.secretOptions name keys of a Secret, but existingSecret does not name the Secret" -}}
{{- end -}}
{{- range $setting, $from := .settingFiles -}}
{{- if eq (empty $from.secret) (empty $from.configMap) -}}
{{- fail (printf "settingFiles.%s must name either a secret or a configMap" $setting) -}}
{{- end -}}
{{- end -}}
{{- $mechanism := default "none" .settings.kafkaSaslMechanism -}}
{{- if and (has $mechanism (list "plain" "scram-sha-256" "scram-sha-512")) (not (and .settings.kafkaSaslUsername .secretKeys.kafkaSaslPassword)) -}}
{{- fail (printf "settings.kafkaSaslMechanism is %s: set settings.kafkaSaslUsername, and secretKeys.kafkaSaslPassword to its key in existingSecret" $mechanism) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "millrace.validate.replicas" -}}
{{- $slots := include "millrace.slots" . | int -}}
{{- $processes := include "millrace.processes" . | int -}}
{{- with .Values.worker -}}
{{- if and .autoscaling.enabled .keda.enabled -}}
{{- fail "worker.autoscaling and worker.keda are both enabled and would pull the workers to and fro: enable one of them" -}}
{{- end -}}
{{- if and .keda.enabled (eq (toString $.Values.settings.kafkaSaslMechanism) "oauthbearer") (not .keda.authenticationRef) -}}
{{- fail "KEDA cannot run the module that brings the workers' tokens: name a TriggerAuthentication with its own login in worker.keda.authenticationRef" -}}
{{- end -}}
{{- $wanted := dict "worker.replicas" .replicas -}}
{{- if .autoscaling.enabled -}}
{{- $wanted = dict "worker.autoscaling.maxReplicas" .autoscaling.maxReplicas "worker.autoscaling.minReplicas" .autoscaling.minReplicas -}}
{{- else if .keda.enabled -}}
{{- $wanted = dict "worker.keda.maxReplicas" .keda.maxReplicas "worker.keda.minReplicas" .keda.minReplicas -}}
{{- end -}}
{{- range $name, $replicas := $wanted -}}
{{- if gt (mul (default 0 $replicas) $processes) $slots -}}
{{- fail (printf "%s is %d with %d worker process(es) in each pod, but the pipeline has %d slots (the partitions of its input, unless settings.slots is less): more would have nothing to do, so lower it or correct pipeline.input.partitions" $name (int $replicas) $processes $slots) -}}
{{- end -}}
{{- end -}}
{{- range $name, $scaler := dict "worker.autoscaling" .autoscaling "worker.keda" .keda -}}
{{- if and $scaler.enabled $scaler.maxReplicas (gt (int $scaler.minReplicas) (int $scaler.maxReplicas)) -}}
{{- fail (printf "%s.minReplicas is above its maxReplicas" $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "millrace.validate.rest" -}}
{{- if and .Values.pipeline.image .Values.pipeline.configMap -}}
{{- fail "pipeline.image and pipeline.configMap are both set: your modules come from one of them" -}}
{{- end -}}
{{- if and .Values.coordinator.ingress.enabled (not (include "millrace.hasLogin" .)) -}}
{{- fail "coordinator.ingress would show the coordinator to everybody: set a login with secretKeys.httpToken, or with settings.httpUser and secretKeys.httpPassword" -}}
{{- end -}}
{{- if and .Values.coordinator.ingress.enabled (not .Values.coordinator.ingress.hosts) -}}
{{- fail "coordinator.ingress is enabled and has no host: set coordinator.ingress.hosts" -}}
{{- end -}}
{{- $drain := include "millrace.drain" . | int -}}
{{- range $component := list "coordinator" "worker" "sink" -}}
{{- $own := int (include "millrace.terminationGracePeriod" (dict "root" $ "component" $component)) -}}
{{- if le $own $drain -}}
{{- fail (printf "%s.terminationGracePeriodSeconds is %d, but a drain may take %d s (settings.grace and 2 s): Kubernetes would kill it before its end" $component $own $drain) -}}
{{- end -}}
{{- end -}}
{{- end -}}
