{{/*
The manifests of files/ are those that kustomize applies. The templates read them, set on each object what the values
say, and write it: so the two cannot drift apart.
*/}}

{{- define "trainingjob.labels" -}}
app.kubernetes.io/part-of: trainingjob
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* One object as it is applied: (dict "object" ... "root" $). Its namespace is the release's, if it has none yet. */}}
{{- define "trainingjob.object" -}}
{{- $object := .object }}
{{- $metadata := $object.metadata }}
{{- $_ := set $metadata "labels" (merge (include "trainingjob.labels" .root | fromYaml) ($metadata.labels | default dict)) }}
{{- if not (has $object.kind (list "ClusterRole" "ClusterRoleBinding" "PriorityClass" "CustomResourceDefinition")) }}
{{- $_ := set $metadata "namespace" ($metadata.namespace | default .root.Release.Namespace) }}
{{- end }}
{{- range $subject := $object.subjects | default list }}
{{- $_ := set $subject "namespace" $.root.Release.Namespace }}
{{- end }}
---
{{ toYaml $object }}
{{ end }}

{{/* The objects of a file as they are applied: (dict "file" ... "root" $). */}}
{{- define "trainingjob.file" -}}
{{- range $object := include "trainingjob.read" . | fromYamlArray }}
{{- include "trainingjob.object" (dict "object" $object "root" $.root) }}
{{- end }}
{{- end }}

{{/* The objects of a file as a list. */}}
{{- define "trainingjob.read" -}}
{{- $objects := list }}
{{- range $text := regexSplit "(?m)^---$" (.root.Files.Get .file | required (printf "%s is missing in the chart" .file)) -1 }}
{{- $objects = append $objects (fromYaml $text) }}
{{- end }}
{{- toYaml $objects }}
{{- end }}

{{/* repository:tag, or repository@digest: (dict "image" ... "root" $). */}}
{{- define "trainingjob.image" -}}
{{- if .image.digest }}{{ .image.repository }}@{{ .image.digest }}
{{- else }}{{ .image.repository }}:{{ .image.tag | default .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{/* Pull secrets as pods name them, if there are any. */}}
{{- define "trainingjob.pullSecrets" -}}
{{- range .Values.imagePullSecrets }}
- name: {{ . }}
{{- end }}
{{- end }}

{{/*
What the values say about a Deployment, set on it: (dict "deployment" ... "values" ... "root" $), values such as .Values.operator.
*/}}
{{- define "trainingjob.deployment" -}}
{{- $deployment := .deployment }}
{{- $_ := set $deployment.spec "replicas" .values.replicas }}
{{- $template := $deployment.spec.template }}
{{- $_ := set $template.metadata "labels" (merge (deepCopy $template.metadata.labels) .values.podLabels) }}
{{- with .values.podAnnotations }}{{ $_ := set $template.metadata "annotations" . }}{{ end }}
{{- $pod := $template.spec }}
{{- with include "trainingjob.pullSecrets" .root | fromYamlArray }}{{ $_ := set $pod "imagePullSecrets" . }}{{ end }}
{{- with .values.nodeSelector }}{{ $_ := set $pod "nodeSelector" . }}{{ end }}
{{- with .values.affinity }}{{ $_ := set $pod "affinity" . }}{{ end }}
{{- with .values.tolerations }}{{ $_ := set $pod "tolerations" (concat ($pod.tolerations | default list) .) }}{{ end }}
{{- $container := index $pod.containers 0 }}
{{- $_ := set $container "image" (include "trainingjob.image" (dict "image" .values.image "root" .root)) }}
{{- with .values.image.pullPolicy }}{{ $_ := set $container "imagePullPolicy" . }}{{ end }}
{{- $_ := set $container "resources" .values.resources }}
{{- end }}

{{/* "true" if the operator asks who reads its /metrics, else empty. */}}
{{- define "trainingjob.metricsAuth" -}}
{{- if kindIs "bool" .Values.metrics.auth }}{{ ternary "true" "" .Values.metrics.auth }}
{{- else }}{{ ternary "" "true" (gt (len .Values.namespaces) 0) }}
{{- end }}
{{- end }}
