package cli

// Control is a control of a standard, and what the evidence says about it.
type Control struct {
	Standard string `json:"standard"`
	ID       string `json:"id"`
	// Shows and Lacks say, in own words, what is in the evidence for it and what is not.
	Shows string `json:"shows"`
	Lacks string `json:"lacks"`
}

// controls returns the controls that the evidence speaks to. Sources: the numbering of ISO/IEC 27001:2022 Annex A, the AICPA's Trust Services Criteria of 2017
// (revised 2022), PCI DSS 4.0 and NIST SP 800-53 revision 5. What they demand is not quoted.
func controls() []Control {
	const (
		separation = "Which namespaces are production, what is refused between tiers, and which exemptions and gateways pierce that, until when."
		changes    = "Each change that needed a window: who asked for it and why, who approved it, the digest of what was approved, when it ran and how it ended."
		code       = "How code was reviewed and tested before it came to the cluster, and changes made past the API server."
	)
	return []Control{
		{"ISO/IEC 27001:2022", "A.8.31", separation, "Separation of networks, accounts and repositories outside of this cluster."},
		{"ISO/IEC 27001:2022", "A.8.32", changes, code},
		{"SOC 2", "CC8.1", changes + " Emergencies, with who reviewed them afterwards.", code},
		{"PCI DSS 4.0", "6.5.1", changes, "Impact analysis and test results, unless the ticket of a window leads to them."},
		{"PCI DSS 4.0", "6.5.3", separation, "Separation outside of this cluster."},
		{"PCI DSS 4.0", "6.5.4", "Who may write in production, and that nobody approves their own request.", "Roles outside of this cluster."},
		{"NIST SP 800-53", "CM-3", changes, code},
		{"NIST SP 800-53", "CM-5", "Who holds the rights to approve and to break the glass, and who changed production under which window.", "Access to the machines below the cluster."},
		{"NIST SP 800-53", "AC-5", "That requester and approver of each change are different persons, by the names that the API server knows them by.", "That two names are not one person."},
	}
}
