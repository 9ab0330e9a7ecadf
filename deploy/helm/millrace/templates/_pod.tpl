{{/*
What a component's process finds in its Secret files: name of a variable -> key, as YAML. Each gets its share only: the login of the
HTTP server and the alert hook are the coordinator's, OpenSearch's the sink's, which needs no Redis; the pipeline's own secrets are the workers'.
Takes (dict "root" $ "component" "worker").
*/}}
{{- define "millrace.secrets" -}}
{{- $component := .component -}}
{{- $names := .root.Files.Get "files/settings.json" | fromJson -}}
{{- $found := dict -}}
{{- range $setting, $key := .root.Values.secretKeys -}}
{{- $owners := list "coordinator" "worker" "sink" -}}
{{- if or (hasPrefix "http" $setting) (hasPrefix "alert" $setting) -}}{{- $owners = list "coordinator" -}}{{- end -}}
{{- if hasPrefix "opensearch" $setting -}}{{- $owners = list "sink" -}}{{- end -}}
{{- if hasPrefix "redis" $setting -}}{{- $owners = list "coordinator" "worker" -}}{{- end -}}
{{- if has $component $owners -}}
{{- $_ := set $found (printf "%s_FILE" (get $names $setting)) $key -}}
{{- end -}}
{{- end -}}
{{- if eq $component "worker" -}}
{{- range $option, $key := .root.Values.pipeline.secretOptions -}}
{{- $_ := set $found (printf "%s_FILE" (include "millrace.optionVariable" $option)) $key -}}
{{- end -}}
{{- end -}}
{{- toYaml $found -}}
{{- end -}}

{{/* What every process is told beside the ConfigMap. */}}
{{- define "millrace.env" -}}
{{- $root := .root -}}
{{- $names := $root.Files.Get "files/settings.json" | fromJson -}}
- name: MILLRACE_METRICS_HOST
  value: {{ $root.Values.metrics.host | quote }}
- name: MILLRACE_METRICS_PORT
  value: {{ $root.Values.metrics.port | int | quote }}
- name: MILLRACE_ADVERTISED_HOST
  valueFrom:
    fieldRef:
      fieldPath: status.podIP
{{- range $variable, $key := include "millrace.secrets" . | fromYaml }}
- name: {{ $variable }}
  value: /etc/millrace/secrets/{{ $key }}
{{- end }}
{{- range $setting, $from := $root.Values.settingFiles }}
- name: {{ get $names $setting }}
  value: /etc/millrace/files/{{ $setting }}
{{- end }}
{{- with $root.Values.otlp.endpoint }}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: {{ . | quote }}
{{- end }}
{{- with $root.Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "millrace.volumeMounts" -}}
{{- $root := .root -}}
- name: tmp
  mountPath: /tmp
{{- if include "millrace.secrets" . | fromYaml }}
- name: secrets
  mountPath: /etc/millrace/secrets
  readOnly: true
{{- end }}
{{- if $root.Values.settingFiles }}
- name: files
  mountPath: /etc/millrace/files
  readOnly: true
{{- end }}
{{- with $root.Values.pipeline }}
{{- if or .image .configMap }}
- name: pipelines
  mountPath: {{ include "millrace.userPipelines" $root }}
  readOnly: true
  {{- if and .image (eq .imageMount "volume") (ne (trimAll "/" .imagePath) "") }}
  subPath: {{ trimAll "/" .imagePath }}
  {{- end }}
{{- end }}
{{- end }}
{{- with $root.Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "millrace.volumes" -}}
{{- $root := .root -}}
- name: tmp
  emptyDir:
    sizeLimit: 64Mi
{{- with include "millrace.secrets" . | fromYaml }}
- name: secrets
  secret:
    secretName: {{ $root.Values.existingSecret }}
    defaultMode: 0440
    items:
      {{- range $key := values . | uniq | sortAlpha }}
      - key: {{ $key }}
        path: {{ $key }}
      {{- end }}
{{- end }}
{{- with $root.Values.settingFiles }}
- name: files
  projected:
    defaultMode: 0440
    sources:
      {{- range $setting, $from := . }}
      - {{ if $from.secret }}secret{{ else }}configMap{{ end }}:
          name: {{ default $from.configMap $from.secret }}
          items:
            - key: {{ $from.key }}
              path: {{ $setting }}
      {{- end }}
{{- end }}
{{- with $root.Values.pipeline }}
{{- if .configMap }}
- name: pipeline-files
  configMap:
    name: {{ .configMap }}
{{- end }}
{{- if and .image (eq .imageMount "volume") }}
- name: pipelines
  image:
    reference: {{ .image }}
    pullPolicy: {{ $root.Values.image.pullPolicy }}
{{- else if or .image .configMap }}
- name: pipelines
  emptyDir:
    sizeLimit: 256Mi
{{- end }}
{{- end }}
{{- with $root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "millrace.probes" -}}
{{- $startup := add (include "millrace.seconds" (default "60s" .root.Values.settings.startTimeout) | int) 60 -}}
startupProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 5
  # Longer than MILLRACE_START_TIMEOUT: the process itself says for what it waited.
  failureThreshold: {{ div $startup 5 }}
