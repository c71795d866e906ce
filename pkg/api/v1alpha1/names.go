package v1alpha1

// Labels and annotations that Firebreak reads or writes.
const (
	// LabelMaintenance set to "true" declares a workload to be maintenance, whatever it runs.
	LabelMaintenance = GroupName + "/maintenance"
	// LabelProtected set to "true" is the default selector of protected state.
	LabelProtected = GroupName + "/protected"
	// AnnotationTargetEnvironment names the environment that a manifest is meant for. An object that carries it is
	// refused wherever else it is sent.
	AnnotationTargetEnvironment = GroupName + "/target-environment"
	// AnnotationDenial is the id of a denial, which ends its message, and AnnotationUser the user that sent the request: both stand on the Events that
	// tell what rules objected to.
	AnnotationDenial = GroupName + "/denial"
	AnnotationUser   = GroupName + "/user"
	// AnnotationSealed set to "true" on a Production Environment ends the hour in which the boundary may be
	// edited freely.
	AnnotationSealed = GroupName + "/sealed"
	// LabelWindowUID is on every ChangeExecution. It holds the UID of the window that the execution used.
	LabelWindowUID = GroupName + "/window-uid"
	// LabelDeclared set to "true" marks an object that the chart's values declare. It is deleted when they no longer
	// declare it.
	LabelDeclared = GroupName + "/declared"
	// LabelExecutionState is on the record of a slot that was given back.
	LabelExecutionState = GroupName + "/execution-state"
)

// ConditionPendingApproval is on environments and data stores that the chart's values declare. It is true if the
// declaration would weaken the boundary and waits for a window.
const ConditionPendingApproval = "PendingApproval"

// ConditionFirewall is on environments of tiers that are kept apart, where the chart's values have Firebreak write network policies. It is true
// if those of all its namespaces are in place.
const ConditionFirewall = "Firewall"

// RuleName is the name of a rule. Rule names are API: they appear in messages, metrics, reports and in
// Environment.spec.enforcement.rules.
// +kubebuilder:validation:MaxLength=40
type RuleName string

// The rules. The order is that of the design: requester, content, change control.
const (
	RuleIdentityOutsideEnvironment RuleName = "IdentityOutsideEnvironment"
	RuleGrantAcrossTiers           RuleName = "GrantAcrossTiers"
	RuleBoundaryTampering          RuleName = "BoundaryTampering"

	RuleDataStoreAcrossTiers  RuleName = "DataStoreAcrossTiers"
	RuleNamespaceAcrossTiers  RuleName = "NamespaceAcrossTiers"
	RuleCredentialAcrossTiers RuleName = "CredentialAcrossTiers"
	RulePlacementAcrossTiers  RuleName = "PlacementAcrossTiers"
	RuleRouteAcrossTiers      RuleName = "RouteAcrossTiers"
	RuleStorageAcrossTiers    RuleName = "StorageAcrossTiers"

	RuleChangeWindowRequired RuleName = "ChangeWindowRequired"
	RulePlanMismatch         RuleName = "PlanMismatch"
	RuleTargetNotConfirmed   RuleName = "TargetNotConfirmed"
	RuleExecutionsExhausted  RuleName = "ExecutionsExhausted"
	RuleInteractiveAccess    RuleName = "InteractiveAccess"
	RuleChangeFrozen         RuleName = "ChangeFrozen"
	RuleProtectedState       RuleName = "ProtectedState"
	RuleBlastRadius          RuleName = "BlastRadius"
)

// RuleNames lists every rule name that the API accepts, in the order of the constants.
func RuleNames() []RuleName {
	return []RuleName{
		RuleIdentityOutsideEnvironment, RuleGrantAcrossTiers, RuleBoundaryTampering,
		RuleDataStoreAcrossTiers, RuleNamespaceAcrossTiers, RuleCredentialAcrossTiers,
		RulePlacementAcrossTiers, RuleRouteAcrossTiers, RuleStorageAcrossTiers,
		RuleChangeWindowRequired, RulePlanMismatch, RuleTargetNotConfirmed, RuleExecutionsExhausted,
		RuleInteractiveAccess, RuleChangeFrozen, RuleProtectedState, RuleBlastRadius,
	}
}

// Operations lists the operations that a window may permit, as the API accepts them.
func Operations() []Operation {
	return []Operation{
		OperationCreate, OperationUpdate, OperationDelete, OperationScale, OperationExec, OperationAttach,
		OperationPortForward, OperationProxy, OperationDebug,
	}
}
