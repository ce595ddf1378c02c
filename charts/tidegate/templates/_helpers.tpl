{{- define "tidegate.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{ include "tidegate.selector" . }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "tidegate.selector" -}}
app.kubernetes.io/name: tidegate
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The labels of a component's pods: no versions, or a new chart would restart what it leaves as it is.
       Takes a list: the root, the component. */ -}}
{{- define "tidegate.podLabels" -}}
{{- with (index (index . 0).Values (index . 1)).podLabels }}
{{ toYaml . }}
{{- end }}
{{ include "tidegate.selector" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "tidegate.image" -}}
{{- $tag := .Values.image.tag | default (ternary "" .Chart.AppVersion (ne .Values.image.digest "")) -}}
{{ .Values.image.repository }}{{ with $tag }}:{{ . }}{{ end }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- /* The name of a service account as the API server spells its user. Takes a list: the root, the component. */ -}}
{{- define "tidegate.user" -}}
{{- $root := index . 0 -}}
system:serviceaccount:{{ $root.Release.Namespace }}:{{ (index $root.Values (index . 1)).serviceAccount.name }}
{{- end }}

{{- /* The subject of a binding. Takes a list: the root, the component. */ -}}
{{- define "tidegate.subject" -}}
{{- $root := index . 0 -}}
- kind: ServiceAccount
  name: {{ (index $root.Values (index . 1)).serviceAccount.name }}
  namespace: {{ $root.Release.Namespace }}
{{- end }}

{{- /* The service account of a component. Takes a list: the root, the component. */ -}}
{{- define "tidegate.serviceAccount" -}}
{{- $root := index . 0 -}}
{{- $account := (index $root.Values (index . 1)).serviceAccount -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $account.name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tidegate.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ index . 1 }}
  {{- with $account.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "tidegate.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "tidegate.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{- define "tidegate.pullSecrets" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* What a pod may be started with, beside its command. Takes the component's values. */ -}}
{{- define "tidegate.env" -}}
{{- with .env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Where a pod may run. Takes a list: the root, the component. One lost node must not be all of several. */ -}}
{{- define "tidegate.placement" -}}
{{- $root := index . 0 -}}
{{- $values := index $root.Values (index . 1) -}}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- else }}
{{- if gt ($values.replicas | int) 1 }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "tidegate.selector" $root | nindent 8 }}
        app.kubernetes.io/component: {{ index . 1 }}
{{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- /* Keeps a drain from taking all pods of a component at once. Takes a list: the root, the component. */ -}}
{{- define "tidegate.disruptionBudget" -}}
{{- $root := index . 0 -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: tidegate-{{ index . 1 }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "tidegate.labels" $root | nindent 4 }}
    app.kubernetes.io/component: {{ index . 1 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels:
      {{- include "tidegate.selector" $root | nindent 6 }}
      app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- /* Whether there are webhooks: their configurations belong to the cluster. */ -}}
{{- define "tidegate.webhooks" -}}
{{- if and .Values.webhook.enabled (not .Values.watchNamespace) }}true{{ end -}}
{{- end }}

{{- /* What all webhooks share, but for their name, path and rules. Takes a list: the root, the timeout in seconds. */ -}}
{{- define "tidegate.webhook" -}}
{{- $values := (index . 0).Values.webhook -}}
admissionReviewVersions: [v1]
sideEffects: None
matchPolicy: Equivalent
failurePolicy: Ignore # operator and gateway compute the same defaults; what must hold stands in the schema
timeoutSeconds: {{ index . 1 | int }}
namespaceSelector:
  matchExpressions: # not those that were handed to an installation of their own
    - key: tidegate.io/installation
      operator: DoesNotExist
    {{- with $values.namespaceSelector.matchExpressions }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with $values.namespaceSelector.matchLabels }}
  matchLabels:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