livenessProbe:
  httpGet: { path: /healthz, port: metrics }
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: { path: /readyz, port: metrics }
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
{{- end -}}

{{- define "millrace.spread" -}}
{{- $own := (get .root.Values .component).topologySpreadConstraints -}}
{{- if kindIs "invalid" $own -}}
{{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
- maxSkew: 1
  topologyKey: {{ $key }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "millrace.selectorLabels" $ | nindent 6 }}
{{- end }}
{{- else if $own -}}
{{- toYaml $own -}}
{{- end -}}
{{- end -}}

{{/*
A component's pod template. Takes (dict "root" $ "component" "worker" "args" (list ...) "ports" (list (dict "name" .. "containerPort" ..)) "env" list).
*/}}
{{- define "millrace.pod" -}}
{{- $root := .root -}}
{{- $values := get $root.Values .component -}}
metadata:
  annotations:
    checksum/config: {{ include (print $root.Template.BasePath "/configmap.yaml") $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  labels:
    {{- /* Without the versions: a new chart alone restarts nobody. */}}
    {{- include "millrace.selectorLabels" . | nindent 4 }}
    {{- with $root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "millrace.serviceAccount" $root }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ include "millrace.terminationGracePeriod" . }}
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with $root.Values.pipeline }}
  {{- if or .configMap (and .image (eq .imageMount "copy")) }}
  initContainers:
    - name: pipelines
      image: {{ default (include "millrace.image" $root) .image }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      command:
        {{- if .configMap }}
        {{- /* Its files are links into a folder of another depth, where the modules' own imports would lead astray. */}}
        - node
        - -e
        - |
          const { copyFileSync, readdirSync } = require('node:fs')
          const [, from, to] = process.argv
          for (const name of readdirSync(from)) if (!name.startsWith('..')) copyFileSync(`${from}/${name}`, `${to}/${name}`)
        - {{ .imagePath }}
        - {{ include "millrace.userPipelines" $root }}
        {{- else }}
        {{- default (list "cp" "-r" (printf "%s/." (trimSuffix "/" .imagePath)) (printf "%s/" (include "millrace.userPipelines" $root))) .copyCommand | toYaml | nindent 8 }}
        {{- end }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      resources:
        requests: { cpu: 50m, memory: 32Mi }
        limits: { memory: 128Mi }
      volumeMounts:
        - name: pipelines
          mountPath: {{ include "millrace.userPipelines" $root }}
        {{- if .configMap }}
        - name: pipeline-files
          mountPath: {{ .imagePath }}
          readOnly: true
        {{- end }}
  {{- end }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "millrace.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        {{- toYaml .args | nindent 8 }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ include "millrace.fullname" $root }}
      env:
        {{- with .env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- include "millrace.env" . | nindent 8 }}
      ports:
        {{- toYaml .ports | nindent 8 }}
      {{- include "millrace.probes" . | nindent 6 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      volumeMounts:
        {{- include "millrace.volumeMounts" . | nindent 8 }}
  volumes:
    {{- include "millrace.volumes" . | nindent 4 }}
  {{- with include "millrace.spread" . }}
  topologySpreadConstraints:
    {{- . | trim | nindent 4 }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
{{- end -}}
