{{- define "firebreak.labels" -}}
app.kubernetes.io/name: firebreak
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "firebreak.selector" -}}
app.kubernetes.io/name: firebreak
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "firebreak.user" -}}
system:serviceaccount:{{ .Release.Namespace }}:firebreak
{{- end }}

{{/* The fewest replicas that there are meant to be. */}}
{{- define "firebreak.fewest" -}}
{{- if .Values.autoscaling.enabled }}{{ .Values.autoscaling.minReplicas }}{{ else }}{{ .Values.replicas }}{{ end }}
{{- end }}

{{- define "firebreak.image" -}}
{{ required "image.repository is required: no image is published yet; build one with make image and push it" .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* clientConfig of a webhook; the argument is (list root path). */}}
{{- define "firebreak.clientConfig" -}}
{{- $root := index . 0 -}}
{{- $path := index . 1 -}}
clientConfig:
{{- if $root.Values.webhook.url }}
  url: {{ printf "%s%s" (trimSuffix "/" $root.Values.webhook.url) $path | quote }}
{{- else }}
  service:
    namespace: {{ $root.Release.Namespace }}
    name: firebreak
    path: {{ $path }}
    port: 443
{{- end }}
{{- end }}

{{/* Namespaces are excluded by name only. */}}
{{- define "firebreak.namespaceSelector" -}}
{{- if .Values.webhook.excludedNamespaces }}
namespaceSelector:
  matchExpressions:
    - key: kubernetes.io/metadata.name
      operator: NotIn
      values: {{ toJson .Values.webhook.excludedNamespaces }}
{{- end }}
{{- end }}

{{/*
CEL: the request comes from one of Kubernetes' own controllers. A service account without UID and credential-id is an
impersonated one, or shows a long-lived token: it is judged like anybody.
*/}}
{{- define "firebreak.isController" -}}
(request.userInfo.username == 'system:kube-controller-manager' ||
 {{- range concat .Values.extraControllers (get .Values.platforms .Values.platform | default list) }}
 {{- if not (contains "/" .) }}
 request.userInfo.username == '{{ . }}' ||
 {{- end }}
 {{- end }}
 {{- $accounts := list }}
 {{- range .Values.controllers }}{{ $accounts = append $accounts (printf "'system:serviceaccount:kube-system:%s'" .) }}{{ end }}
 {{- range concat .Values.extraControllers (get .Values.platforms .Values.platform | default list) }}{{ if contains "/" . }}{{ $accounts = append $accounts (printf "'system:serviceaccount:%s'" (. | replace "/" ":")) }}{{ end }}{{ end }}
 (request.userInfo.username in [{{ join ", " $accounts }}] &&
  has(request.userInfo.uid) && request.userInfo.uid != '' && has(request.userInfo.extra) &&
  'authentication.kubernetes.io/credential-id' in request.userInfo.extra))
{{- end }}

{{/*
CEL: a person sends the request, or somebody who acts as a service account: an account that is impersonated shows no UID.
*/}}
{{- define "firebreak.isPerson" -}}
(!request.userInfo.username.startsWith('system:serviceaccount:') || !has(request.userInfo.uid) || request.userInfo.uid == '')
{{- end }}

{{/*
CEL: core judges the request. Of Kubernetes' own controllers that is little; of automations what runs and who may do what; of
persons everything.
*/}}
{{- define "firebreak.isCore" -}}
({{ include "firebreak.isController" . | nindent 1 | trim }} ?
  ((request.resource.group == 'batch' && request.resource.resource == 'jobs' && request.operation == 'CREATE') ||
   (has(request.subResource) && request.subResource == 'scale' && request.userInfo.username == 'system:serviceaccount:kube-system:horizontal-pod-autoscaler') ||
   (request.resource.group in ['apiextensions.k8s.io', 'apiregistration.k8s.io'] && request.operation != 'CREATE') ||
   (request.resource.group == 'firebreak.dev' && request.resource.resource in ['environments', 'datastores', 'changefreezes', 'exemptions'])) :
  ({{ include "firebreak.isPerson" . }} || request.operation == 'CONNECT' ||
   request.resource.group in ['apps', 'batch', 'rbac.authorization.k8s.io', 'certificates.k8s.io', 'apiextensions.k8s.io', 'apiregistration.k8s.io', 'firebreak.dev'] ||
   (request.resource.group == '' && request.resource.resource in ['pods', 'bindings', 'replicationcontrollers', 'namespaces', 'serviceaccounts', 'nodes'])))
{{- end }}

{{/* Rules for every write to every resource and subresource; what is not sent is left out by matchConditions, each with its reason. */}}
{{- define "firebreak.everyWrite" -}}
- apiGroups: ["*"]
  apiVersions: ["*"]
  operations: [CREATE, UPDATE, DELETE]
  resources: ["*/*"]
{{- end }}

