// Package view turns objects of a cluster into what package policy judges by. The webhook and the check command both see the cluster
// through it, so that they judge alike.
package view