{{/*
A field that is empty is not there at all for CEL, and a condition that fails refuses the request: so each such field is
looked for with has() before it is read.
*/}}
{{/* matchConditions that hold for every validating webhook: what is never sent to Firebreak. */}}
{{- define "firebreak.neverSent" -}}
# Kubelets, the scheduler and the API server itself keep the cluster alive; none of them decides what runs.
- name: not-the-control-plane
  expression: >-
    !('system:nodes' in request.userInfo.groups && request.userInfo.username.startsWith('system:node:') &&
      request.userInfo.groups.all(g, g in ['system:nodes', 'system:authenticated', 'system:bootstrappers', 'system:node-proxier', 'eks:kube-proxy-windows'])) &&
    !(request.userInfo.username in ['system:apiserver', 'system:kube-scheduler'])
# What says how things are, and not how they should be. The labels of a namespace decide what it belongs to, and can be written
# with its status.
- name: not-a-status
  expression: >-
    !(has(request.subResource) && request.subResource == 'status' && request.resource.resource != 'namespaces')
# Records of what happened, and questions.
- name: not-an-event-or-a-review
  expression: >-
    !(request.resource.group in ['events.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io'] ||
      (request.resource.group == '' && request.resource.resource == 'events')) ||
    (has(request.subResource) && request.subResource == 'token')
# The heartbeats of nodes, and by which programs agree on who leads.
- name: not-a-heartbeat
  expression: >-
    !(request.resource.group == 'coordination.k8s.io' && request.resource.resource == 'leases' &&
      (request.userInfo.username.startsWith('system:') || (has(request.namespace) && request.namespace == 'kube-node-lease')))
{{- if .Values.reports.enabled }}
# What Firebreak reports of a scan decides nothing.
- name: not-its-own-report
  expression: >-
    !(request.resource.group == 'openreports.io' && request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:firebreak')
{{- end }}
{{- range .Values.webhook.notSent }}
# {{ .reason }}
- name: {{ .name }}
  expression: >-
    !(request.resource.group in {{ toJson .apiGroups | replace "\"" "'" }} && request.resource.resource in {{ toJson .resources | replace "\"" "'" }}{{ if not .persons }} &&
      !{{ include "firebreak.isPerson" $ }}{{ end }})
{{- end }}
# Without a certificate of its own no node can join, and Firebreak may be what waits for one. The signer gives none but a
# node's.
- name: not-a-nodes-first-certificate
  expression: >-
    !(request.resource.resource == 'certificatesigningrequests' && request.operation == 'CREATE' &&
      'system:bootstrappers' in request.userInfo.groups && request.userInfo.username.startsWith('system:bootstrap:') &&
      object.spec.signerName == 'kubernetes.io/kube-apiserver-client-kubelet')
# Without a token no Pod can start.
- name: not-the-controller-managers-tokens
  expression: >-
    !(request.resource.resource == 'serviceaccounts' && has(request.subResource) && request.subResource == 'token' &&
      request.userInfo.username == 'system:kube-controller-manager')
# A request that Firebreak causes must never wait for a slot that a request it serves can hold. What it applies of the
# declared estate is no such request, and judged like anybody's.
- name: not-firebreaks-own-records
  expression: >-
    !(request.userInfo.username == '{{ include "firebreak.user" . }}' && request.resource.group == 'firebreak.dev' &&
      (!(request.resource.resource in ['environments', 'datastores']) || (has(request.dryRun) && request.dryRun)) &&
      has(request.userInfo.uid) && request.userInfo.uid != '' && has(request.userInfo.extra) &&
      'authentication.kubernetes.io/credential-id' in request.userInfo.extra)
# How the API server shares out its attention must be repairable while requests no longer get through.
- name: not-the-share-of-requests
  expression: >-
    request.resource.group != 'flowcontrol.apiserver.k8s.io'
# Firebreak must be repairable while it is broken: its own Deployment, the deletion of its Pods, and Helm's records of its
# release are left to RBAC. Its windows, its approvals and everything that could take its account are not.
- name: not-firebreaks-own-workloads
  expression: >-
    !(has(request.namespace) && request.namespace == '{{ .Release.Namespace }}' &&
      ((request.resource.group == 'apps' && request.resource.resource == 'deployments' && has(request.name) && request.name == 'firebreak') ||
       (request.resource.group == '' && request.resource.resource == 'secrets' && has(request.name) && request.name.startsWith('sh.helm.release.v1.{{ .Release.Name }}.') &&
        (request.operation == 'DELETE' ? has(oldObject.type) && oldObject.type == 'helm.sh/release.v1' : has(object.type) && object.type == 'helm.sh/release.v1')) ||
       (request.resource.resource == 'pods' && !has(request.subResource) && request.operation == 'DELETE')))
{{- end }}

{{/*
The environments and data stores that the values declare, as YAML; empty: none. One that is null is not declared, though an
earlier values file does.
*/}}
{{- define "firebreak.estate" -}}
{{- $estate := dict -}}
{{- range $kind := list "environments" "dataStores" -}}
{{- $specs := dict -}}
{{- range $name, $spec := index $.Values $kind -}}
{{- if not (kindIs "invalid" $spec) -}}
{{- $_ := set $specs $name $spec -}}
{{- end -}}
{{- end -}}
{{- if $specs -}}
{{- $_ := set $estate $kind $specs -}}
{{- end -}}
{{- end -}}
{{- if $estate -}}
{{- toYaml $estate -}}
{{- end -}}
{{- end }}
